"""Whatever a tenant calls its schema and user, it reaches its own database and nobody else's.

A seeded list of hostile names goes through the driver: each is refused before anything is made, or its tenant logs in
and tries its neighbours. Names that are refused go through a second time with the rule about names taken away, to see
that the server's quoting alone holds. The first hundred run always, all ten thousand with `KAMAJI_EXPLORE=1`.
"""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import logging
import os
import random
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from kamaji_core.pki import tls_context
from kamaji_datastore_postgres import session as session_module
from kamaji_datastore_postgres.names import NameRefusedError, check_names, logins_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kamaji_core.contracts import Claim, Credentials, Session, StoreView
    from kamaji_core.testing.postgres import PostgresServer

pytestmark = pytest.mark.real

SEED = 20240805
NAMES = 10_000
ALWAYS = 100
AT_ONCE = 8
"""Claims made at the same time: as many as the operator's workers."""

TOGETHER = 40
"""Tenants that are there at the same time: an empty database takes 7 MB."""

FRAGMENTS = (
    "'", '"', "`", "''", '""', "\\", "\\'", "$$", "$1", "; DROP DATABASE postgres; --", "' OR '1'='1", '" SUPERUSER --',
    "%I", "%L", "%s", "%%", "%1$s", "{0}", "E'", 'U&"', "/*", "*/", "--", "a; b", "\u2019", "\u201d", "\uff07",
    "$(id)", "|", "../", "/", "?", "#", "&", "=", "@", ":", ",", " ", "  ", "+", "*", "(", ")", "[", "]", "{", "}",
    "postgres", "template1", "public", "pg_", "PG_", "operator", "Operator", "root", "all", "none", "_a", "_b", "_a_a",
    "a", "A", "0", "-", "_", "kine", "kamaji", "\u00e9", "e\u0301", "\u00df", "\u0131", "\u0130", "\u043e",
    "\u6f22", "\U0001f732", "\u202e", "\u200b", "\u00a0", "\ufeff", "\x00", "\x01", "\n", "\r\n", "\t", "\x1b[2J",
    "\x7f", "\u0085", "\ud800", "\uffff",
)  # fmt: skip
"""What names are put together from: quotes of SQL and shells, words that mean something, and letters' look-alikes."""

PLAIN = "abcdefghijklmnopqrstuvwxyz0123456789_-"

LENGTHS = (20, 21, 61, 62, 63, 64, 65, 126, 1000)
"""Characters of long names: about the limits, in bytes too, for letters of one to four bytes."""


def hostile_names() -> list[str]:
    """Ten thousand different names, the same with each run."""
    chance = random.Random(SEED)  # noqa: S311 - repeatable, protects nothing
    names = ["a", "a_a", "A", "a'", 'a"', "a\\", "a;", "%I", "a\x00", "\u6f22"]
    makers: tuple[Callable[[], str], ...] = (
        lambda: "".join(chance.choices(FRAGMENTS, k=chance.randint(1, 4))),
        lambda: "".join(chance.choices(PLAIN, k=chance.randint(1, 12))),
        lambda: chance.choice(names) + chance.choice(("_a", "_b", "a", "-", "0", "_")),
        lambda: chance.choice(names) + chance.choice(FRAGMENTS),
        lambda: chance.choice(("x", "\u00e9", "\u6f22", "\U0001f732")) * chance.choice(LENGTHS),
        lambda: chance.choice(names).swapcase(),
        lambda: "".join(chr(chance.randint(0x20, 0x2FFFF)) for _ in range(chance.randint(1, 12))),
    )
    seen = set(names)
    while len(names) < NAMES:
        name = chance.choice(makers)()
        if name not in seen:
            seen.add(name)
            names.append(name)
    return names


def wanted() -> list[str]:
    """The names of this run."""
    return hostile_names()[: NAMES if os.environ.get("KAMAJI_EXPLORE") else ALWAYS]


def is_accepted(claim: Claim) -> bool:
    """Whether the driver takes a claim's names."""
    try:
        check_names(claim, login="operator", database="postgres")
    except NameRefusedError:
        return False
    return True


async def in_batches(calls: Sequence[Any]) -> list[Any]:
    """Await all, a few at a time."""
    limit = asyncio.Semaphore(AT_ONCE)

    async def one(call: Any) -> Any:
        async with limit:
            return await call

    return list(await asyncio.gather(*(one(call) for call in calls)))


def test_the_list_is_hostile_and_the_same_every_time() -> None:
    """It holds names that must pass and names that must not, of each kind that matters, in every run's part."""
    names = hostile_names()
    assert names == hostile_names()
    assert len(set(names)) == NAMES
    always = names[:ALWAYS]
    for characters in ("'\"`", "%$", "\\", ";", "\x00\x01\n\t", "\u6f22\u00e9", "ABC"):
        assert any(set(name) & set(characters) for name in always), characters
    assert any(len(name) > 63 for name in always)
    assert any(other == f"{one}_a" for one in always for other in always)


