"""etcd as the conformance kit sees it: tenants as another client than the driver's, and root's look into the store."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

import grpc
import grpc.aio

from kamaji_core.contracts import Claim, ProbeKind, StoreView, TlsMaterial
from kamaji_core.pki import CertificateRequest, KeyPair, Usage, issue_ca, issue_certificate
from kamaji_core.testing import EtcdServer
from kamaji_core.testing.datastore import Feature, RefusedError, StoreUnderTest, TenantClient
from kamaji_datastore_etcd import EtcdDriver
from kamaji_datastore_etcd._proto import etcd_wire_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from kamaji_core.contracts import Credentials, DatastoreDriver

LIMIT = 10
REFUSALS = {"PERMISSION_DENIED", "UNAUTHENTICATED"}
REFUSED_WORDS = ("user name not found", "user name is empty", "invalid user ID or password")
OLD_REVISION = "revision of auth store is old"
RECORDS = b"kamaji.clastix.io/"


class Client(TenantClient):
    """Whoever has a certificate, over gRPC's own library."""

    def __init__(self, server: EtcdServer, pair: KeyPair, prefix: bytes = b"") -> None:
        assert server.ca is not None
        self._prefix = prefix
        self._channel = grpc.aio.secure_channel(
            server.endpoints[0].removeprefix("https://"),
            grpc.ssl_channel_credentials(server.ca.certificate, pair.key, pair.certificate),
            options=(("grpc.use_local_subchannel_pool", 1),),
        )

    async def call(self, path: str, request: Any, answer: Any) -> Any:
        """Ask once, or again while users change; a refusal is told as such."""
        method = self._channel.unary_unary(
            f"/etcdserverpb.{path}", request_serializer=_encode, response_deserializer=answer.FromString
        )
        while True:
            try:
                return await method(request, timeout=LIMIT)
            except grpc.aio.AioRpcError as error:
                words = error.details() or ""
                if OLD_REVISION in words:
                    continue
                if error.code().name in REFUSALS or any(part in words for part in REFUSED_WORDS):
                    raise RefusedError(words) from None
                raise

    async def put(self, key: bytes, value: bytes) -> None:
        """Write a key; the driver's messages hold a put in a transaction only."""
        put = pb.RequestOp(request_put=pb.PutRequest(key=key, value=value))
        await self.call("KV/Txn", pb.TxnRequest(success=[put]), pb.TxnResponse)

    async def range(self, key: bytes, end: bytes = b"", **options: Any) -> Sequence[tuple[bytes, bytes]]:
        """Read keys."""
        answer = await self.call("KV/Range", pb.RangeRequest(key=key, range_end=end, **options), pb.RangeResponse)
        return [(entry.key, entry.value) for entry in answer.kvs] or [(b"", b"")] * int(answer.count)

    async def delete(self, key: bytes, end: bytes = b"") -> int:
        """Delete keys and tell how many."""
        request = pb.DeleteRangeRequest(key=key, range_end=end)
        return int((await self.call("KV/DeleteRange", request, pb.DeleteRangeResponse)).deleted)

    async def write(self, key: str, value: bytes) -> None:
        """Write one key under the tenant's prefix."""
        await self.put(self._prefix + key.encode(), value)

    async def read(self, key: str) -> bytes | None:
        """Read one key under the tenant's prefix."""
        found = await self.range(self._prefix + key.encode())
        return found[0][1] if found else None

    async def reach(self, other: Claim, key: str) -> Sequence[str]:
        """Try keys, ranges and the administrator's methods."""
        theirs = _prefix(other) + key.encode()
        start, end = _prefix(other), _prefix(other)[:-1] + b"0"
        attempts = {
            "read the key": self.range(theirs),
            "read the range": self.range(start, end),
            "count the range": self.range(start, end, count_only=True),
            "read all keys": self.range(b"\0", b"\0"),
            "read over the lower end": self.range(start[:-1], end),
            "read over the upper end": self.range(start, end + b"\0"),
            "write the key": self.put(theirs, b"intruder"),
            "write at the lower end": self.put(start, b"intruder"),
            "delete the key": self.delete(theirs),
            "delete the range": self.delete(start, end),
            "read the records": self.range(RECORDS, RECORDS[:-1] + b"0"),
            "write a record": self.put(RECORDS + b"claims/" + other.schema.encode(), b"{}"),
            "make a user": self.call("Auth/UserAdd", pb.AuthUserAddRequest(name="intruder"), pb.Done),
            "take the role": self.call(
                "Auth/UserGrantRole", pb.AuthUserGrantRoleRequest(user=other.user, role="root"), pb.Done
            ),
        }
        succeeded = []
        for what, attempt in attempts.items():
            with contextlib.suppress(RefusedError):
                await attempt
                succeeded.append(what)
        return succeeded

    async def aclose(self) -> None:
        """Close the connection."""
        await self._channel.close()


