"""Can tenants be served? Each answer of the probe, the pure judgement first, then real logins."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from kamaji_core.contracts import ProbeKind
from kamaji_core.pki import CertificateRequest, KeyPair, Usage, issue_certificate
from kamaji_core.testing import EtcdServer, free_port
from kamaji_datastore_etcd.channels import Channels
from kamaji_datastore_etcd.errors import NoSpaceError
from kamaji_datastore_etcd.probe import judge
from kamaji_datastore_etcd.session import PROBE_LIMIT, EtcdSession
from kamaji_datastore_etcd.wire import ServerStatus

if TYPE_CHECKING:
    from collections.abc import Callable

    from kamaji_core.contracts import Claim, StoreView

    OpenSession = Callable[[StoreView], EtcdSession]
    MakeStore = Callable[..., StoreView]


@pytest.mark.parametrize(
    ("version", "kind"),
    [
        *(("3.4.23", "version"), ("3.5.12", "version"), ("", "version"), ("new", "version")),
        *(("3.5.13", "ok"), ("3.6.13", "ok"), ("3.6.14", "ok"), ("3.10.0", "ok"), ("4.0.0-rc.1", "ok")),
    ],
)
def test_old_servers_are_refused(version: str, kind: str) -> None:
    """Servers before 3.5.13 cannot serve kube-apiserver; versions compare as numbers."""
    probe = judge(ServerStatus(version=version, alarms=()), endpoint="etcd:2379")
    assert (probe.kind, probe.server_version) == (ProbeKind(kind), version)
    assert ("upgrade" in probe.sentence) == (version not in {"3.6.14", "3.10.0", "4.0.0-rc.1"})


def test_servers_that_let_tenants_compact_are_warned_about() -> None:
    """Before 3.6.14 the sentence tells to upgrade, although tenants can be served."""
    probe = judge(ServerStatus(version="3.6.13", alarms=()), endpoint="etcd:2379")
    assert probe.ok
    assert "any tenant can compact the whole store" in probe.sentence


def test_a_full_database_is_full() -> None:
    """Logins still work and no tenant can write, so it is not ok; the sentence tells all three steps."""
    probe = judge(ServerStatus(version="3.6.14", alarms=("memberID:7 alarm:NOSPACE ",)), endpoint="etcd:2379")
    assert (probe.kind, probe.ok, probe.server_version) == (ProbeKind.FULL, False, "3.6.14")
    for remedy in ("compact and defragment", "--quota-backend-bytes", "etcdctl alarm disarm"):
        assert remedy in probe.sentence


def test_an_old_server_that_is_full_is_old_first() -> None:
    """Space would not help it."""
    probe = judge(ServerStatus(version="3.4.0", alarms=("memberID:7 alarm:NOSPACE ",)), endpoint="etcd:2379")
    assert probe.kind is ProbeKind.VERSION


def test_other_alarms_are_told() -> None:
    """What does not keep tenants from being served shows in the sentence."""
    probe = judge(ServerStatus(version="3.6.14", alarms=("memberID:7 alarm:OTHER",)), endpoint="etcd:2379")
    assert probe.ok
    assert "alarm:OTHER" in probe.sentence


@pytest.mark.real
async def test_a_store_in_order_is_ok(session: EtcdSession) -> None:
    """Root's certificate, authentication on, a new server: tenants can be served."""
    probe = await session.probe()
    assert (probe.ok, probe.server_version) == (True, "3.6.14")
    assert probe.sentence.endswith("accepts the login and its rights suffice.")


@pytest.mark.real
async def test_nobody_listening_is_refused(
    server: EtcdServer, make_store: MakeStore, open_session: OpenSession
) -> None:
    """A closed port is told at once as such."""
    endpoint = f"127.0.0.1:{free_port()}"
    probe = await open_session(make_store(server, endpoints=(endpoint,))).probe()
    assert probe.kind is ProbeKind.REFUSED
    assert probe.sentence.startswith(f"Nobody listens at {endpoint}")


