"""A claim is made: a database, its owner, its logins, with exactly the claim's rights, however often it is asked."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from kamaji_core.contracts import Claim, Credentials, ProbeKind, Session, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from kamaji_core.contracts import StoreView
    from kamaji_core.testing import PostgresServer

pytestmark = pytest.mark.real


def facts(server: PostgresServer, claim: Claim) -> dict[str, Any]:
    """What a claim is at the store, as an administrator sees it."""
    roles = server.sql(
        "SELECT rolname, rolcanlogin, rolinherit, rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR "
        f"rolbypassrls, rolconnlimit, rolconfig FROM pg_roles WHERE rolname ~ '^{claim.user}(_[ab])?$' ORDER BY 1"
    )
    databases = server.sql(
        "SELECT datdba::regrole, datconnlimit, datallowconn, datcollate, pg_encoding_to_char(encoding) "
        f"FROM pg_database WHERE datname = '{claim.schema}'"
    )
    return {"roles": roles, "databases": databases}


async def test_a_claim_becomes_a_database_an_owner_and_two_logins(
    make: Any, log_in: Any, server: PostgresServer, claim: Claim
) -> None:
    """One login is let in, the other waits for its turn; the database belongs to the operator."""
    credentials = await make(claim)
    name = claim.user
    assert facts(server, claim) == {
        "roles": [
            (name, "f", "t", "f", "-1", ""),
            (f"{name}_a", "t", "f", "f", "100", f"{{role={name}}}"),
            (f"{name}_b", "f", "f", "f", "100", f"{{role={name}}}"),
        ],
        "databases": [("operator", "104", "t", "C", "UTF8")],
    }
    assert log_in(claim, credentials, "SELECT current_user, session_user").stdout == f"{name}\x1f{name}_a\n"


async def test_only_the_claim_s_roles_may_connect(make: Any, server: PostgresServer, claim: Claim) -> None:
    """Not everybody, as PostgreSQL has it by itself, and nobody may make schemas or temporary tables."""
    await make(claim)
    granted = server.sql(
        "SELECT COALESCE(r.rolname, 'public'), a.privilege_type FROM pg_database d, aclexplode(d.datacl) a "
        f"LEFT JOIN pg_roles r ON r.oid = a.grantee WHERE d.datname = '{claim.schema}' AND a.grantee <> d.datdba"
    )
    names = (claim.user, f"{claim.user}_a", f"{claim.user}_b")
    assert sorted(granted) == sorted((name, "CONNECT") for name in names)


async def test_what_a_login_makes_belongs_to_the_owner(
    make: Any, log_in: Any, server: PostgresServer, claim: Claim
) -> None:
    """So that the other login has it, too; a login that sets its owner aside may make nothing."""
    credentials = await make(claim)
    made = log_in(claim, credentials, "CREATE TABLE kine (id int)")
    assert made.returncode == 0, made.stderr
    owners = server.sql("SELECT tableowner FROM pg_tables WHERE tablename = 'kine'", database=claim.schema)
    assert owners == [(claim.user,)]
    assert "permission denied" in log_in(claim, credentials, "SET ROLE NONE; CREATE TABLE mine (id int)").stderr


async def test_making_twice_changes_nothing(make: Any, session: Session, server: PostgresServer, claim: Claim) -> None:
    """Both halves may be repeated with the same credentials."""
    credentials = await make(claim)
    before = facts(server, claim)
    await session.reserve(claim)
    await session.ensure(claim, credentials)
    assert facts(server, claim) == before
    assert await session.check(claim) is None


async def test_a_reservation_lets_nobody_in(session: Session, server: PostgresServer, claim: Claim) -> None:
    """The owner is recorded on all three roles before there is any way in."""
    await session.reserve(claim)
    found = facts(server, claim)
    assert [role[1] for role in found["roles"]] == ["f", "f", "f"]
    assert found["databases"] == []
    comments = server.sql(
        f"SELECT shobj_description(oid, 'pg_authid') FROM pg_roles WHERE rolname ~ '^{claim.user}(_[ab])?$'"
    )
    assert len(comments) == 3
    assert all(claim.tenant_uid in comment for (comment,) in comments)


async def test_many_are_made_at_once(make: Any, make_claim: Callable[..., Claim], session: Session) -> None:
    """As many as the operator has workers; none is in another's way."""
    claims = [make_claim() for _ in range(8)]
    await asyncio.gather(*(make(claim) for claim in claims))
    assert [await session.check(claim) for claim in claims] == [None] * len(claims)


