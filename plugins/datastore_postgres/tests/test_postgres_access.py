"""A tenant's access: its own database and nothing else, ended at once when it is taken away, renewed without a gap."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from kamaji_core.pki import tls_context
from kamaji_core.testing import until

if TYPE_CHECKING:
    from kamaji_core.contracts import Claim, Credentials, Session
    from kamaji_core.testing import PostgresServer

pytestmark = pytest.mark.real


async def connect(server: PostgresServer, claim: Claim, credentials: Credentials) -> Any:
    """A connection that a pod keeps."""
    return await asyncpg.connect(
        host="127.0.0.1",
        port=server.port,
        user=credentials.user,
        password=credentials.password,
        database=claim.schema,
        ssl=tls_context(server.ca.certificate),
        timeout=10,
    )


async def is_ended(connection: Any) -> bool:
    """Whether the server ended it."""
    try:
        await connection.fetchval("SELECT 1", timeout=5)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
        return True
    return False


async def test_renewal_leaves_no_gap(
    make: Any, issue: Any, session: Session, server: PostgresServer, claim: Claim
) -> None:
    """Both logins work until the earlier one is settled; then its connections end and the new one's go on."""
    first = await make(claim)
    old = await connect(server, claim, first)
    await old.execute("CREATE TABLE kine (id int)")
    second = issue(claim, first, renew=True)
    assert (first.user, second.user) == (f"{claim.user}_a", f"{claim.user}_b")
    await session.ensure(claim, second)
    new = await connect(server, claim, second)
    await old.execute("INSERT INTO kine VALUES (1)")
    await new.execute("INSERT INTO kine VALUES (2)")
    await (await connect(server, claim, first)).close()
    await session.settle(claim, second)
    assert await is_ended(old)
    assert await new.fetchval("SELECT count(*) FROM kine") == 2
    with pytest.raises(asyncpg.InvalidPasswordError):
        await connect(server, claim, first)
    await new.close()
    third = issue(claim, second, renew=True)
    assert third.user == first.user
    assert third.password != first.password


async def test_revoking_ends_live_connections(
    make: Any, session: Session, server: PostgresServer, claim: Claim, make_claim: Any
) -> None:
    """The tenant's, and nobody else's."""
    other = make_claim()
    mine, theirs = await make(claim), await make(other)
    live, bystander = await connect(server, claim, mine), await connect(server, other, theirs)
    await session.revoke(claim)
    await until(lambda: is_ended(live), "the connection to end", seconds=10)
    with pytest.raises(asyncpg.InvalidPasswordError):
        await connect(server, claim, mine)
    assert not await is_ended(bystander)
    await bystander.close()
    await session.ensure(claim, mine)
    await (await connect(server, claim, mine)).close()


async def test_a_busy_connection_is_ended_too(
    make: Any, session: Session, server: PostgresServer, claim: Claim
) -> None:
    """One that holds a transaction with locks does not hold the operator up."""
    live = await connect(server, claim, await make(claim))
    await live.execute("CREATE TABLE kine (id int)")
    await live.execute("BEGIN; LOCK TABLE kine")
    await session.revoke(claim)
    assert await is_ended(live)


async def test_the_operator_s_own_login_changes_alone(
    make: Any, open_session: Any, make_store: Any, driver: Any, server: PostgresServer, make_operator: Any, claim: Claim
) -> None:
    """Another role that is a member of the first serves the same tenants; their credentials stay, byte for byte."""
    from kamaji_core.contracts import BasicAuth  # noqa: PLC0415 - used here alone

    credentials = await make(claim)
    make_operator(server, "successor")
    server.sql("GRANT operator TO successor")
    store = make_store(server)
    renamed = make_store(server, basic_auth=BasicAuth(username="successor", password=store.basic_auth.password))
    assert driver.issue(renamed, claim, current=credentials, now=None) is credentials
    session = open_session(renamed)
    await session.ensure(claim, credentials)
    assert await session.check(claim) is None
    live = await connect(server, claim, credentials)
    await session.revoke(claim)
    assert await is_ended(live)
    await session.remove(claim)
    assert server.sql(f"SELECT count(*) FROM pg_roles WHERE rolname LIKE '{claim.user}%'") == [("0",)]


@pytest.mark.parametrize("database", ["postgres", "template1", "template0", "other"])
async def test_other_databases_are_closed(make: Any, log_in: Any, claim: Claim, make_claim: Any, database: str) -> None:
    """A tenant enters its own alone."""
    other = make_claim()
    await make(other)
    credentials = await make(claim)
    stderr = log_in(claim, credentials, database=other.schema if database == "other" else database).stderr
    assert "permission denied" in stderr or "not currently accepting" in stderr
