"""A probe is a real login each time, and tells every sort of trouble from every other."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import pytest

from kamaji_core.contracts import BasicAuth, ProbeKind, Session, StoreView, TlsMaterial
from kamaji_core.testing import free_port
from kamaji_core.testing.datastore import Gate, GateMode
from kamaji_core.testing.postgres import PASSWORDS_OVER_TLS, PostgresServer
from kamaji_datastore_postgres.access import access_of
from kamaji_datastore_postgres.catalog import Me
from kamaji_datastore_postgres.probe import judge

if TYPE_CHECKING:
    from collections.abc import Callable

    from kamaji_core.pki import KeyPair

pytestmark = pytest.mark.real

Open = Any

GOOD = Me(
    name="operator",
    superuser=False,
    creates_databases=True,
    creates_roles=True,
    version="17.2",
    number=170002,
    read_only=False,
    connections=3,
    connections_limit=97,
)


async def test_a_good_store(session: Session) -> None:
    """With the server's version; and it does so again and again, over a new connection each time."""
    for _ in range(3):
        probe = await session.probe()
        assert probe.ok, probe.sentence
        assert probe.server_version.split(".")[0].isdecimal()
        assert "its rights suffice" in probe.sentence


async def test_databases_that_are_open_to_everybody_are_told(
    own_server: PostgresServer, make_store: Callable[..., StoreView], open_session: Open
) -> None:
    """It is no obstacle; but a tenant could sit in them."""
    own_server.sql("GRANT CONNECT ON DATABASE postgres TO PUBLIC")
    probe = await open_session(make_store(own_server)).probe()
    assert probe.ok
    assert "postgres" in probe.sentence.partition("suffice.")[2]
    assert "REVOKE CONNECT" in probe.sentence


@pytest.mark.parametrize("username", ["operator", "nobody"])
async def test_a_wrong_login(store: StoreView, open_session: Open, username: str) -> None:
    """Role or password: PostgreSQL does not tell which, and neither do we; the password is not quoted."""
    login = BasicAuth(username=username, password="wrong")
    probe = await open_session(dataclasses.replace(store, basic_auth=login)).probe()
    assert (probe.kind, "spec.basicAuth" in probe.sentence) == (ProbeKind.AUTH, True)
    assert "wrong" not in probe.sentence


async def test_a_password_that_changed_is_seen_at_the_next_probe(
    own_server: PostgresServer, make_store: Callable[..., StoreView], open_session: Open
) -> None:
    """Connections that are open already would not tell."""
    session = open_session(make_store(own_server))
    assert (await session.probe()).ok
    await session.claims()
    own_server.sql("ALTER ROLE operator PASSWORD 'another'")
    assert (await session.probe()).kind is ProbeKind.AUTH


@pytest.mark.parametrize(
    ("options", "lacking"), [("CREATEDB", "CREATEROLE"), ("CREATEROLE", "CREATEDB"), ("", "CREATEDB CREATEROLE")]
)
async def test_lacking_rights(
    server: PostgresServer, store: StoreView, make_operator: Any, open_session: Open, options: str, lacking: str
) -> None:
    """The sentence says which."""
    name = f"half_{lacking.replace(' ', '_').lower()}"
    make_operator(server, name, options=options)
    assert store.basic_auth is not None
    login = dataclasses.replace(store.basic_auth, username=name)
    probe = await open_session(dataclasses.replace(store, basic_auth=login)).probe()
    assert (probe.kind, lacking in probe.sentence) == (ProbeKind.PERMISSION, True), probe.sentence


async def test_a_superuser_needs_nothing_more(server: PostgresServer, store: StoreView, open_session: Open) -> None:
    """Where somebody gives one."""
    login = BasicAuth(username="postgres", password=server.password)
    assert (await open_session(dataclasses.replace(store, basic_auth=login)).probe()).ok


async def test_pg_hba_conf_lets_nobody_in(
    own_server: PostgresServer, make_store: Callable[..., StoreView], open_session: Open
) -> None:
    """No line for us is no wrong password."""
    own_server.reload(hba=["hostssl all postgres 127.0.0.1/32 scram-sha-256"])
    probe = await open_session(make_store(own_server)).probe()
    assert (probe.kind, "pg_hba.conf" in probe.sentence) == (ProbeKind.PERMISSION, True), probe.sentence
    own_server.reload(hba=PASSWORDS_OVER_TLS)


async def test_another_authority(store: StoreView, open_session: Open, authority: KeyPair) -> None:
    """The server's certificate is signed by somebody else's."""
    tls = TlsMaterial(ca_certificate=authority.certificate)
    probe = await open_session(dataclasses.replace(store, tls=tls)).probe()
    assert (probe.kind, "certificateAuthority" in probe.sentence) == (ProbeKind.TLS, True), probe.sentence


async def test_another_host(store: StoreView, server: PostgresServer, open_session: Open) -> None:
    """The certificate does not name this address; verify-ca does not mind."""
    elsewhere = dataclasses.replace(store, endpoints=(f"127.0.0.2:{server.port}",))
    probe = await open_session(elsewhere).probe()
    assert probe.kind in {ProbeKind.REFUSED, ProbeKind.TLS}


