"""Whose a schema and a user are: recorded at the store, asked before anything is made, never guessed from names."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import TYPE_CHECKING, Any

import pytest

from kamaji_core.contracts import Claim, ProbeKind, Session, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from kamaji_core.contracts import StoreView
    from kamaji_core.testing import PostgresServer

pytestmark = pytest.mark.real


async def refused(session: Session, claim: Claim) -> str:
    """The sentence with which a claim is refused for good."""
    with pytest.raises(StoreError) as caught:
        await session.reserve(claim)
    assert (caught.value.kind, caught.value.retry) == (ProbeKind.PERMISSION, False)
    return str(caught.value)


async def test_another_s_schema_is_refused(make: Any, session: Session, claim: Claim, make_claim: Any) -> None:
    """The sentence says whose it is and what to do, also while the owner has only reserved it."""
    await session.reserve(claim)
    intruder = make_claim(schema=claim.schema)
    assert f"belongs to the TenantControlPlane tenants/{claim.name}" in await refused(session, intruder)
    await make(claim)
    sentence = await refused(session, intruder)
    assert f"belongs to the TenantControlPlane tenants/{claim.name} (UID {claim.tenant_uid})" in sentence
    assert "spec.dataStoreSchema" in sentence


async def test_another_s_user_is_refused(make: Any, session: Session, claim: Claim, make_claim: Any) -> None:
    """So are the names of its logins, and a name whose logins would be its owner."""
    await make(claim)
    for user in (claim.user, f"{claim.user}_a", f"{claim.user}_b"):
        assert "belongs to the TenantControlPlane" in await refused(session, make_claim(user=user))
    outer = make_claim(user=f"x{claim.name}_a")
    await session.reserve(outer)
    assert "belongs to the TenantControlPlane" in await refused(session, make_claim(user=f"x{claim.name}"))


async def test_one_tenant_keeps_its_names(make: Any, session: Session, claim: Claim) -> None:
    """A second schema or user for the same tenant is refused, naming those that it has."""
    await make(claim)
    for change in ({"schema": "elsewhere"}, {"user": "somebody-else"}):
        other = dataclasses.replace(claim, **change)
        if "schema" in change:
            assert f"recorded for this tenant with the schema {claim.schema!r}" in await refused(session, other)
        else:
            assert f"the user {claim.user!r}" in await refused(session, other)


async def test_two_at_once_want_one_schema(
    open_session: Any, store: StoreView, make_claim: Callable[..., Claim]
) -> None:
    """Exactly one gets it, however close they come."""
    first = make_claim()
    claims = [first, *(make_claim(schema=first.schema) for _ in range(3))]
    sessions = [open_session(store) for _ in claims]
    outcomes = await asyncio.gather(
        *(session.reserve(claim) for session, claim in zip(sessions, claims, strict=True)), return_exceptions=True
    )
    assert sum(outcome is None for outcome in outcomes) == 1
    assert all(outcome is None or isinstance(outcome, StoreError) for outcome in outcomes)


@pytest.mark.parametrize("recorded", [False, True])
async def test_a_stranger_s_database_is_refused(
    session: Session, server: PostgresServer, make_claim: Any, *, recorded: bool
) -> None:
    """It was made for something else, whatever a tenant's status says."""
    claim = make_claim(recorded=recorded)
    server.sql(f"CREATE DATABASE {claim.schema}")
    sentence = await refused(session, claim)
    assert "was not made for a tenant: choose another spec.dataStoreSchema" in sentence
    await session.remove(claim)
    assert server.sql(f"SELECT count(*) FROM pg_database WHERE datname = '{claim.schema}'") == [("1",)]


