"""What PostgreSQL's catalogs say about a claim: its three roles, its database, and who else names them.

Everything is read from the shared catalogs, which look the same from every database, and named with its schema, so that
nothing a tenant made in its own database is ever run.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kamaji_datastore_postgres.names import logins_of
from kamaji_datastore_postgres.records import MARKER, Record, read_record

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kamaji_core.contracts import Claim
    from kamaji_datastore_postgres.connections import Connection

_ROLES = """
SELECT r.rolname::text AS name, r.rolcanlogin AS can_login, r.rolinherit AS inherits,
       r.rolconnlimit AS connection_limit,
       ARRAY(SELECT a.name FROM (VALUES ('SUPERUSER', r.rolsuper), ('CREATEDB', r.rolcreatedb),
             ('CREATEROLE', r.rolcreaterole), ('REPLICATION', r.rolreplication), ('BYPASSRLS', r.rolbypassrls))
             AS a (name, given) WHERE a.given) AS attributes,
       COALESCE(r.rolconfig, '{}') AS settings,
       ARRAY(SELECT g.rolname::text FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_roles g ON g.oid = m.roleid
             WHERE m.member = r.oid ORDER BY 1) AS member_of,
       ARRAY(SELECT g.rolname::text FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_roles g ON g.oid = m.member
             WHERE m.roleid = r.oid AND NOT g.rolsuper AND NOT g.rolcreaterole ORDER BY 1) AS members,
       pg_catalog.pg_has_role(r.oid, 'USAGE') AND pg_catalog.pg_has_role(r.oid, 'MEMBER') AS ours,
       pg_catalog.shobj_description(r.oid, 'pg_authid') AS comment
FROM pg_catalog.pg_roles r WHERE r.rolname::text = ANY ($1::text[])
"""

_DATABASE = """
SELECT pg_catalog.pg_get_userbyid(d.datdba)::text AS owner, d.datallowconn AS open, d.datconnlimit AS connection_limit,
       pg_catalog.pg_has_role(d.datdba, 'USAGE') AS ours,
       ARRAY(SELECT DISTINCT COALESCE(g.rolname::text, 'public') || ' ' || a.privilege_type
             FROM pg_catalog.aclexplode(COALESCE(d.datacl, pg_catalog.acldefault('d', d.datdba))) a
             LEFT JOIN pg_catalog.pg_roles g ON g.oid = a.grantee WHERE a.grantee <> d.datdba) AS granted,
       pg_catalog.shobj_description(d.oid, 'pg_database') AS comment
FROM pg_catalog.pg_database d WHERE d.datname::text = $1
"""

_RECORDS = """
SELECT r.rolname::text AS name, s.description AS comment
FROM pg_catalog.pg_shdescription s JOIN pg_catalog.pg_roles r ON r.oid = s.objoid
WHERE s.classoid = 'pg_catalog.pg_authid'::pg_catalog.regclass AND pg_catalog.strpos(s.description, $1) = 1
      AND pg_catalog.strpos(s.description, $2) > 0
"""

_ME = """
SELECT current_user::text AS name, r.rolsuper AS superuser, r.rolcreatedb AS creates_databases,
       r.rolcreaterole AS creates_roles, pg_catalog.current_setting('server_version') AS version,
       pg_catalog.current_setting('server_version_num')::int AS number,
       pg_catalog.current_setting('default_transaction_read_only')::bool AS read_only,
       (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity WHERE backend_type = 'client backend')
           AS connections,
       pg_catalog.current_setting('max_connections')::int
           - pg_catalog.current_setting('superuser_reserved_connections')::int
           - COALESCE(pg_catalog.current_setting('reserved_connections', true)::int, 0) AS connections_limit
FROM pg_catalog.pg_roles r WHERE r.rolname = current_user
"""

_SHARED = """
SELECT d.datname::text AS name FROM pg_catalog.pg_database d
WHERE d.datallowconn AND EXISTS (
    SELECT FROM pg_catalog.aclexplode(COALESCE(d.datacl, pg_catalog.acldefault('d', d.datdba))) a
    WHERE a.grantee = 0 AND a.privilege_type = 'CONNECT')
ORDER BY 1
"""


_DATABASES_WITH = """
SELECT DISTINCT d.datname::text AS name FROM pg_catalog.pg_shdepend s
JOIN pg_catalog.pg_database d ON d.oid = s.dbid JOIN pg_catalog.pg_roles r ON r.oid = s.refobjid
WHERE s.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass AND r.rolname::text = ANY ($1::text[])
      AND d.datallowconn
