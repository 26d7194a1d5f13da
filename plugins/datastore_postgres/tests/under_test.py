"""PostgreSQL as the conformance kit sees it: tenants as SQL clients, and the administrator's look into the store.

A tenant whose login is stolen speaks SQL and not etcd's interface, so the kit's tenants do, too: kine would hide what
PostgreSQL lets them try.
"""

from __future__ import annotations

import contextlib
import dataclasses
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

import asyncpg

from kamaji_core.contracts import BasicAuth, Claim, ProbeKind, StoreView, TlsMaterial
from kamaji_core.pki import issue_ca, tls_context
from kamaji_core.testing.datastore import Feature, RefusedError, StoreUnderTest, TenantClient
from kamaji_datastore_postgres import PostgresDriver

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

    from kamaji_core.contracts import Credentials, DatastoreDriver
    from kamaji_core.testing import PostgresServer

LIMIT = 10

KINE_TABLE = """
CREATE TABLE IF NOT EXISTS kine (
    id BIGSERIAL PRIMARY KEY, name text COLLATE "C", created INTEGER, deleted INTEGER, create_revision BIGINT,
    prev_revision BIGINT, lease INTEGER, value bytea, old_value bytea)
"""
"""The columns of kine's table."""

REFUSALS = (
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InsufficientPrivilegeError,
    asyncpg.AdminShutdownError,
    asyncpg.ConnectionDoesNotExistError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.ObjectNotInPrerequisiteStateError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # when the server ends a connection between two steps of a statement
    ConnectionError,
)


def attempts(other: Claim) -> list[str]:
    """Statements with which a tenant would become another, reach its database, or widen its own rights."""
    names = (other.user, f"{other.user}_a", f"{other.user}_b")
    return [
        *(f'SET ROLE "{name}"' for name in (*names, "postgres", "pg_read_all_data")),
        *(f'SET SESSION AUTHORIZATION "{name}"' for name in (*names, "postgres")),
        *(f'GRANT "{name}" TO SESSION_USER' for name in (*names, "postgres", "pg_read_all_data")),
        *(f"ALTER ROLE \"{name}\" PASSWORD 'intruder'" for name in (*names, "postgres")),
        *(f"COMMENT ON ROLE \"{name}\" IS 'intruder'" for name in names),
        *(f'ALTER ROLE "{name}" SET search_path = intruder' for name in names),
        *(f'DROP ROLE "{name}"' for name in names),
        f'ALTER DATABASE "{other.schema}" CONNECTION LIMIT 0',
        f'ALTER DATABASE "{other.schema}" OWNER TO SESSION_USER',
        f'DROP DATABASE "{other.schema}" WITH (FORCE)',
        f"COMMENT ON DATABASE \"{other.schema}\" IS 'intruder'",
        "ALTER ROLE SESSION_USER CREATEDB",
        "ALTER ROLE SESSION_USER CREATEROLE",
        "ALTER ROLE SESSION_USER SUPERUSER",
        "ALTER ROLE SESSION_USER CONNECTION LIMIT 1000",
        "CREATE ROLE intruder",
        "CREATE DATABASE intruder",
        "CREATE EXTENSION dblink",
        "CREATE EXTENSION postgres_fdw",
        "CREATE TABLESPACE intruder LOCATION '/tmp'",
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "SELECT pg_read_file('PG_VERSION')",
        "SELECT rolpassword FROM pg_authid",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename <> session_user",
        "SELECT lo_export(0, '/tmp/intruder')",
        "ALTER SYSTEM SET log_statement = 'none'",
    ]