@pytest.mark.parametrize("attributes", ["LOGIN SUPERUSER", "LOGIN CREATEROLE", "NOLOGIN", "LOGIN IN ROLE pg_monitor"])
async def test_a_stranger_s_role_is_refused(
    session: Session, server: PostgresServer, make_claim: Any, attributes: str
) -> None:
    """What Kamaji would not have made so is nobody's to take, and stays."""
    claim = make_claim(recorded=True)
    server.sql(f"CREATE ROLE {claim.user} {attributes}")
    assert "was not made for a tenant: choose another spec.dataStoreUsername" in await refused(session, claim)
    await session.revoke(claim)
    await session.remove(claim)
    assert server.sql(f"SELECT count(*) FROM pg_roles WHERE rolname = '{claim.user}'") == [("1",)]


async def test_a_comment_of_somebody_is_no_record(session: Session, server: PostgresServer, claim: Claim) -> None:
    """A role that an administrator described belongs to the administrator."""
    server.sql(f"CREATE ROLE {claim.user} LOGIN; COMMENT ON ROLE {claim.user} IS 'for the reports'")
    assert "its owner is not recorded" in await refused(session, dataclasses.replace(claim, recorded=True))


async def test_a_tenant_cannot_write_records(make: Any, log_in: Any, claim: Claim) -> None:
    """Comments on roles and databases are for those who may make roles."""
    credentials = await make(claim)
    for thing in (f"ROLE {claim.user}", f"ROLE {claim.user}_a", f"DATABASE {claim.schema}"):
        outcome = log_in(claim, credentials, f"COMMENT ON {thing} IS 'mine'")
        assert "ERROR:  must" in outcome.stderr or "permission denied" in outcome.stderr, thing


def lay(server: PostgresServer, claim: Claim) -> None:
    """Make a tenant as Kamaji does: one role that logs in and owns its database and kine's table."""
    for statement in (
        f"CREATE ROLE {claim.user} LOGIN PASSWORD 'of-kamaji'",
        f"GRANT {claim.user} TO operator",  # what Kamaji's own login needs for the last of these
        f"CREATE DATABASE {claim.schema}",
        f"GRANT CONNECT, CREATE ON DATABASE {claim.schema} TO {claim.user}",
        f"ALTER DATABASE {claim.schema} OWNER TO {claim.user}",
    ):
        server.sql(statement, user="operator")
    server.sql("CREATE TABLE kine (id int); INSERT INTO kine VALUES (1)", database=claim.schema, user=claim.user)


async def test_kamaji_s_tenant_is_taken_over(
    session: Session, issue: Any, log_in: Any, server: PostgresServer, make_claim: Any
) -> None:
    """Its data stays, its pods run on with Kamaji's login until they are replaced, then that login is locked."""
    claim = make_claim(recorded=True)
    lay(server, claim)
    await session.reserve(claim)
    credentials = issue(claim)
    await session.ensure(claim, credentials)
    kamajis = dataclasses.replace(credentials, user=claim.user, password="of-kamaji")
    for login in (kamajis, credentials):
        assert log_in(claim, login, "INSERT INTO kine VALUES (2); SELECT count(*) FROM kine").returncode == 0
    assert await session.check(claim) is None
    await session.settle(claim, credentials)
    assert "authentication failed" in log_in(claim, kamajis).stderr
    assert log_in(claim, credentials, "SELECT count(*) FROM kine").stdout == "3\n"
    assert await session.check(claim) is None


async def test_kamaji_s_tenant_is_not_taken_on_a_name_alone(
    session: Session, server: PostgresServer, make_claim: Any
) -> None:
    """Anybody may write any name into a specification; the status tells, or nobody."""
    claim = make_claim()
    lay(server, claim)
    sentence = await refused(session, claim)
    assert "status.storage.setup does not name it" in sentence
    await session.remove(claim)
    assert server.sql("SELECT count(*) FROM kine", database=claim.schema) == [("1",)]


async def test_claims_are_told_from_the_records(make: Any, session: Session, make_claim: Any) -> None:
    """Each once, with all that identifies it; a role that merely carries a copy proves nothing."""
    claim = make_claim()
    await make(claim)
    found = [one for one in await session.claims() if one.tenant_uid == claim.tenant_uid]
    assert found == [claim]