class Intruder:
    """One tenant's login, which is sent whatever there is to try."""

    def __init__(self, server: PostgresServer, credentials: Credentials) -> None:
        self._server = server
        self._credentials = credentials
        self._tls = tls_context(server.ca.certificate)

    async def connect(self, database: str) -> asyncpg.Connection[asyncpg.Record]:
        """Log in at a database."""
        return await asyncpg.connect(
            host="127.0.0.1",
            port=self._server.port,
            user=self._credentials.user,
            password=self._credentials.password,
            database=database,
            ssl=self._tls,
            statement_cache_size=0,
            timeout=20,
        )


def quoted(name: str) -> str:
    """The names that come this far hold no quote."""
    return f'"{name}"'


def attempts(own: Claim, others: Sequence[Claim]) -> list[str]:
    """What a tenant tries in its own database: to become others, to change what is theirs, to have more rights."""
    me, schema = quoted(logins_of(own.user)[0]), quoted(own.schema)
    tried = [
        *(f"ALTER ROLE {me} {power}" for power in ("SUPERUSER", "CREATEDB", "CREATEROLE", "REPLICATION", "BYPASSRLS")),
        f"ALTER ROLE {me} CONNECTION LIMIT -1",
        f"ALTER DATABASE {schema} CONNECTION LIMIT -1",
        f"ALTER DATABASE {schema} OWNER TO {quoted(own.user)}",
        f"GRANT CONNECT ON DATABASE {schema} TO PUBLIC",
        f"COMMENT ON ROLE {me} IS 'mine'",
        f"COMMENT ON ROLE {quoted(own.user)} IS 'mine'",
        f"COMMENT ON DATABASE {schema} IS 'mine'",
        "CREATE ROLE another",
        "CREATE DATABASE another",
        'SET ROLE "operator"',
        'SET ROLE "postgres"',
        'SET SESSION AUTHORIZATION "postgres"',
        'GRANT "operator" TO CURRENT_USER',
        "GRANT pg_read_all_data TO CURRENT_USER",
        "SELECT rolpassword FROM pg_authid",
        "SELECT pg_read_file('postgresql.conf')",
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "CREATE EXTENSION dblink",
    ]
    for other in others:
        user, database = quoted(other.user), quoted(other.schema)
        for role in (user, *(quoted(login) for login in logins_of(other.user))):
            tried += [
                f"SET ROLE {role}",
                f"SET SESSION AUTHORIZATION {role}",
                f"GRANT {role} TO CURRENT_USER",
                f"GRANT {role} TO {me}",
                f"ALTER ROLE {role} LOGIN PASSWORD 'known'",
                f"ALTER ROLE {role} RENAME TO another",
                f"COMMENT ON ROLE {role} IS 'mine'",
                f"DROP ROLE {role}",
            ]
        tried += [
            f"ALTER DATABASE {database} OWNER TO {me}",
            f"GRANT CONNECT ON DATABASE {database} TO {me}",
            f"DROP DATABASE {database}",
        ]
    own_rows = "usename = session_user"
    return [*tried, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE NOT {own_rows}"]


async def leaks_of(intruder: Intruder, own: Claim, others: Sequence[Claim]) -> tuple[int, list[str]]:
    """How much was tried, and what of it the server did."""
    leaks, tried = [], 0
    for database in (*(other.schema for other in others), "postgres", "template1"):
        tried += 1
        try:
            connection = await intruder.connect(database)
        except asyncpg.PostgresError:
            continue
        leaks.append(f"connected to {database!r}")
        await connection.close()
    connection = await intruder.connect(own.schema)
    for statement in attempts(own, others):
        tried += 1
        try:
            await connection.execute(statement)
        except asyncpg.PostgresError:
            continue
        # Granting what one has not is a warning, no error: what came of it is seen in the catalogs afterwards.
        if not statement.startswith("GRANT CONNECT"):
            leaks.append(statement)
    await connection.close()
    return tried, leaks


@pytest.fixture
async def place(
    own_server: PostgresServer, make_store: Callable[..., StoreView], open_session: Any
) -> tuple[PostgresServer, StoreView, Session]:
    """A store that nobody else uses."""
    store = make_store(own_server)
    return own_server, store, open_session(store)


def inventory(server: PostgresServer) -> tuple[set[str], set[str]]:
    """All roles and all databases but PostgreSQL's own."""
    roles = server.sql(
        "SELECT rolname FROM pg_roles WHERE rolname !~ '^pg_' AND rolname NOT IN ('postgres', 'operator')"
    )
    databases = server.sql(
        "SELECT datname FROM pg_database WHERE datname NOT IN ('template0', 'template1', 'postgres')"
    )
    return {row[0] for row in roles}, {row[0] for row in databases}


def claims_of(names: Sequence[str], make_claim: Callable[..., Claim]) -> list[Claim]:
    """Each name as a schema and a user, the first ones with other names beside them too; every role but once."""
    claims = [make_claim(schema=name, user=name) for name in names]
    claims += [make_claim(schema=name) for name in names[:ALWAYS]] + [make_claim(user=name) for name in names[:ALWAYS]]
    taken: set[str] = set()
    schemas: set[str] = set()
    kept = []
    for claim in claims:
        roles = {claim.user, *logins_of(claim.user)}
        if not is_accepted(claim) or (claim.schema not in schemas and not roles & taken):
            kept.append(claim)
        if is_accepted(claim):
            taken |= roles
            schemas.add(claim.schema)
    return kept


@pytest.mark.timeout(5400)
async def test_hostile_names_reach_nothing_but_their_own(
    place: Any, make_claim: Callable[..., Claim], issue: Any
) -> None:
    """Refused names leave no trace; accepted ones are denied everything of their neighbours' and of the store's."""
    server, store, session = place
    claims = claims_of(wanted(), make_claim)
    accepted = [claim for claim in claims if is_accepted(claim)]
    refused = [claim for claim in claims if not is_accepted(claim)]
    for claim in refused:
        with pytest.raises(NameRefusedError):
            await session.reserve(claim)
        with pytest.raises(NameRefusedError):
            issue(claim, store=store)
    assert inventory(server) == (set(), set())
    tried, leaks = 0, []
    ordered = sorted(accepted, key=lambda claim: claim.user)  # who begins alike is there at the same time
    for start in range(0, len(ordered), TOGETHER):
        batch = ordered[start : start + TOGETHER]
        told = await _round(server, store, session, batch, issue)
        tried, leaks = tried + told[0], leaks + told[1]
    logging.getLogger(__name__).info(
        "%d accepted, %d refused, %d attempts, %d leaks", len(accepted), len(refused), tried, len(leaks)
    )
    assert leaks == []
    assert len(accepted) > 5  # enough to be each other's neighbours


async def _round(
    server: PostgresServer, store: StoreView, session: Session, batch: Sequence[Claim], issue: Any
) -> tuple[int, list[str]]:
    """Make some tenants, let each try its neighbours, see that nothing has changed, and remove them."""
    issued = {claim.user: issue(claim, store=store) for claim in batch}

    async def make(claim: Claim) -> None:
        await session.reserve(claim)
        await session.ensure(claim, issued[claim.user])

    await in_batches([make(claim) for claim in batch])
    results = []
    for number, claim in enumerate(batch):
        near = {(number + 1) % len(batch), (number * 7 + 3) % len(batch)} - {number}
        others = [batch[index] for index in sorted(near)]
        results.append(leaks_of(Intruder(server, issued[claim.user]), claim, others))
    told = await in_batches(results)
    leaks = [f"{claim.user}: {leak}" for claim, (_, found) in zip(batch, told, strict=True) for leak in found]
    drifts = await in_batches([session.check(claim) for claim in batch])
    leaks += [f"{claim.user}: {drift.sentence}" for claim, drift in zip(batch, drifts, strict=True) if drift]
    roles = {role for claim in batch for role in (claim.user, *logins_of(claim.user))}
    assert inventory(server) == (roles, {claim.schema for claim in batch})
    assert {claim.schema for claim in await session.claims()} == {claim.schema for claim in batch}
    await in_batches([session.remove(claim) for claim in batch])
    assert inventory(server) == (set(), set())
    return sum(count for count, _ in told), leaks


@pytest.mark.timeout(5400)
async def test_the_server_s_quoting_holds_without_the_rule_about_names(
    place: Any, make_claim: Callable[..., Claim], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any text that can be a role's name becomes exactly that role with exactly that record, and goes again."""
    server, _, session = place
    monkeypatch.setattr(session_module, "check_names", lambda *_, **__: None)
    texts = [name for name in wanted() if _can_be_a_role(name)]
    assert len(texts) > ALWAYS / 3
    for start in range(0, len(texts), TOGETHER):
        claims = [make_claim(schema=f"{text}s", user=text) for text in _apart(texts[start : start + TOGETHER])]
        await in_batches([session.reserve(claim) for claim in claims])
        found = {claim.user: claim for claim in await session.claims()}
        assert found == {claim.user: dataclasses.replace(claim, recorded=False) for claim in claims}
        await in_batches([session.remove(claim) for claim in claims])
        assert inventory(server) == (set(), set())


def _can_be_a_role(name: str) -> bool:
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        return False
    own = name.startswith("pg_") or name in {"pg", "public", "none", "postgres", "operator"}
    return 0 < size <= 61 and "\0" not in name and not own


def _apart(names: Sequence[str]) -> list[str]:
    """Those whose logins are nobody else's."""
    taken: set[str] = set()
    kept = []
    for name in itertools.chain(names):
        roles = {name, *logins_of(name)}
        if not roles & taken:
            taken |= roles
            kept.append(name)
    return kept
