"""What is missing or too much of a claim at the store, as statements: none when all is as it should be.

`ensure` runs them and `check` tells of them, so both have one opinion of what a tenant must have. A statement is a
template for the server's own `format`, which quotes the names in it; nothing is put together from names here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kamaji_datastore_postgres.names import logins_of
from kamaji_datastore_postgres.records import record_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kamaji_core.contracts import Claim
    from kamaji_datastore_postgres.catalog import Database, Found, Role

OPERATORS_OWN = 4
"""Connections to a tenant's database beyond the tenant's, for the operator's looks at it: as many as it ever has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One statement and what of the claim it mends.

    Args:
        what: `owner`, `user`, `database`, `login`, `rights` or `connection limit`.
        template: with `%I` for a name and `%L` for a text.
        values: of these, in their order.
    """

    what: str
    template: str
    values: tuple[str, ...]


def reserving(claim: Claim, found: Found, *, limit: int) -> tuple[Statement, ...]:
    """Make the claim's roles, nobody of which can log in, and say whose they are.

    Args:
        claim: the tenant's; everything found is its own already.
        found: what is there.
        limit: connections of each login.
    """
    return tuple(_missing_roles(claim, found, limit=limit))


def role_changes(claim: Claim, found: Found, *, limit: int) -> tuple[Statement, ...]:
    """Tell what makes the claim's roles as they should be, passwords and locks apart."""
    owner = found.roles.get(claim.user)
    statements = list(_missing_roles(claim, found, limit=limit))
    if owner is not None:
        statements += _rights(claim.user, owner)
        statements += [
            Statement(what="rights", template="REVOKE %I FROM %I", values=(claim.user, member))
            for member in owner.members
            if member not in {*logins_of(claim.user), found.me.name}
        ]
    for name in logins_of(claim.user):
        statements += _login_changes(name, claim.user, found.roles.get(name), limit=limit)
    return tuple(statements)


def admitting(name: str, verifier: str) -> Statement:
    """Let a login in by a password."""
    return Statement(what="login", template="ALTER ROLE %I LOGIN PASSWORD %L", values=(name, verifier))


def locking(found: Found, *, but: str = "") -> tuple[Statement, ...]:
    """Let none of the claim's roles in, but one."""
    return tuple(
        Statement(what="login", template="ALTER ROLE %I NOLOGIN PASSWORD NULL", values=(name,))
        for name in sorted(found.roles)
        if name != but
    )


def database_changes(claim: Claim, found: Found, *, limit: int) -> tuple[Statement, ...]:
    """Tell what makes the claim's database as it should be, once it exists."""
    database = found.database
    if database is None:
        return ()
    schema = claim.schema
    statements = []
    if database.comment is None:
        text = record_of(claim).encode()
        statements.append(Statement(what="owner", template="COMMENT ON DATABASE %I IS %L", values=(schema, text)))
    taken_over = database.owner == claim.user
    if taken_over:  # the owner could raise its own limit and let others in
        values = (schema, found.me.name)
        statements.append(Statement(what="rights", template="ALTER DATABASE %I OWNER TO %I", values=values))
    statements += _grants(claim, database, anew=taken_over)
    wanted = limit + OPERATORS_OWN
    if database.connection_limit != wanted:
        template = f"ALTER DATABASE %I CONNECTION LIMIT {wanted:d}"
        statements.append(Statement(what="connection limit", template=template, values=(schema,)))
    if not database.open:
        # Last, so that nobody comes in before everybody's right to connect is taken away.
        template = "ALTER DATABASE %I ALLOW_CONNECTIONS true"
        statements.append(Statement(what="database", template=template, values=(schema,)))
    return tuple(statements)


def creating(claim: Claim, *, limit: int) -> Statement:
    """Make the claim's database, closed to everybody until its rights are set."""
    template = (
        "CREATE DATABASE %I TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C' ALLOW_CONNECTIONS false "
        f"CONNECTION LIMIT {limit + OPERATORS_OWN:d}"
    )
    return Statement(what="database", template=template, values=(claim.schema,))


def dropping(claim: Claim) -> Statement:
    """Drop the claim's database under whoever is connected."""
    return Statement(what="database", template="DROP DATABASE IF EXISTS %I WITH (FORCE)", values=(claim.schema,))