ORDER BY 1
"""

_HALF_DROPPED = -2
"""What PostgreSQL makes of `datconnlimit` before it begins to delete a database's files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Me:
    """The operator's own login, and the server that it is at.

    Args:
        name: of the role.
        superuser: whether nothing is denied to it.
        creates_databases: CREATEDB.
        creates_roles: CREATEROLE.
        version: of the server, as it tells it.
        number: the same as a number, 150018 for 15.18.
        read_only: whether the server takes no writes.
        connections: that are open, ours among them.
        connections_limit: how many there may be of those who have none in reserve.
    """

    name: str
    superuser: bool
    creates_databases: bool
    creates_roles: bool
    version: str
    number: int
    read_only: bool
    connections: int
    connections_limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """One role as it is.

    Args:
        can_login: LOGIN.
        inherits: INHERIT.
        connection_limit: -1 for none.
        attributes: those of SUPERUSER, CREATEDB, CREATEROLE, REPLICATION and BYPASSRLS that it has.
        settings: `name=value` each, set at every login.
        member_of: roles whose member it is.
        members: its own members, without those that may make roles anyway.
        ours: whether the operator has its rights.
        comment: on it.
    """

    can_login: bool
    inherits: bool
    connection_limit: int
    attributes: tuple[str, ...]
    settings: tuple[str, ...]
    member_of: tuple[str, ...]
    members: tuple[str, ...]
    ours: bool
    comment: str | None

    @property
    def record(self) -> Record | None:
        """Whose it is; None when its comment does not tell."""
        return read_record(self.comment)


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """One database as it is.

    Args:
        owner: its role.
        ours: whether the operator has the owner's rights.
        open: whether anybody can connect.
        connection_limit: -1 for none.
        granted: grantee and right each, such as `public CONNECT`, without the owner's.
        comment: on it.
    """

    owner: str
    ours: bool
    open: bool
    connection_limit: int
    granted: frozenset[str]
    comment: str | None

    @property
    def is_broken(self) -> bool:
        """Whether dropping it was interrupted; nobody can connect to it ever again."""
        return self.connection_limit == _HALF_DROPPED

    @property
    def record(self) -> Record | None:
        """Whose it is; None when its comment does not tell."""
        return read_record(self.comment)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What is at the store under a claim's names.

    Args:
        me: the operator's login.
        roles: those of the claim's three that exist.
        database: None when there is none.
        holders: records of other roles that name the claim's schema.
    """

    me: Me
    roles: Mapping[str, Role] = field(default_factory=dict)
    database: Database | None = None
    holders: tuple[Record, ...] = ()


async def find(connection: Connection, claim: Claim) -> Found:
    """Read all that there is under a claim's names."""
    names = (claim.user, *logins_of(claim.user))
    me = await who_am_i(connection)
    roles = await connection.fetch(_ROLES, list(names))
    database = await connection.fetchrow(_DATABASE, claim.schema)
    return Found(
        me=me,
        roles={row["name"]: _role(row) for row in roles},
        database=None if database is None else _database(database),
        holders=tuple(
            record
            for name, record in await records(connection, containing=claim.schema)
            if record.schema == claim.schema and name not in names
        ),
    )


async def who_am_i(connection: Connection) -> Me:
    """Read the operator's own role."""
    (row,) = await connection.fetch(_ME)
    return Me(**dict(row))


async def shared_databases(connection: Connection) -> Sequence[str]:
    """List the databases that everybody may connect to."""
    return [row["name"] for row in await connection.fetch(_SHARED)]


async def databases_with(connection: Connection, roles: Sequence[str]) -> Sequence[str]:
    """List the databases in which roles own something or have rights on something."""
    return [row["name"] for row in await connection.fetch(_DATABASES_WITH, list(roles))]


async def records(connection: Connection, *, containing: str = "") -> list[tuple[str, Record]]:
    """List readable records with the roles that carry them.

    Args:
        connection: to any database.
        containing: only those whose text has this name in it.
    """
    rows = await connection.fetch(_RECORDS, MARKER, f'"{containing}"' if containing else '"')
    read = [(row["name"], read_record(row["comment"])) for row in rows]
    return [(name, record) for name, record in read if record is not None]


def _role(row: Any) -> Role:
    fields: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in row.items()}
    del fields["name"]
    return Role(**fields)


def _database(row: Any) -> Database:
    return Database(**{**dict(row), "granted": frozenset(row["granted"])})