class Client(TenantClient):
    """A tenant's login with a connection to its database."""

    def __init__(self, connect: Callable[[str], Awaitable[Any]], connection: Any) -> None:
        self._connect = connect
        self._connection = connection

    async def _call(self, method: str, *arguments: Any) -> Any:
        try:
            return await getattr(self._connection, method)(*arguments, timeout=LIMIT)
        except REFUSALS as error:
            raise RefusedError(str(error)) from None

    async def write(self, key: str, value: bytes) -> None:
        """Write a row."""
        await self._call("execute", KINE_TABLE)
        await self._call("execute", "DELETE FROM kine WHERE name = $1", key)
        await self._call("execute", "INSERT INTO kine (name, deleted, value) VALUES ($1, 0, $2)", key, value)

    async def read(self, key: str) -> bytes | None:
        """Read the row."""
        await self._call("execute", KINE_TABLE)
        found: bytes | None = await self._call("fetchval", "SELECT value FROM kine WHERE name = $1", key)
        return found

    async def reach(self, other: Claim, key: str) -> Sequence[str]:
        """Try to become the other, to connect to its database and to widen one's rights."""
        succeeded = []
        for statement in attempts(other):
            with contextlib.suppress(RefusedError, asyncpg.PostgresError):
                await self._call("execute", statement)
                succeeded.append(statement)
        if await self._call(
            "fetchval",
            "SELECT count(*) FROM pg_stat_activity WHERE usename <> session_user "
            "AND query NOT IN ('<insufficient privilege>', '')",
        ):
            succeeded.append("read others' queries")
        for database in (other.schema, "postgres", "template1", "template0"):
            with contextlib.suppress(*REFUSALS):
                (await self._connect(database)).terminate()
                succeeded.append(f"connect to {database}")
        return succeeded

    async def aclose(self) -> None:
        """Leave without a word."""
        self._connection.terminate()


