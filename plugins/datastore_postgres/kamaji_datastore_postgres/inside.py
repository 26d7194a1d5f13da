"""What is inside of a tenant's database, as far as the operator looks: the schema's rights and kine's table.

A tenant may put anything there: a view instead of the table, functions under the names of PostgreSQL's own. The
operator has rights that the tenant must not borrow, so it reads the catalogs alone and never runs or reads what a
tenant made. `ANALYZE`, which the server itself shields against that, is the one exception.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kamaji_core.contracts import Usage
from kamaji_datastore_postgres.changes import Statement

if TYPE_CHECKING:
    from kamaji_core.contracts import Claim
    from kamaji_datastore_postgres.connections import Connection

_STATE = """
SELECT n.oid IS NOT NULL AS exists,
       n.oid IS NOT NULL AND pg_catalog.has_schema_privilege($1, n.oid, 'CREATE')
           AND pg_catalog.has_schema_privilege($1, n.oid, 'USAGE') AS usable,
       (SELECT pg_catalog.pg_get_userbyid(c.relowner)::text FROM pg_catalog.pg_class c
        WHERE c.relnamespace = n.oid AND c.relname = 'kine' AND c.relkind = 'r') AS owner
FROM (SELECT (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = 'public') AS oid) n
"""

_TABLE = """
SELECT c.reltuples::float8 AS rows, c.relpages AS known_pages,
       pg_catalog.pg_relation_size(c.oid) / pg_catalog.current_setting('block_size')::int AS pages,
       COALESCE(pg_catalog.pg_relation_size(NULLIF(c.reltoastrelid, 0)), 0) AS toast,
       COALESCE(pg_catalog.pg_stat_get_mod_since_analyze(c.oid), 0) AS changed
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'public' AND c.relname = 'kine' AND c.relkind = 'r'
"""

_STATISTICS = """
SELECT a.attname::text AS name, a.avg_width AS width, a.n_distinct::float8 AS distinct
FROM pg_catalog.pg_stats a
WHERE a.schemaname = 'public' AND a.tablename = 'kine' AND NOT a.inherited AND a.attname::text IN ('name', 'value')
"""

_STALE_SHARE = 0.1
"""Part of the rows or pages that may have changed before the statistics are made anew."""

_SMALL_PAGES = 64
"""Tables up to here are looked at each time: it takes two milliseconds, and they change most."""

_VARIABLE_HEADER = 4


async def inner_changes(connection: Connection, claim: Claim) -> tuple[Statement, ...]:
    """Tell what makes the inside of the claim's database as it should be."""
    (state,) = await connection.fetch(_STATE, claim.user)
    statements = []
    if not state["exists"]:
        statements.append(Statement(what="database", template="CREATE SCHEMA public", values=()))
    if not state["usable"]:
        template = "GRANT USAGE, CREATE ON SCHEMA public TO %I"
        statements.append(Statement(what="rights", template=template, values=(claim.user,)))
    if state["owner"] not in {None, claim.user}:
        template = "ALTER TABLE public.kine OWNER TO %I"
        statements.append(Statement(what="rights", template=template, values=(claim.user,)))
    return tuple(statements)


async def measure(connection: Connection) -> Usage:
    """Estimate kine's keys and their bytes from the planner's statistics, which a sample of the rows gives.

    The cost is that of one `ANALYZE` (30,000 rows at most) when much has changed since the last, else nothing.
    """
    table = await connection.fetchrow(_TABLE)
    if table is None or table["pages"] == 0:
        return Usage(keys=0, bytes=0, exact=False)
    if _is_stale(table):
        await connection.execute("ANALYZE public.kine (name, value)")
        table = await connection.fetchrow(_TABLE) or table
    columns = {row["name"]: row for row in await connection.fetch(_STATISTICS)}
    if set(columns) != {"name", "value"} or table["rows"] < 1:
        return Usage(keys=0, bytes=0, exact=False)
    rows, distinct = table["rows"], columns["name"]["distinct"]
    keys = min(rows, distinct if distinct >= 0 else -distinct * rows)
    inline = sum(max(0, column["width"] - _VARIABLE_HEADER) for column in columns.values())
    # Long values lie beside the table, present and earlier ones alike: half of each row's are the present.
    beside = table["toast"] / 2 / rows
    return Usage(keys=round(keys), bytes=round(keys * (inline + beside)), exact=False)


def _is_stale(table: Any) -> bool:
    if table["rows"] < 0 or table["pages"] <= _SMALL_PAGES:
        return True
    grown = abs(table["pages"] - table["known_pages"]) > _STALE_SHARE * table["pages"]
    return bool(grown or table["changed"] > _STALE_SHARE * table["rows"])