async def test_the_same_claim_made_at_once_by_three_is_made_once(
    issue: Any, open_session: Any, store: StoreView, claim: Claim
) -> None:
    """Operators of which one has just lost the lead."""
    sessions = [open_session(store) for _ in range(3)]
    credentials = issue(claim)

    async def one(session: Session) -> None:
        await session.reserve(claim)
        await session.ensure(claim, credentials)

    await asyncio.gather(*(one(session) for session in sessions))
    assert await sessions[0].check(claim) is None


async def test_the_connection_limit_holds(make: Any, log_in: Any, server: PostgresServer, claim: Claim) -> None:
    """A tenant cannot raise it and is refused beyond it."""
    credentials = await make(claim)
    raised = log_in(claim, credentials, "ALTER ROLE SESSION_USER CONNECTION LIMIT 1000")
    assert "permission denied" in raised.stderr or "must be" in raised.stderr
    server.sql(f"ALTER ROLE {claim.user}_a CONNECTION LIMIT 0")
    assert f'too many connections for role "{claim.user}_a"' in log_in(claim, credentials).stderr


async def test_a_changed_limit_is_found_and_set(
    make: Any, open_session: Any, make_store: Any, server: PostgresServer, claim: Claim
) -> None:
    """Only the DataStore changed: nothing of the credentials, so `check` is what tells of it."""
    credentials = await make(claim)
    session = open_session(make_store(server, config={"connectionLimit": 7}))
    drift = await session.check(claim)
    assert drift is not None
    assert drift.what == "connection limit"
    assert "7 connections of spec.config.connectionLimit" in drift.sentence
    await session.ensure(claim, credentials)
    assert await session.check(claim) is None
    assert facts(server, claim)["databases"][0][1] == "11"


@pytest.mark.parametrize("user", ["", "{}", "{}_c", "somebody"])
async def test_another_s_credentials_are_refused(session: Session, claim: Claim, user: str) -> None:
    """The owner itself is no login either."""
    await session.reserve(claim)
    credentials = Credentials(user=user.format(claim.user), password="x" * 43)
    with pytest.raises(StoreError, match="not those of the user") as caught:
        await session.ensure(claim, credentials)
    assert (caught.value.kind, caught.value.retry) == (ProbeKind.AUTH, False)


async def test_a_database_that_was_begun_is_finished(
    session: Session, issue: Any, log_in: Any, server: PostgresServer, claim: Claim
) -> None:
    """An operator that ended between making the database and opening it leaves one that nobody can enter."""
    await session.reserve(claim)
    server.sql(f"CREATE DATABASE {claim.schema} OWNER operator ALLOW_CONNECTIONS false")
    credentials = issue(claim)
    await session.ensure(claim, credentials)
    assert await session.check(claim) is None
    assert log_in(claim, credentials).returncode == 0


async def test_the_password_is_in_no_log(make: Any, own_server: PostgresServer, make_store: Any, driver: Any) -> None:
    """Even a server that logs every statement sees a verifier, which lets nobody in."""
    own_server.sql("ALTER SYSTEM SET log_statement = 'all'; SELECT pg_reload_conf()")
    store = make_store(own_server)
    claim = Claim(tenant_uid="uid", namespace="tenants", name="one", schema="one", user="one")
    session = driver.open(store)
    try:
        await session.reserve(claim)
        credentials = driver.issue(store, claim, current=None, now=None)
        await session.ensure(claim, credentials)
    finally:
        await session.aclose()
    log = own_server.log.read_text()
    assert "ALTER ROLE one_a LOGIN PASSWORD 'SCRAM-SHA-256$" in log
    assert credentials.password not in log
