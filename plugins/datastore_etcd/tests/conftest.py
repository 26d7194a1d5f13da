"""A real etcd with client certificates and authentication, tenants that claim it, and etcdctl as a witness."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import os
import subprocess
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from kamaji_core.contracts import Claim, Credentials, StoreView, TlsMaterial
from kamaji_core.pki import (
    CertificateRequest,
    KeyAlgorithm,
    KeyPair,
    Usage,
    decode_key,
    encode_key,
    generate_key,
    issue_ca,
    issue_certificate,
)
from kamaji_core.testing import EtcdServer, TlsFiles, program, write_key_pair
from kamaji_datastore_etcd import EtcdDriver
from kamaji_datastore_etcd.session import EtcdSession

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

_numbers = itertools.count(1)


def store_of(server: EtcdServer, *, client: KeyPair | None = None, endpoints: tuple[str, ...] = ()) -> StoreView:
    """A DataStore that names this server, with root's certificate or another."""
    assert server.ca is not None
    assert server.root is not None
    client = client or server.root
    return StoreView(
        name="store",
        endpoints=endpoints or tuple(endpoint.removeprefix("https://") for endpoint in server.endpoints),
        tls=TlsMaterial(
            ca_certificate=server.ca.certificate,
            ca_key=server.ca.key,
            client_certificate=client.certificate,
            client_key=client.key,
        ),
    )


class Etcdctl:
    """The witness: etcdctl, logged in as one user."""

    def __init__(self, server: EtcdServer, files: TlsFiles) -> None:
        self._options = (
            f"--endpoints={server.endpoints[0]}",
            f"--cacert={files.ca}",
            f"--cert={files.certificate}",
            f"--key={files.key}",
        )

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command and tell what came of it."""
        return subprocess.run(
            [str(program("etcdctl")), *self._options, *command],
            capture_output=True,
            text=True,
            check=False,
            timeout=20,
            env={name: value for name, value in os.environ.items() if not name.startswith("ETCDCTL_")},
        )

    def __call__(self, *command: str) -> str:
        """Run a command that must succeed and give its output."""
        result = self.run(*command)
        assert result.returncode == 0, result.stderr
        return result.stdout


def message(**fields: bytes | str | int) -> bytes:
    """Encode a message of etcd's interface that the driver itself does not speak: `_3=b"x"` is field number 3."""

    def number(value: int) -> bytes:
        encoded, left = b"", value & (2**64 - 1)
        while left > 0x7F:
            encoded, left = encoded + bytes([left & 0x7F | 0x80]), left >> 7
        return encoded + bytes([left])

    encoded = b""
    for name, value in fields.items():
        field = int(name.removeprefix("_"))
        if isinstance(value, int):
            encoded += number(field << 3) + number(value)
        else:
            content = value.encode() if isinstance(value, str) else value
            encoded += number(field << 3 | 2) + number(len(content)) + content
    return encoded


class Intruder:
    """One client with one certificate that sends whatever it is told and tells how the server answered."""

    def __init__(self, server: EtcdServer, client: KeyPair) -> None:
        import grpc  # noqa: PLC0415 - the pure tests of this directory run without grpc
        import grpc.aio  # noqa: PLC0415 - as above

        assert server.ca is not None
        self._error: Any = grpc.aio.AioRpcError
        self._end: Any = grpc.aio.EOF
        self._channel = grpc.aio.secure_channel(
            server.endpoints[0].removeprefix("https://"),
            grpc.ssl_channel_credentials(server.ca.certificate, client.key, client.certificate),
            options=(("grpc.use_local_subchannel_pool", 1),),
        )

    async def call(self, path: str, request: bytes) -> tuple[str, bytes]:
        """Ask once; tells `OK` and the answer's bytes, or the code's name and the server's words."""
        try:
            return "OK", await self._channel.unary_unary(f"/{path}")(request, timeout=10)
        except self._error as error:
            return error.code().name, (error.details() or "").encode()

    async def stream(self, path: str, request: bytes, *, both_ways: bool) -> tuple[str, bytes]:
        """Open a stream and take its first answer; `END` when the server ended it without one."""
        if both_ways:
            stream = self._channel.stream_stream(f"/{path}")(timeout=10)
        else:
            stream = self._channel.unary_stream(f"/{path}")(request, timeout=10)
        try:
            if both_ways:
                await stream.write(request)
            answer = await stream.read()
        except self._error as error:
            return error.code().name, (error.details() or "").encode()
        finally:
            stream.cancel()
        return ("END", b"") if answer is self._end else ("OK", answer)

    async def aclose(self) -> None:
        """Close the connection."""
        await self._channel.close()


@pytest.fixture
def encode() -> Callable[..., bytes]:
    """Encode a message by its fields' numbers."""
    return message


@pytest.fixture
async def intrude() -> AsyncIterator[Callable[[EtcdServer, KeyPair], Intruder]]:
    """Make clients that send anything; they are closed with the test."""
    made: list[Intruder] = []

    def make(server: EtcdServer, client: KeyPair) -> Intruder:
        made.append(Intruder(server, client))
        return made[-1]

    yield make
    await asyncio.gather(*(intruder.aclose() for intruder in made))


