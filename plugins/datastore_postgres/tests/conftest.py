"""A real PostgreSQL with TLS and passwords, a role for the operator that is no superuser, and tenants that claim it."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from kamaji_core.contracts import BasicAuth, Claim, Credentials, StoreView, TlsMaterial
from kamaji_core.pki import CertificateRequest, KeyPair, Usage, issue_ca, issue_certificate
from kamaji_core.testing import connections_gone
from kamaji_core.testing.postgres import PostgresServer
from kamaji_datastore_postgres import PostgresDriver

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from kamaji_core.contracts import Session

OPERATOR = "operator"
PASSWORD = "the operator's own: 'quoted' \\ and all"

_numbers = itertools.count(1)


def add_operator(server: PostgresServer, name: str = OPERATOR, *, options: str = "CREATEDB CREATEROLE") -> None:
    """Make a role that a DataStore logs in as, without any right but these."""
    quoted = PASSWORD.replace("'", "''")
    server.sql(f"CREATE ROLE {name} LOGIN {options} PASSWORD '{quoted}'")
    server.sql(f"GRANT CONNECT ON DATABASE postgres TO {name}")


def store_of(server: PostgresServer, **fields: Any) -> StoreView:
    """A DataStore that names this server, with the operator's login; fields of `StoreView` replace its own."""
    store = StoreView(
        name="store",
        endpoints=(server.endpoint,),
        tls=TlsMaterial(ca_certificate=server.ca.certificate),
        basic_auth=BasicAuth(username=OPERATOR, password=PASSWORD),
    )
    return dataclasses.replace(store, **fields)


@pytest.fixture(scope="session")
def server() -> Iterator[PostgresServer]:
    """A PostgreSQL that all tests share: each uses databases and roles of its own."""
    with PostgresServer() as started:
        add_operator(started)
        yield started


@pytest.fixture
def own_server() -> Iterator[PostgresServer]:
    """A PostgreSQL for one test that changes what others rely on."""
    with PostgresServer() as started:
        add_operator(started)
        yield started


@pytest.fixture
def store(server: PostgresServer) -> StoreView:
    """The shared server as a DataStore."""
    return store_of(server)


@pytest.fixture
def make_store() -> Callable[..., StoreView]:
    """Make a DataStore of a server."""
    return store_of


@pytest.fixture
def make_operator() -> Callable[..., None]:
    """Make a role that a DataStore logs in as."""
    return add_operator


@pytest.fixture
def driver() -> PostgresDriver:
    """The driver."""
    return PostgresDriver()


@pytest.fixture
async def open_session(driver: PostgresDriver) -> AsyncIterator[Callable[[StoreView], Session]]:
    """Open sessions at any store; they are closed with the test."""
    opened: list[Session] = []

    def open_one(store: StoreView) -> Session:
        opened.append(driver.open(store))
        return opened[-1]

    yield open_one
    await asyncio.gather(*(session.aclose() for session in opened))
    await connections_gone()


@pytest.fixture
def session(open_session: Callable[[StoreView], Session], store: StoreView) -> Session:
    """An open session at the shared server."""
    return open_session(store)


@pytest.fixture
def make_claim() -> Callable[..., Claim]:
    """Make claims with names that no other test uses, where none are given."""

    def make(**fields: Any) -> Claim:
        number = next(_numbers)
        claim = Claim(
            tenant_uid=f"uid-{number}",
            namespace="tenants",
            name=f"tenant{number}",
            schema=f"schema{number}",
            user=f"user{number}",
        )
        return dataclasses.replace(claim, **fields)

    return make


@pytest.fixture
def claim(make_claim: Callable[..., Claim]) -> Claim:
    """A new tenant's claim."""
    return make_claim()


@pytest.fixture
def issue(driver: PostgresDriver, store: StoreView) -> Callable[..., Credentials]:
    """Issue credentials at the shared server."""

    def issue_some(claim: Claim, current: Credentials | None = None, **options: Any) -> Credentials:
        at = options.pop("store", store)
        return driver.issue(at, claim, current=current, now=datetime.now(UTC), **options)

    return issue_some


@pytest.fixture
def make(issue: Callable[..., Credentials], session: Session) -> Callable[..., Any]:
    """Make a claim at the shared server as the core does; gives its credentials."""

    async def make_one(claim: Claim, credentials: Credentials | None = None) -> Credentials:
        await session.reserve(claim)
        issued = credentials or issue(claim)
        await session.ensure(claim, issued)
        return issued

    return make_one


@pytest.fixture
def log_in(server: PostgresServer) -> Callable[..., Any]:
    """Run a statement as whoever has the credentials, as a tenant does: over TCP and TLS."""

    def run(claim: Claim, credentials: Credentials, statement: str = "SELECT 1", **options: Any) -> Any:
        at = options.pop("at", server)
        database = options.pop("database", claim.schema)
        return at.psql(statement, database=database, user=credentials.user, password=credentials.password)

    return run


@pytest.fixture(scope="session")
def authority() -> KeyPair:
    """A certificate authority that no server trusts."""
    return issue_ca(common_name="postgres-ca", now=datetime.now(UTC), lifetime=timedelta(days=3650))


@pytest.fixture(scope="session")
def client(authority: KeyPair) -> KeyPair:
    """The operator's client certificate of that authority."""
    request = CertificateRequest(common_name=OPERATOR, usages=frozenset({Usage.CLIENT}))
    return issue_certificate(request, ca=authority, now=datetime.now(UTC), lifetime=timedelta(days=365))


@pytest.fixture
def paper_store(authority: KeyPair) -> StoreView:
    """A sound DataStore that nobody serves."""
    return StoreView(
        name="store",
        endpoints=("postgres-0.postgres:5432",),
        tls=TlsMaterial(ca_certificate=authority.certificate),
        basic_auth=BasicAuth(username=OPERATOR, password=PASSWORD),
    )