def joining(found: Found) -> tuple[Statement, ...]:
    """Take the rights that ending a role's sessions and dropping what it owns needs; a superuser has them."""
    if found.me.superuser:
        return ()
    return tuple(
        Statement(what="owner", template="GRANT %I TO %I", values=(name, found.me.name))
        for name, role in sorted(found.roles.items())
        if not role.ours
    )


def disowning(found: Found) -> tuple[Statement, ...]:
    """Drop what the roles own and the rights that they were given, in the database where this is run."""
    return tuple(Statement(what="user", template="DROP OWNED BY %I", values=(name,)) for name in sorted(found.roles))


def removing(claim: Claim, found: Found) -> tuple[Statement, ...]:
    """Drop the roles, the owner last, with what they were given in the operator's own database."""
    names = [name for name in (*logins_of(claim.user), claim.user) if name in found.roles]
    return (
        *disowning(found),
        *(Statement(what="user", template="DROP ROLE %I", values=(name,)) for name in names),
    )


def _missing_roles(claim: Claim, found: Found, *, limit: int) -> Iterator[Statement]:
    text = record_of(claim).encode()
    logins = logins_of(claim.user)
    for name in (claim.user, *logins):
        role = found.roles.get(name)
        if role is None:
            sort = f"NOINHERIT CONNECTION LIMIT {limit:d}" if name in logins else ""
            yield Statement(what="user", template=f"CREATE ROLE %I NOLOGIN {sort}", values=(name,))
        if role is None or role.comment is None:
            what = "user" if role is None else "owner"
            yield Statement(what=what, template="COMMENT ON ROLE %I IS %L", values=(name, text))
        if not found.me.superuser and (role is None or not role.ours):
            # To end its sessions and drop what it owns; a superuser may without.
            what = "user" if role is None else "rights"
            yield Statement(what=what, template="GRANT %I TO %I", values=(name, found.me.name))


def _login_changes(name: str, owner: str, role: Role | None, *, limit: int) -> Iterator[Statement]:
    if role is not None:
        yield from _rights(name, role, but=owner)
        if role.inherits:
            yield Statement(what="rights", template="ALTER ROLE %I NOINHERIT", values=(name,))
        for member in role.members:
            yield Statement(what="rights", template="REVOKE %I FROM %I", values=(name, member))
        if role.connection_limit != limit:
            template = f"ALTER ROLE %I CONNECTION LIMIT {limit:d}"
            yield Statement(what="connection limit", template=template, values=(name,))
    if role is None or owner not in role.member_of:
        yield Statement(what="user", template="GRANT %I TO %I", values=(owner, name))
    if role is None or f"role={owner}" not in role.settings:
        # Whatever a login makes belongs to the owner, so that the next login can use it.
        yield Statement(what="user", template="ALTER ROLE %I SET role = %L", values=(name, owner))


def _rights(name: str, role: Role, *, but: str = "") -> Iterator[Statement]:
    for attribute in role.attributes:
        yield Statement(what="rights", template=f"ALTER ROLE %I NO{attribute}", values=(name,))
    for group in role.member_of:
        if group != but:
            yield Statement(what="rights", template="REVOKE %I FROM %I", values=(group, name))


def _grants(claim: Claim, database: Database, *, anew: bool) -> Iterator[Statement]:
    wanted = {f"{name} CONNECT" for name in (claim.user, *logins_of(claim.user))}
    for granted in sorted(database.granted - wanted):
        grantee, _, right = granted.rpartition(" ")
        whom, values = ("PUBLIC", ()) if grantee == "public" else ("%I", (grantee,))
        template = f"REVOKE {right} ON DATABASE %I FROM {whom}"
        yield Statement(what="rights", template=template, values=(claim.schema, *values))
    for missing in sorted(wanted if anew else wanted - database.granted):
        grantee = missing.rpartition(" ")[0]
        template = "GRANT CONNECT ON DATABASE %I TO %I"
        yield Statement(what="rights", template=template, values=(claim.schema, grantee))


def gravest(statements: Sequence[Statement]) -> str | None:
    """Tell the gravest of what statements mend, None when there are none."""
    order = ("owner", "user", "database", "login", "rights", "connection limit")
    found = {statement.what for statement in statements}
    return next((what for what in order if what in found), None)