@pytest.fixture(scope="session")
def server() -> Iterator[EtcdServer]:
    """An etcd that all tests share: each uses schemas and users of its own."""
    with EtcdServer(tls=True) as started:
        yield started


@pytest.fixture
def own_server() -> Iterator[EtcdServer]:
    """An etcd for one test that changes what others rely on."""
    with EtcdServer(tls=True) as started:
        yield started


@pytest.fixture
def store(server: EtcdServer) -> StoreView:
    """The shared server as a DataStore."""
    return store_of(server)


@pytest.fixture
def make_store() -> Callable[..., StoreView]:
    """Make a DataStore of a server, with another client or other endpoints."""
    return store_of


@pytest.fixture
def driver() -> EtcdDriver:
    """The driver."""
    return EtcdDriver()


@pytest.fixture
async def session(driver: EtcdDriver, store: StoreView) -> AsyncIterator[EtcdSession]:
    """An open session with root's rights at the shared server."""
    opened = driver.open(store)
    assert isinstance(opened, EtcdSession)
    yield opened
    await opened.aclose()


@pytest.fixture
async def open_session(driver: EtcdDriver) -> AsyncIterator[Callable[[StoreView], EtcdSession]]:
    """Open sessions at any store; they are closed with the test."""
    opened: list[EtcdSession] = []

    def open_one(store: StoreView) -> EtcdSession:
        session = driver.open(store)
        assert isinstance(session, EtcdSession)
        opened.append(session)
        return session

    yield open_one
    await asyncio.gather(*(session.aclose() for session in opened))


@pytest.fixture
def make_claim() -> Callable[..., Claim]:
    """Make claims with names that no other test uses, where none are given."""

    def make(**fields: Any) -> Claim:
        number = next(_numbers)
        schema = fields.pop("schema", f"schema{number}")
        claim = Claim(
            tenant_uid=f"uid-{number}", namespace="tenants", name=f"tenant{number}", schema=schema, user=f"user{number}"
        )
        return dataclasses.replace(claim, **fields)

    return make


@pytest.fixture
def claim(make_claim: Callable[..., Claim]) -> Claim:
    """A new tenant's claim."""
    return make_claim()


@pytest.fixture
def etcdctl(server: EtcdServer) -> Etcdctl:
    """The witness with root's rights at the shared server."""
    assert server.files is not None
    return Etcdctl(server, server.files)


@pytest.fixture
def etcdctl_as(server: EtcdServer) -> Iterator[Callable[[KeyPair], Etcdctl]]:
    """The witness with any client certificate at the shared server."""
    assert server.ca is not None
    authority = server.ca.certificate
    with tempfile.TemporaryDirectory(prefix="kamaji-etcd-client-") as directory:

        def log_in(client: KeyPair) -> Etcdctl:
            files = write_key_pair(Path(directory), f"client{next(_numbers)}", client, ca=authority)
            return Etcdctl(server, files)

        yield log_in


@pytest.fixture
def make_pair() -> Callable[[Credentials], KeyPair]:
    """Take certificate and key out of credentials."""
    return lambda credentials: KeyPair(certificate=credentials.files["server.crt"], key=credentials.files["server.key"])


@pytest.fixture
def witness_of() -> Callable[[EtcdServer], Etcdctl]:
    """The witness with root's rights at any server."""

    def log_in(server: EtcdServer) -> Etcdctl:
        assert server.files is not None
        return Etcdctl(server, server.files)

    return log_in


@pytest.fixture(scope="session")
def authority() -> KeyPair:
    """A certificate authority that no server trusts."""
    return issue_ca(common_name="etcd-ca", now=datetime.now(UTC), lifetime=timedelta(days=3650))


@pytest.fixture(scope="session")
def operator(authority: KeyPair) -> KeyPair:
    """The operator's client certificate of that authority."""
    request = CertificateRequest(common_name="root", usages=frozenset({Usage.CLIENT}))
    return issue_certificate(request, ca=authority, now=datetime.now(UTC), lifetime=timedelta(days=365))


@pytest.fixture
def paper_store(authority: KeyPair, operator: KeyPair) -> StoreView:
    """A sound DataStore that nobody serves."""
    return StoreView(
        name="store",
        endpoints=("etcd-0.etcd:2379", "10.0.0.1:2379", "[fd00::1]:2379"),
        tls=TlsMaterial(
            ca_certificate=authority.certificate,
            ca_key=authority.key,
            client_certificate=operator.certificate,
            client_key=operator.key,
        ),
    )


@pytest.fixture
def make_nameless() -> Callable[[KeyPair], KeyPair]:
    """Make a client certificate without a common name, which our own functions never do."""

    def make(authority: KeyPair) -> KeyPair:
        now = datetime.now(UTC)
        key = generate_key(KeyAlgorithm.ECDSA_P256)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "nameless")]))
            .issuer_name(x509.load_pem_x509_certificate(authority.certificate).subject)
            .public_key(key.public_key())
            .serial_number(1)
            .not_valid_before(now)
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
            .sign(decode_key(authority.key), hashes.SHA256())
        )
        encoded = certificate.public_bytes(serialization.Encoding.PEM)
        return KeyPair(certificate=encoded, key=encode_key(key))

    return make