async def test_a_server_without_tls(
    make_store: Callable[..., StoreView], make_operator: Any, open_session: Open
) -> None:
    """Nothing is said in plain text to a server that cannot encrypt; disable says that it may be."""
    hba = ["host all all 127.0.0.1/32 scram-sha-256"]
    with PostgresServer(hba=hba, settings={"ssl": "off"}) as plain:
        make_operator(plain)
        store = make_store(plain)
        probe = await open_session(store).probe()
        assert (probe.kind, "speaks no TLS" in probe.sentence) == (ProbeKind.TLS, True), probe.sentence
        probe = await open_session(dataclasses.replace(store, tls=None, config={"sslmode": "disable"})).probe()
        assert (probe.ok, "plain text" in probe.sentence) == (True, True), probe.sentence


@pytest.mark.parametrize("sslmode", ["verify-ca", "verify-full"])
async def test_client_certificates(
    own_server: PostgresServer, make_store: Callable[..., StoreView], open_session: Open, sslmode: str
) -> None:
    """A server that asks for them refuses those who have none; with one, no password is needed."""
    own_server.reload(hba=["hostssl all all 127.0.0.1/32 cert"])
    store = make_store(own_server, config={"sslmode": sslmode})
    probe = await open_session(store).probe()
    assert (probe.kind, "clientCertificate" in probe.sentence) == (ProbeKind.TLS, True), probe.sentence
    pair = own_server.issue_client("operator")
    tls = dataclasses.replace(store.tls or TlsMaterial(), client_certificate=pair.certificate, client_key=pair.key)
    probe = await open_session(dataclasses.replace(store, tls=tls, basic_auth=None)).probe()
    assert probe.ok, probe.sentence


async def test_a_database_that_is_not_there(store: StoreView, open_session: Open) -> None:
    """The operator's own."""
    probe = await open_session(dataclasses.replace(store, config={"database": "absent"})).probe()
    assert (probe.kind, "spec.config.database" in probe.sentence) == (ProbeKind.PERMISSION, True), probe.sentence


async def test_nobody_listens(store: StoreView, open_session: Open) -> None:
    """The port is free."""
    probe = await open_session(dataclasses.replace(store, endpoints=(f"127.0.0.1:{free_port()}",))).probe()
    assert (probe.kind, "Nobody listens" in probe.sentence) == (ProbeKind.REFUSED, True), probe.sentence


async def test_an_unknown_host(store: StoreView, open_session: Open) -> None:
    """A name that never resolves (RFC 6761)."""
    probe = await open_session(dataclasses.replace(store, endpoints=("nowhere.invalid:5432",))).probe()
    assert (probe.kind, "nowhere.invalid" in probe.sentence) == (ProbeKind.REFUSED, True), probe.sentence


async def test_a_silent_server(store: StoreView, open_session: Open) -> None:
    """It takes connections and says nothing."""
    with Gate(store.endpoints[0]) as gate:
        gate.set(GateMode.SILENT)
        probe = await open_session(dataclasses.replace(store, endpoints=(gate.endpoint,))).probe()
    assert probe.kind is ProbeKind.TIMEOUT


async def test_no_connection_is_left(
    own_server: PostgresServer, make_store: Callable[..., StoreView], open_session: Open
) -> None:
    """The role's own limit stands for the server's: the code is the same."""
    own_server.sql("ALTER ROLE operator CONNECTION LIMIT 0")
    probe = await open_session(make_store(own_server)).probe()
    assert (probe.kind, "connection" in probe.sentence) == (ProbeKind.FULL, True), probe.sentence


async def test_a_server_that_takes_no_writes(
    own_server: PostgresServer, make_store: Callable[..., StoreView], open_session: Open
) -> None:
    """As managed servers do when their disk is full."""
    own_server.sql("ALTER SYSTEM SET default_transaction_read_only = on; SELECT pg_reload_conf()")
    probe = await open_session(make_store(own_server)).probe()
    assert (probe.kind, "takes no writes" in probe.sentence) == (ProbeKind.FULL, True), probe.sentence


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({}, ProbeKind.OK),
        ({"number": 130000}, ProbeKind.OK),
        ({"number": 120022, "version": "12.22"}, ProbeKind.VERSION),
        ({"creates_roles": False}, ProbeKind.PERMISSION),
        ({"creates_roles": False, "superuser": True}, ProbeKind.OK),
        ({"connections": 97}, ProbeKind.OK),
        ({"connections": 98}, ProbeKind.FULL),
        ({"read_only": True}, ProbeKind.FULL),
    ],
)
def test_verdicts(paper_store: StoreView, fields: dict[str, Any], kind: ProbeKind) -> None:
    """What servers say that we do not have here."""
    probe = judge(dataclasses.replace(GOOD, **fields), access_of(paper_store))
    assert probe.kind is kind
    assert probe.sentence.endswith(".")