@pytest.mark.real
async def test_an_unknown_host_is_refused(server: EtcdServer, make_store: MakeStore, open_session: OpenSession) -> None:
    """A name without an address is told as such."""
    probe = await open_session(make_store(server, endpoints=("etcd.invalid:2379",))).probe()
    assert probe.kind is ProbeKind.REFUSED
    assert "cannot be resolved" in probe.sentence


@pytest.mark.real
async def test_a_silent_host_is_a_timeout(server: EtcdServer, make_store: MakeStore, open_session: OpenSession) -> None:
    """A host that accepts and says nothing is given up within the probe's limit."""
    released = asyncio.Event()

    async def say_nothing(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await released.wait()
        writer.close()

    silent = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    host, port = silent.sockets[0].getsockname()
    begun = asyncio.get_running_loop().time()
    probe = await open_session(make_store(server, endpoints=(f"{host}:{port}",))).probe()
    took = asyncio.get_running_loop().time() - begun
    released.set()
    silent.close()
    await silent.wait_closed()
    assert probe.kind is ProbeKind.TIMEOUT
    assert took < PROBE_LIMIT + 1


@pytest.mark.real
async def test_a_server_of_another_authority_is_a_tls_fault(
    server: EtcdServer, store: StoreView, paper_store: StoreView, open_session: OpenSession
) -> None:
    """A server certificate that the DataStore's authority did not sign is not trusted."""
    probe = await open_session(dataclasses.replace(paper_store, endpoints=store.endpoints)).probe()
    assert probe.kind is ProbeKind.TLS
    assert "spec.tlsConfig.certificateAuthority" in probe.sentence


@pytest.mark.real
async def test_a_server_of_another_name_is_a_tls_fault(
    server: EtcdServer, store: StoreView, make_store: MakeStore, open_session: OpenSession
) -> None:
    """The right authority is not enough: the certificate must name the endpoint's host."""
    host, port = store.endpoints[0].split(":")

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(host, int(port))
        await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))

    front = await asyncio.start_server(forward, "127.0.0.2", 0)
    probe = await open_session(
        make_store(server, endpoints=(f"127.0.0.2:{front.sockets[0].getsockname()[1]}",))
    ).probe()
    front.close()
    await front.wait_closed()
    assert probe.kind is ProbeKind.TLS
    assert "name this host" in probe.sentence


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


@pytest.mark.real
async def test_a_client_of_another_authority_is_a_tls_fault(
    server: EtcdServer, make_store: MakeStore, open_session: OpenSession, operator: KeyPair
) -> None:
    """A client certificate that the server does not trust is told apart from a server that is down."""
    probe = await open_session(make_store(server, client=operator)).probe()
    assert probe.kind is ProbeKind.TLS
    assert "--trusted-ca-file" in probe.sentence


@pytest.mark.real
async def test_a_server_without_tls_is_a_tls_fault(
    server: EtcdServer, make_store: MakeStore, open_session: OpenSession
) -> None:
    """A port that does not speak TLS is told as such."""

    async def speak_http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(16)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    plain = await asyncio.start_server(speak_http, "127.0.0.1", 0)
    probe = await open_session(
        make_store(server, endpoints=(f"127.0.0.1:{plain.sockets[0].getsockname()[1]}",))
    ).probe()
    plain.close()
    await plain.wait_closed()
    assert probe.kind is ProbeKind.TLS
    assert "must speak TLS" in probe.sentence


@pytest.mark.real
async def test_an_unknown_user_is_an_authentication_fault(
    server: EtcdServer, make_store: MakeStore, open_session: OpenSession
) -> None:
    """A trusted certificate whose common name is no user is told to add it."""
    probe = await open_session(make_store(server, client=server.issue_client("stranger"))).probe()
    assert probe.kind is ProbeKind.AUTH
    assert "etcdctl user add --no-password" in probe.sentence


@pytest.mark.real
async def test_a_user_without_rights_is_a_permission_fault(
    session: EtcdSession, server: EtcdServer, make_store: MakeStore, open_session: OpenSession
) -> None:
    """A user without the role root is told to get it."""
    await session._wire.add_user("powerless")
    probe = await open_session(make_store(server, client=server.issue_client("powerless"))).probe()
    assert probe.kind is ProbeKind.PERMISSION
    assert "have the role root" in probe.sentence


