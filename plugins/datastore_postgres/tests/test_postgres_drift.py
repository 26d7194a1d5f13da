"""What somebody changed behind the driver's back is told in a sentence, gravest first, and mended by `ensure`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kamaji_core.contracts import ProbeKind, StoreError

if TYPE_CHECKING:
    from kamaji_core.contracts import Claim, Session
    from kamaji_core.testing import PostgresServer

pytestmark = pytest.mark.real

CHANGES = {
    "COMMENT ON ROLE {user} IS NULL": "owner",
    "COMMENT ON DATABASE {schema} IS NULL": "owner",
    "REVOKE CONNECT ON DATABASE {schema} FROM {user}_b; DROP ROLE {user}_b": "user",
    "REVOKE {user} FROM {user}_a": "user",
    "ALTER ROLE {user}_a RESET role": "user",
    "ALTER DATABASE {schema} ALLOW_CONNECTIONS false": "database",
    "ALTER ROLE {user}_a NOLOGIN": "login",
    "ALTER ROLE {user} CREATEDB": "rights",
    "ALTER ROLE {user}_a CREATEROLE": "rights",
    "ALTER ROLE {user}_a INHERIT": "rights",
    "GRANT {user} TO stranger": "rights",
    "GRANT CONNECT ON DATABASE {schema} TO PUBLIC": "rights",
    "GRANT TEMPORARY ON DATABASE {schema} TO {user}": "rights",
    "GRANT CONNECT ON DATABASE {schema} TO stranger": "rights",
    "REVOKE CONNECT ON DATABASE {schema} FROM {user}_a": "rights",
    "ALTER DATABASE {schema} OWNER TO {user}": "rights",
    "ALTER ROLE {user}_a CONNECTION LIMIT -1": "connection limit",
    "ALTER DATABASE {schema} CONNECTION LIMIT -1": "connection limit",
}


@pytest.fixture(scope="module", autouse=True)
def stranger(server: PostgresServer) -> None:
    """A role that is nobody's."""
    server.sql("CREATE ROLE stranger LOGIN")


@pytest.mark.parametrize(("change", "what"), CHANGES.items())
async def test_a_change_is_told_and_mended(
    make: Any, log_in: Any, session: Session, server: PostgresServer, claim: Claim, change: str, what: str
) -> None:
    """Looking mends nothing; `ensure` does, and the tenant is served as before."""
    credentials = await make(claim)
    # From version 16 on, memberships can be ended by whoever granted them alone.
    by = "operator" if change.startswith(("REVOKE {user}", "GRANT {user}")) else "postgres"
    server.sql(change.format(user=claim.user, schema=claim.schema), user=by)
    for _ in range(2):
        drift = await session.check(claim)
        assert drift is not None
        assert drift.what == what, drift.sentence
        assert drift.sentence.endswith(".")
    await session.ensure(claim, credentials)
    assert await session.check(claim) is None
    assert log_in(claim, credentials, "CREATE TABLE kine (id int)").returncode == 0


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ("REVOKE ALL ON SCHEMA public FROM {user}", "rights"),
        ("DROP SCHEMA public CASCADE", "database"),
        ("CREATE TABLE kine (id int); ALTER TABLE kine OWNER TO operator", "rights"),
    ],
)
async def test_a_change_inside_is_told_and_mended(
    make: Any, log_in: Any, session: Session, server: PostgresServer, claim: Claim, change: str, what: str
) -> None:
    """The schema that kine's table is in, and the table's owner."""
    credentials = await make(claim)
    server.sql(change.format(user=claim.user), database=claim.schema)
    drift = await session.check(claim)
    assert drift is not None
    assert drift.what == what, drift.sentence
    await session.ensure(claim, credentials)
    assert await session.check(claim) is None
    assert log_in(claim, credentials, "CREATE TABLE IF NOT EXISTS kine (id int)").returncode == 0


async def test_what_the_operator_may_not_mend_is_said(
    make: Any, session: Session, server: PostgresServer, claim: Claim
) -> None:
    """From version 16 on, CREATEROLE does not suffice to take away what a superuser granted: `ensure` says so."""
    credentials = await make(claim)
    server.sql(f"GRANT pg_read_all_data TO {claim.user}")
    drift = await session.check(claim)
    assert drift is not None
    assert drift.what == "rights"
    assert "or by whoever granted them" in drift.sentence
    ((version,),) = server.sql("SHOW server_version_num")
    if int(version) < 160000:
        await session.ensure(claim, credentials)
        assert await session.check(claim) is None
        return
    with pytest.raises(StoreError, match="pg_read_all_data") as caught:
        await session.ensure(claim, credentials)
    assert caught.value.kind is ProbeKind.PERMISSION


async def test_a_database_that_is_gone_is_the_user_s_to_know(
    make: Any, session: Session, server: PostgresServer, claim: Claim
) -> None:
    """An empty one takes its place only when `ensure` is called; the sentence speaks of the backup."""
    await make(claim)
    server.sql(f"DROP DATABASE {claim.schema}")
    drift = await session.check(claim)
    assert drift is not None
    assert drift.what == "database"
    assert "backup" in drift.sentence


async def test_another_owner_is_the_gravest(make: Any, session: Session, server: PostgresServer, claim: Claim) -> None:
    """It is told before anything else that differs."""
    await make(claim)
    server.sql(f"""COMMENT ON ROLE {claim.user} IS 'for the reports'; ALTER ROLE {claim.user} CREATEDB""")
    drift = await session.check(claim)
    assert drift is not None
    assert drift.what == "owner"
