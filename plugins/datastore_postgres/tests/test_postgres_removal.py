"""Removal leaves nothing, takes nothing that is somebody else's, and ends however it was interrupted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from kamaji_core.contracts import Claim, Session
    from kamaji_core.testing import PostgresServer

pytestmark = pytest.mark.real


def left(server: PostgresServer, claim: Claim) -> list[tuple[str, ...]]:
    """What there is of a claim."""
    return server.sql(
        f"SELECT datname FROM pg_database WHERE datname = '{claim.schema}' UNION ALL "
        f"SELECT rolname FROM pg_roles WHERE rolname ~ '^{claim.user}(_[ab])?$'"
    )


async def test_nothing_is_left(make: Any, log_in: Any, session: Session, server: PostgresServer, claim: Claim) -> None:
    """Database, roles and records go, with data in it; once more is no error."""
    credentials = await make(claim)
    log_in(claim, credentials, "CREATE TABLE kine (id int); INSERT INTO kine SELECT generate_series(1, 1000)")
    await session.remove(claim)
    assert left(server, claim) == []
    await session.remove(claim)


async def test_what_was_reserved_alone_is_removed(session: Session, server: PostgresServer, claim: Claim) -> None:
    """There is no database yet."""
    await session.reserve(claim)
    await session.remove(claim)
    assert left(server, claim) == []


@pytest.mark.parametrize("step", ["no database", "no logins", "closed"])
async def test_what_is_half_removed_is_removed(
    make: Any, session: Session, server: PostgresServer, claim: Claim, step: str
) -> None:
    """An operator that ended in the middle is followed by one that goes on."""
    await make(claim)
    if step == "closed":
        server.sql(f"ALTER DATABASE {claim.schema} ALLOW_CONNECTIONS false")
    else:
        server.sql(f"DROP DATABASE {claim.schema}")
    if step == "no logins":
        server.sql(f"DROP ROLE {claim.user}_a; DROP ROLE {claim.user}_b")
    await session.remove(claim)
    assert left(server, claim) == []


async def test_another_s_is_left_alone(
    make: Any, session: Session, server: PostgresServer, claim: Claim, make_claim: Any
) -> None:
    """A claim that names another tenant's things removes nothing of them, and that is no error."""
    credentials = await make(claim)
    for intruder in (make_claim(schema=claim.schema), make_claim(user=claim.user), make_claim(user=f"{claim.user}_a")):
        await session.revoke(intruder)
        await session.remove(intruder)
    assert len(left(server, claim)) == 4
    assert await session.check(claim) is None
    assert credentials.password


async def test_what_a_tenant_left_elsewhere_goes_too(
    make: Any, log_in: Any, session: Session, server: PostgresServer, claim: Claim
) -> None:
    """Where everybody may connect, a tenant may have left something, which must not hold its removal up."""
    credentials = await make(claim)
    server.sql("CREATE DATABASE lobby; GRANT CREATE ON DATABASE lobby TO PUBLIC")
    try:
        made = log_in(claim, credentials, f"SET ROLE {claim.user}; SELECT lo_create(0)", database="lobby")
        assert made.returncode == 0, made.stderr
        await session.remove(claim)
        assert left(server, claim) == []
    finally:
        server.sql("DROP DATABASE lobby")


async def test_connected_pods_do_not_hold_it_up(
    make: Any, session: Session, server: PostgresServer, claim: Claim
) -> None:
    """Access goes first, so that nothing is written into what is being removed."""
    import asyncpg  # noqa: PLC0415 - used here alone

    from kamaji_core.pki import tls_context  # noqa: PLC0415 - as above

    credentials = await make(claim)
    live = await asyncpg.connect(
        host="127.0.0.1",
        port=server.port,
        user=credentials.user,
        password=credentials.password,
        database=claim.schema,
        ssl=tls_context(server.ca.certificate),
    )
    await session.remove(claim)
    assert left(server, claim) == []
    live.terminate()