@pytest.mark.real
async def test_another_user_with_root_s_role_is_ok(
    session: EtcdSession, server: EtcdServer, make_store: MakeStore, open_session: OpenSession
) -> None:
    """The operator's user need not be called root."""
    await session._wire.add_user("kamaji-operator")
    await session._wire.grant_role(user="kamaji-operator", role="root")
    assert (await open_session(make_store(server, client=server.issue_client("kamaji-operator"))).probe()).ok


@pytest.mark.real
async def test_authentication_that_is_off_is_an_authentication_fault(
    own_server: EtcdServer, make_store: MakeStore, open_session: OpenSession, witness_of: Callable[[EtcdServer], Any]
) -> None:
    """A server that lets everybody read everything must not get tenants."""
    witness_of(own_server)("auth", "disable")
    probe = await open_session(make_store(own_server)).probe()
    assert probe.kind is ProbeKind.AUTH
    assert "etcdctl auth enable" in probe.sentence


@pytest.mark.real
async def test_a_server_that_comes_back_is_found(
    own_server: EtcdServer, make_store: MakeStore, open_session: OpenSession
) -> None:
    """The same session sees the server going and coming."""
    session = open_session(make_store(own_server))
    assert (await session.probe()).ok
    await asyncio.to_thread(own_server.stop)
    assert (await session.probe()).kind is ProbeKind.REFUSED
    await asyncio.to_thread(own_server.start)
    async with asyncio.timeout(20):
        while not (await session.probe()).ok:
            pass


@pytest.mark.real
async def test_an_ended_client_certificate_is_a_tls_fault(
    server: EtcdServer, make_store: MakeStore, open_session: OpenSession
) -> None:
    """An ended login is told apart from a server that is down."""
    assert server.ca is not None
    request = CertificateRequest(common_name="root", usages=frozenset({Usage.CLIENT}))
    ended = issue_certificate(
        request, ca=server.ca, now=datetime.now(UTC) - timedelta(days=2), lifetime=timedelta(days=1)
    )
    assert (await open_session(make_store(server, client=ended)).probe()).kind is ProbeKind.TLS


@pytest.mark.real
async def test_a_certificate_without_a_name_is_an_authentication_fault(
    server: EtcdServer, make_store: MakeStore, make_nameless: Callable[[KeyPair], KeyPair]
) -> None:
    """Where settings were not checked, the server's word that it sees no user becomes a sentence about the name."""
    assert server.ca is not None
    store = make_store(server, client=make_nameless(server.ca))
    assert store.tls is not None
    session = EtcdSession(Channels(store.endpoints, store.tls), login="")
    probe = await session.probe()
    await session.aclose()
    assert probe.kind is ProbeKind.AUTH
    assert "needs a common name" in probe.sentence


@pytest.mark.real
async def test_a_full_server_is_told_and_heals(
    make_store: MakeStore, open_session: OpenSession, make_claim: Callable[..., Claim], witness_of: Callable[..., Any]
) -> None:
    """The probe and every write say that it is full; what the sentence tells makes both succeed again."""
    with EtcdServer(tls=True, quota_bytes=2_000_000) as small:
        witness, session = witness_of(small), open_session(make_store(small))
        while witness.run("put", "filling", "x" * 100_000).returncode == 0:
            pass
        assert (await session.probe()).kind is ProbeKind.FULL
        claim = make_claim()
        with pytest.raises(NoSpaceError) as caught:
            await session.reserve(claim)
        assert (caught.value.kind, caught.value.retry) == (ProbeKind.FULL, True)
        revision = json.loads(witness("endpoint", "status", "--write-out=json"))[0]["Status"]["header"]["revision"]
        witness("compact", str(revision))
        witness("defrag")
        witness("alarm", "disarm")
        assert (await session.probe()).ok
        await session.reserve(claim)