class PostgresUnderTest(StoreUnderTest):
    """One PostgreSQL with TLS and passwords.

    Args:
        server: that runs.
        login: the operator's.
        password: its password; the superuser's own when none is given.
    """

    CANNOT: ClassVar[Mapping[Feature | ProbeKind, str]] = {
        Feature.EXPIRY: "passwords do not end by themselves",
        ProbeKind.VERSION: "only one version of PostgreSQL is there; test_postgres_probe.py judges others' answers",
    }
    ENTRY = "kamaji_datastore_postgres"
    NETWORK_LIBRARIES = ("asyncpg",)

    def __init__(self, server: PostgresServer, *, login: str = "postgres", password: str | None = None) -> None:
        self.server = server
        self._login = BasicAuth(username=login, password=password or server.password)
        self._tls = tls_context(server.ca.certificate)

    def driver(self) -> DatastoreDriver:
        """Make the driver."""
        return PostgresDriver()

    def store(
        self, *, endpoints: tuple[str, ...] = (), basic_auth: BasicAuth | None = None, **config: Any
    ) -> StoreView:
        """The server as a DataStore."""
        return StoreView(
            name="store",
            endpoints=endpoints or (self.server.endpoint,),
            tls=TlsMaterial(ca_certificate=self.server.ca.certificate),
            basic_auth=basic_auth or self._login,
            config=config,
            content_digest="1",
        )

    def wrong_stores(self) -> Mapping[str, StoreView]:
        """One mistake each."""
        store = self.store()
        wrong: dict[str, dict[str, Any]] = {
            "spec.endpoints": {"endpoints": ("https://postgres:5432",)},
            "spec.basicAuth": {"basic_auth": None},
            "spec.basicAuth.username": {"basic_auth": BasicAuth(username="", password="secret")},
            "spec.basicAuth.password": {"basic_auth": BasicAuth(username="kamaji", password="")},
            "spec.tlsConfig.certificateAuthority.certificate": {"tls": TlsMaterial(ca_certificate=b"no certificate")},
            "spec.config.sslmode": {"config": {"sslmode": "prefer"}},
            "spec.config.connectionLimit": {"config": {"connectionLimit": 0}},
        }
        return {field: dataclasses.replace(store, **change) for field, change in wrong.items()}

    def operator_user(self) -> str:
        """The operator's role."""
        return self._login.username

    @contextlib.asynccontextmanager
    async def probed(self, kind: ProbeKind) -> AsyncIterator[StoreView]:
        """Another authority, another password, a login without rights, or one that no connection is left for."""
        match kind:
            case ProbeKind.TLS:
                authority = issue_ca(common_name="another", now=datetime.now(UTC), lifetime=timedelta(days=1))
                yield dataclasses.replace(self.store(), tls=TlsMaterial(ca_certificate=authority.certificate))
            case ProbeKind.AUTH:
                yield self.store(basic_auth=BasicAuth(username="postgres", password="wrong-password"))
            case ProbeKind.PERMISSION:
                with self._role("powerless", "LOGIN") as basic_auth:
                    yield self.store(basic_auth=basic_auth)
            case ProbeKind.FULL:
                with self._role("crowded", "LOGIN CREATEDB CREATEROLE CONNECTION LIMIT 0") as basic_auth:
                    yield self.store(basic_auth=basic_auth)
            case _:
                raise NotImplementedError(kind)

    @contextlib.contextmanager
    def _role(self, name: str, attributes: str) -> Any:
        password = "some-password"
        self.server.sql(f"CREATE ROLE {name} {attributes} PASSWORD '{password}'")
        self.server.sql(f"GRANT CONNECT ON DATABASE postgres TO {name}")
        try:
            yield BasicAuth(username=name, password=password)
        finally:
            self.server.sql(f"DROP OWNED BY {name}; DROP ROLE {name}")

    async def log_in(self, claim: Claim, credentials: Credentials) -> TenantClient:
        """Log in over TCP and TLS with the password."""
        host, _, port = self.server.endpoint.rpartition(":")

        async def connect(database: str) -> Any:
            return await asyncpg.connect(
                host=host,
                port=int(port),
                user=credentials.user,
                password=credentials.password,
                database=database,
                ssl=self._tls,
                timeout=LIMIT,
                statement_cache_size=0,
            )

        try:
            return Client(connect, await connect(claim.schema))
        except REFUSALS as error:
            raise RefusedError(str(error)) from None

    async def leftovers(self, claim: Claim) -> Sequence[str]:
        """The database and every role of the claim, with what is said of them."""
        names = claim.schema + claim.user
        if not (names.isprintable() and names.isascii()):
            return []  # no such name can be at PostgreSQL
        schema, user = (name.replace("'", "''") for name in (claim.schema, claim.user))
        rows = self.server.sql(
            "SELECT 'database', datname, datacl::text, shobj_description(oid, 'pg_database') FROM pg_database "
            f"WHERE datname = '{schema}' AND datname NOT IN ('postgres', 'template0', 'template1') UNION ALL "
            "SELECT 'role', rolname, rolconfig::text, shobj_description(oid, 'pg_authid') FROM pg_roles "
            f"WHERE rolname IN ('{user}', '{user}_a', '{user}_b') AND rolname !~ '^(postgres$|kamaji$|pg_)'"
        )
        return [" ".join(row) for row in rows]

    async def lay(self, claim: Claim) -> None:
        """Role, database, rights and a table, as Kamaji makes them."""
        self.server.sql(f"CREATE ROLE \"{claim.user}\" LOGIN PASSWORD 'of-an-earlier-life'")
        self.server.sql(f'CREATE DATABASE "{claim.schema}"')
        self.server.sql(f'GRANT CONNECT, CREATE ON DATABASE "{claim.schema}" TO "{claim.user}"')
        self.server.sql(f'ALTER DATABASE "{claim.schema}" OWNER TO "{claim.user}"')
        self.server.sql(
            f"{KINE_TABLE}; INSERT INTO kine (name, deleted, value) VALUES ('registry/thing', 0, 'of an earlier life')",
            database=claim.schema,
            user=claim.user,
        )

    async def spoil(self, claim: Claim, what: str) -> None:
        """Drop a login, widen rights, or change the records."""
        roles = (claim.user, f"{claim.user}_a", f"{claim.user}_b")
        if what == "user":
            self.server.sql(f'REVOKE CONNECT ON DATABASE "{claim.schema}" FROM "{roles[1]}"')
            self.server.sql(f'DROP ROLE "{roles[1]}"')
        elif what == "rights":
            self.server.sql(f'ALTER ROLE "{claim.user}" CREATEDB; GRANT pg_read_all_data TO "{roles[1]}"')
        else:
            for sort, name in (*(("ROLE", role) for role in roles), ("DATABASE", claim.schema)):
                catalog, column = ("pg_authid", "rolname") if sort == "ROLE" else ("pg_database", "datname")
                ((comment,),) = self.server.sql(
                    f"SELECT shobj_description(oid, '{catalog}') FROM {catalog} WHERE {column} = '{name}'"
                )
                changed = comment.replace(claim.tenant_uid, "uid-of-another")
                self.server.sql(f"COMMENT ON {sort} \"{name}\" IS '{changed}'")
