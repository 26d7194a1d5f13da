"""How much a tenant takes: near enough, at a bounded cost, and without running anything that a tenant made."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from kamaji_core.contracts import Claim, Session
    from kamaji_core.testing import PostgresServer

pytestmark = pytest.mark.real

TABLE = """
CREATE TABLE kine (id BIGSERIAL PRIMARY KEY, name text COLLATE "C", created INTEGER, deleted INTEGER,
                   create_revision BIGINT, prev_revision BIGINT, lease INTEGER, value bytea, old_value bytea);
"""

FILL = """
INSERT INTO kine (name, created, deleted, value, old_value)
SELECT '/registry/things/' || n % {keys}, 1, 0, convert_to(v, 'UTF8'), convert_to(v, 'UTF8')
FROM generate_series(1, {rows}) n, LATERAL (
    SELECT string_agg(md5(n::text || i::text), '') AS v FROM generate_series(1, {parts}) i) made;
"""
"""Values that cannot be compressed, 32 bytes times `parts` each."""


@pytest.mark.parametrize(
    ("rows", "keys", "parts"), [(50, 50, 30), (2000, 2000, 30), (2000, 400, 30), (40_000, 40_000, 10), (300, 300, 200)]
)
async def test_it_is_near_enough(
    make: Any, log_in: Any, session: Session, claim: Claim, rows: int, keys: int, parts: int
) -> None:
    """Few keys, many, several revisions of each, long values: within a tenth for keys and a third for bytes."""
    credentials = await make(claim)
    filled = log_in(claim, credentials, TABLE + FILL.format(rows=rows, keys=keys, parts=parts))
    assert filled.returncode == 0, filled.stderr
    usage = await session.usage(claim)
    expected = keys * (32 * parts + 20)
    assert usage.keys == pytest.approx(keys, rel=0.1)
    assert usage.bytes == pytest.approx(expected, rel=0.34)
    assert not usage.exact


async def test_an_empty_one_takes_nothing(make: Any, log_in: Any, session: Session, claim: Claim) -> None:
    """Without a database, without kine's table, with an empty one."""
    assert (await session.usage(claim)).keys == 0
    credentials = await make(claim)
    assert (await session.usage(claim)).keys == 0
    log_in(claim, credentials, TABLE)
    assert (await session.usage(claim)).bytes == 0


async def test_the_cost_is_bounded(make: Any, log_in: Any, session: Session, claim: Claim) -> None:
    """A second look at a large table reads no rows again."""
    credentials = await make(claim)
    log_in(claim, credentials, TABLE + FILL.format(rows=40_000, keys=40_000, parts=10))
    await session.usage(claim)
    before = time.process_time()
    usage = await session.usage(claim)
    assert usage.keys == pytest.approx(40_000, rel=0.1)
    assert time.process_time() - before < 0.5


TRAPS = {
    "view": "CREATE VIEW kine AS SELECT trap()::text AS name, ''::bytea AS value;",
    "index": TABLE + "CREATE INDEX ON kine (trap(name)); INSERT INTO kine (name, value) VALUES ('a', 'b');",
    "operator": TABLE
    + "CREATE OPERATOR = (LEFTARG = name, RIGHTARG = text, FUNCTION = trap_equal);"
    + "INSERT INTO kine (name, value) VALUES ('a', 'b');",
    "function": TABLE
    + "CREATE FUNCTION pg_relation_size(oid) RETURNS bigint LANGUAGE sql AS 'SELECT trap()::bigint';"
    + "INSERT INTO kine (name, value) VALUES ('a', 'b');",
}

TRAP = """
CREATE TABLE caught (who text);
CREATE FUNCTION trap() RETURNS int LANGUAGE plpgsql AS
  $$BEGIN IF current_user = 'operator' THEN INSERT INTO public.caught VALUES (current_user); END IF; RETURN 1; END$$;
CREATE FUNCTION trap(text) RETURNS int IMMUTABLE LANGUAGE plpgsql AS
  $$BEGIN IF current_user = 'operator' THEN RAISE EXCEPTION 'caught %', current_user; END IF; RETURN 1; END$$;
CREATE FUNCTION trap_equal(name, text) RETURNS bool LANGUAGE plpgsql AS
  $$BEGIN IF current_user = 'operator' THEN INSERT INTO public.caught VALUES (current_user); END IF;
    RETURN $1::text OPERATOR(pg_catalog.=) $2; END$$;
GRANT ALL ON caught TO PUBLIC;
"""


@pytest.mark.parametrize("trap", TRAPS)
async def test_nothing_of_a_tenant_is_run(
    make: Any, log_in: Any, session: Session, server: PostgresServer, claim: Claim, trap: str
) -> None:
    """A view, an index, an operator or a function of a tenant's never runs with the operator's rights."""
    credentials = await make(claim)
    laid = log_in(claim, credentials, TRAP + TRAPS[trap])
    assert laid.returncode == 0, laid.stderr
    await session.usage(claim)
    await session.check(claim)
    await session.ensure(claim, credentials)
    assert server.sql("SELECT * FROM caught", database=claim.schema) == []