class EtcdUnderTest(StoreUnderTest):
    """One etcd with client certificates and authentication.

    Args:
        server: that runs.
        driver: another than etcd's own.
    """

    CANNOT: ClassVar[Mapping[Feature | ProbeKind, str]] = {
        Feature.SETTLE: "etcd knows a user by its certificate's name, so an earlier certificate works until it ends",
        ProbeKind.VERSION: "only one version of etcd is built here; test_etcd_probe.py judges others' answers",
    }
    ENTRY = "kamaji_datastore_etcd"
    NETWORK_LIBRARIES = ("grpclib", "h2", "google")

    def __init__(self, server: EtcdServer, driver: type[DatastoreDriver] = EtcdDriver) -> None:
        self.server = server
        self._driver = driver

    def driver(self) -> DatastoreDriver:
        """Make the driver."""
        return self._driver()

    def store(self, *, endpoints: tuple[str, ...] = (), client: KeyPair | None = None) -> StoreView:
        """The server as a DataStore."""
        assert self.server.ca is not None
        client = client or self.server.root
        assert client is not None
        return StoreView(
            name="store",
            endpoints=endpoints or (self.server.endpoints[0].removeprefix("https://"),),
            tls=TlsMaterial(
                ca_certificate=self.server.ca.certificate,
                ca_key=self.server.ca.key,
                client_certificate=client.certificate,
                client_key=client.key,
            ),
            content_digest="1",
        )

    def wrong_stores(self) -> Mapping[str, StoreView]:
        """One mistake each."""
        store = self.store()
        assert store.tls is not None
        wrong = {
            "spec.tlsConfig.certificateAuthority.certificate": {"ca_certificate": b""},
            "spec.tlsConfig.certificateAuthority.privateKey": {"ca_key": b"no key"},
            "spec.tlsConfig.clientCertificate.certificate": {"client_certificate": store.tls.client_key},
            "spec.tlsConfig.clientCertificate.privateKey": {"client_key": store.tls.ca_key},
        }
        stores = {
            field: dataclasses.replace(store, tls=dataclasses.replace(store.tls, **change))
            for field, change in wrong.items()
        }
        return {**stores, "spec.endpoints": dataclasses.replace(store, endpoints=("https://etcd:2379",))}

    def operator_user(self) -> str:
        """Root, whose certificate the operator has."""
        return "root"

    @contextlib.asynccontextmanager
    async def probed(self, kind: ProbeKind) -> AsyncIterator[StoreView]:
        """Other certificates, or another server with a fault of its own."""
        match kind:
            case ProbeKind.TLS:
                now = datetime.now(UTC)
                authority = issue_ca(common_name="another", now=now, lifetime=timedelta(days=1))
                request = CertificateRequest(common_name="root", usages=frozenset({Usage.CLIENT}))
                stranger = issue_certificate(request, ca=authority, now=now, lifetime=timedelta(days=1))
                yield self.store(client=stranger)
            case ProbeKind.AUTH:
                yield self.store(client=self.server.issue_client("nobody"))
            case ProbeKind.PERMISSION:
                async with self._root() as root:
                    request = pb.AuthUserAddRequest(name="powerless", options=pb.UserAddOptions(no_password=True))
                    with contextlib.suppress(grpc.aio.AioRpcError):  # it is there from an earlier test
                        await root.call("Auth/UserAdd", request, pb.Done)
                yield self.store(client=self.server.issue_client("powerless"))
            case ProbeKind.FULL:
                with EtcdServer(tls=True, quota_bytes=FULL_AT) as small:
                    full = EtcdUnderTest(small)
                    async with full._root() as root:
                        with contextlib.suppress(grpc.aio.AioRpcError):
                            while True:
                                await root.put(b"filling", b"x" * 500_000)
                    yield full.store()
            case _:
                raise NotImplementedError(kind)

    async def log_in(self, claim: Claim, credentials: Credentials) -> TenantClient:
        """Take the certificate; etcd looks at it with the first request."""
        pair = KeyPair(certificate=credentials.files["server.crt"], key=credentials.files["server.key"])
        return Client(self.server, pair, _prefix(claim))

    async def leftovers(self, claim: Claim) -> Sequence[str]:
        """Keys in the range, both records, user and role."""
        try:
            schema, user = claim.schema.encode(), claim.user.encode()
        except UnicodeEncodeError:  # no such name can be at etcd
            return []
        async with self._root() as root:
            found = [f"key {key!r}" for key, _ in await root.range(b"/" + schema + b"/", b"/" + schema + b"0")]
            for key in (RECORDS + b"claims/" + schema, RECORDS + b"users/" + user):
                found += [f"record {key!r}: {value!r}" for key, value in await root.range(key)]
            with contextlib.suppress(RefusedError, grpc.aio.AioRpcError):
                roles = (
                    await root.call("Auth/UserGet", pb.AuthUserGetRequest(name=claim.user), pb.AuthUserGetResponse)
                ).roles
                found.append(f"user {claim.user!r} with {sorted(roles)}")
            with contextlib.suppress(RefusedError, grpc.aio.AioRpcError):
                role = await root.call("Auth/RoleGet", pb.AuthRoleGetRequest(role=claim.schema), pb.AuthRoleGetResponse)
                found.append(f"role {claim.schema!r} with {len(role.permissions)} permissions")
        return found

    async def lay(self, claim: Claim) -> None:
        """User, role, right and a key, as Kamaji makes them."""
        async with self._root() as root:
            request = pb.AuthUserAddRequest(name=claim.user, options=pb.UserAddOptions(no_password=True))
            await root.call("Auth/UserAdd", request, pb.Done)
            await root.call("Auth/RoleAdd", pb.AuthRoleAddRequest(name=claim.schema), pb.Done)
            await root.call("Auth/RoleGrantPermission", _grant(claim, _prefix(claim)), pb.Done)
            request = pb.AuthUserGrantRoleRequest(user=claim.user, role=claim.schema)
            await root.call("Auth/UserGrantRole", request, pb.Done)
            await root.put(_prefix(claim) + b"registry/thing", b"of an earlier life")

    async def spoil(self, claim: Claim, what: str) -> None:
        """Delete the user, widen the role, or change the records."""
        async with self._root() as root:
            if what == "user":
                await root.call("Auth/UserDelete", pb.AuthUserDeleteRequest(name=claim.user), pb.Done)
            elif what == "rights":
                await root.call("Auth/RoleGrantPermission", _grant(claim, b"/elsewhere/"), pb.Done)
            else:
                for key in (f"claims/{claim.schema}", f"users/{claim.user}"):
                    ((_, record),) = await root.range(RECORDS + key.encode())
                    changed = {**json.loads(record), "tenant_uid": "uid-of-another"}
                    await root.put(RECORDS + key.encode(), json.dumps(changed).encode())

    @contextlib.asynccontextmanager
    async def _root(self) -> AsyncIterator[Client]:
        assert self.server.root is not None
        client = Client(self.server, self.server.root)
        try:
            yield client
        finally:
            await client.aclose()


FULL_AT = 4_000_000
"""Bytes at which the small server is full."""


def _prefix(claim: Claim) -> bytes:
    return f"/{claim.schema}/".encode()


def _grant(claim: Claim, prefix: bytes) -> Any:
    permission = pb.Permission(type=pb.Permission.READWRITE, key=prefix, range_end=prefix[:-1] + b"0")
    return pb.AuthRoleGrantPermissionRequest(name=claim.schema, permission=permission)


def _encode(message: Any) -> bytes:
    encoded: bytes = message.SerializeToString()
    return encoded
