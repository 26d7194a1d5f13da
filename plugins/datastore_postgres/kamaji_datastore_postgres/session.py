"""The driver's other half: an open PostgreSQL, where claims are made to exist, lose their access and are removed.

A session holds nothing but its connections: every method reads what is there, so it may be repeated, cancelled or
continued by another process at any point. What concerns roles is read and written under one lock in one transaction;
a database can be made only outside of one, so it is made closed, by a tenant whose roles are recorded already, and
opened when it is right.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING

import asyncpg

from kamaji_core.contracts import Claim, Credentials, Drift, Probe, ProbeKind, Session, StoreError, Usage
from kamaji_datastore_postgres import changes, ownership
from kamaji_datastore_postgres.access import Access, access_of
from kamaji_datastore_postgres.catalog import Found, databases_with, find, records
from kamaji_datastore_postgres.connections import STATEMENT_LIMIT, Connections, transaction
from kamaji_datastore_postgres.drift import drift_of, half_dropped
from kamaji_datastore_postgres.errors import DependentObjectsError, TimedOutError
from kamaji_datastore_postgres.inside import inner_changes, measure
from kamaji_datastore_postgres.names import NameRefusedError, check_names, logins_of
from kamaji_datastore_postgres.probe import look
from kamaji_datastore_postgres.records import recorded_claims
from kamaji_datastore_postgres.scram import verifier
from kamaji_datastore_postgres.settings import config_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from kamaji_core.contracts import StoreView
    from kamaji_datastore_postgres.changes import Statement
    from kamaji_datastore_postgres.connections import Connection

PROBE_LIMIT = 5.0
READ_LIMIT = 20.0
WRITE_LIMIT = 20.0
REMOVE_LIMIT = 60.0
"""Seconds that one call of a session's method may take; making a database copies one, removing it deletes files."""

_LOCK = "SELECT pg_catalog.pg_advisory_xact_lock(7019265140862)"
"""Whoever makes or removes roles of tenants at this store waits for the others; the number is any."""

_TERMINATE = """
SELECT pg_catalog.count(pg_catalog.pg_terminate_backend(a.pid)) FROM pg_catalog.pg_stat_activity a
WHERE a.usename::text = ANY ($1::text[])
"""

_QUOTE = """
SELECT pg_catalog.string_agg(pg_catalog.format(s.told ->> 0, VARIADIC ARRAY(
       SELECT v.value FROM pg_catalog.jsonb_array_elements_text(s.told -> 1) WITH ORDINALITY v (value, place)
       ORDER BY v.place)), '; ' ORDER BY s.place)
FROM pg_catalog.jsonb_array_elements($1::pg_catalog.jsonb) WITH ORDINALITY s (told, place)
"""

_TERMINATION_POLL = 0.05


class WrongCredentialsError(StoreError):
    """The credentials are another user's, or have no password."""

    def __init__(self, claim: Claim) -> None:
        super().__init__(
            f"The credentials are not those of the user {claim.user!r}: delete their Secret so that new ones are made.",
            kind=ProbeKind.AUTH,
            retry=False,
        )


class BrokenDatabaseError(StoreError):
    """The claim's database was left half dropped, which nobody but a person may decide about."""

    def __init__(self, claim: Claim) -> None:
        super().__init__(half_dropped(claim.schema), kind=ProbeKind.PERMISSION, retry=False)


def open_session(store: StoreView) -> PostgresSession:
    """Prepare a session; the first call connects.

    Args:
        store: with settings that were found good.
    """
    return PostgresSession(access_of(store), connection_limit=config_of(store).connection_limit)


class PostgresSession(Session):
    """An open PostgreSQL, shared by all its tenants.

    Args:
        access: how to connect.
        connection_limit: connections of each tenant's login.
    """

    def __init__(self, access: Access, *, connection_limit: int) -> None:
        self._access = access
        self._connections = Connections(access)
        self._limit = connection_limit

    async def probe(self) -> Probe:
        """Log in for real and tell whether tenants can be served; never raises `StoreError`."""
        return await look(self._connections, self._access, limit=PROBE_LIMIT)

    async def reserve(self, claim: Claim) -> None:
        """Make the claim's roles with the owner's record on them; nobody can log in as one of them yet.

        Raises:
            StoreError: also when the schema or user belongs to another tenant or to nobody known.
        """
        self._check_names(claim)
        async with (
            self._within(WRITE_LIMIT),
            self._connections.maintenance() as connection,
            transaction(connection),
        ):
            found = await self._own(connection, claim)
            await _run(connection, changes.reserving(claim, found, limit=self._limit))

    async def ensure(self, claim: Claim, credentials: Credentials) -> None:
        """Make the claim's database and roles exist with exactly its rights, and let the given login in.

        Logins that worked before go on to work until `settle`.

        Raises:
            StoreError: also when the schema or user belongs to another tenant or to nobody known.
        """
        self._check_names(claim)
        if credentials.user not in logins_of(claim.user) or not credentials.password:
            raise WrongCredentialsError(claim)
        admission = changes.admitting(credentials.user, verifier(credentials.password))
        async with self._within(WRITE_LIMIT):
            async with self._connections.maintenance() as connection:
                async with transaction(connection):
                    found = await self._own(connection, claim)
                    await _run(connection, (*changes.role_changes(claim, found, limit=self._limit), admission))
                if found.database is None:
                    await self._create_database(connection, claim)
                async with transaction(connection):
                    found = await self._own(connection, claim)
                    if found.database is not None and found.database.is_broken:
                        raise BrokenDatabaseError(claim)
                    await _run(connection, changes.database_changes(claim, found, limit=self._limit))
            async with self._connections.database(claim.schema) as connection:
                await _run(connection, await inner_changes(connection, claim))

    async def settle(self, claim: Claim, credentials: Credentials) -> None:
        """Lock every login of the claim but the given one, and end the connections of the others.

        Raises:
            StoreError: also when the credentials are not the claim's.
        """
        if credentials.user not in logins_of(claim.user):
            raise WrongCredentialsError(claim)
        await self._lock(claim, but=credentials.user)

    async def revoke(self, claim: Claim) -> None:
        """Lock all of the tenant's logins and end their connections; its data stays."""
        await self._lock(claim)

    async def remove(self, claim: Claim) -> None:
        """Remove database and roles; what is not the tenant's stays, and that is no error.

        Access goes before the data, and the owner's record last.
        """
        async with self._within(REMOVE_LIMIT):
            async with self._connections.maintenance() as connection:
                found = await self._lock_out(connection, claim)
                if found is None:
                    return
                if found.database is not None:
                    await connection.execute(f"SET statement_timeout = '{REMOVE_LIMIT:.0f}s'")
                    await _run(connection, (changes.dropping(claim),), limit=REMOVE_LIMIT)
                    await connection.execute(f"SET statement_timeout = '{STATEMENT_LIMIT:.0f}s'")
            try:
                await self._remove_roles(claim)
            except DependentObjectsError:
                # The tenant made something in a database where everybody may.
                await self._remove_elsewhere(claim)
                await self._remove_roles(claim)

    async def check(self, claim: Claim) -> Drift | None:
        """Compare records, roles, rights and limits with the claim; writes nothing.

        Raises:
            StoreError: when PostgreSQL cannot be asked or the names can be no claim's.
        """
        self._check_names(claim)
        async with self._within(READ_LIMIT):
            async with self._connections.maintenance() as connection:
                found = await find(connection, claim)
            drift = drift_of(claim, found, limit=self._limit)
            if drift is not None or found.database is None:
                return drift
            async with self._connections.database(claim.schema) as connection:
                inner = await inner_changes(connection, claim)
        return drift_of(claim, found, limit=self._limit, inner=inner)

    async def usage(self, claim: Claim) -> Usage:
        """Estimate the claim's keys and bytes from PostgreSQL's own statistics; nothing where there is no database.

        Raises:
            StoreError: when PostgreSQL cannot be asked or the names can be no claim's.
        """
        self._check_names(claim)
        async with self._within(READ_LIMIT):
            async with self._connections.maintenance() as connection:
                found = await find(connection, claim)
            ownership.refuse_strangers(claim, found)
            if found.database is None or not found.database.open:
                return Usage(keys=0, bytes=0, exact=True)
            async with self._connections.database(claim.schema) as connection:
                return await measure(connection)

    async def claims(self) -> Sequence[Claim]:
        """List all claims that have an owner's record.

        Tenants of Kamaji that were never taken over have no record and are not listed.
        """
        async with self._within(READ_LIMIT), self._connections.maintenance() as connection:
            return recorded_claims(await records(connection))

    async def aclose(self) -> None:
        """End all connections; calls in flight fail."""
        await self._connections.aclose()

    def _check_names(self, claim: Claim) -> None:
        check_names(claim, login=self._access.login, database=self._access.database)

    async def _own(self, connection: Connection, claim: Claim) -> Found:
        """Read what is there, under the lock, and refuse what is somebody else's."""
        await connection.execute(_LOCK)
        found = await find(connection, claim)
        ownership.refuse_strangers(claim, found)
        return found

    async def _create_database(self, connection: Connection, claim: Claim) -> None:
        try:
            await _run(connection, (changes.creating(claim, limit=self._limit),))
        except (asyncpg.DuplicateDatabaseError, asyncpg.UniqueViolationError):
            # Somebody was faster, or an earlier call that was given up went on at the server: a look tells whose it is.
            return

    async def _remove_roles(self, claim: Claim) -> None:
        async with self._connections.maintenance() as connection, transaction(connection):
            await connection.execute(_LOCK)
            found = await find(connection, claim)
            if found.database is None and ownership.may_remove(claim, found):
                await _run(connection, changes.removing(claim, found))

    async def _remove_elsewhere(self, claim: Claim) -> None:
        """Remove what the claim's roles own, and their rights, in all databases but the operator's own."""
        async with self._connections.maintenance() as connection:
            found = await find(connection, claim)
            if not ownership.may_remove(claim, found):
                return
            databases = await databases_with(connection, tuple(found.roles))
        for database in databases:
            async with self._connections.database(database) as connection:
                await _run(connection, changes.disowning(found))

    async def _lock(self, claim: Claim, *, but: str = "") -> None:
        async with self._within(WRITE_LIMIT), self._connections.maintenance() as connection:
            await self._lock_out(connection, claim, but=but)

    async def _lock_out(self, connection: Connection, claim: Claim, *, but: str = "") -> Found | None:
        """Lock the claim's roles and end their connections; None when there is nothing of the claim's."""
        try:
            self._check_names(claim)
        except NameRefusedError:
            return None  # such a claim was never made
        async with transaction(connection):
            await connection.execute(_LOCK)
            found = await find(connection, claim)
            if not ownership.may_remove(claim, found):
                return None
            await _run(connection, (*changes.joining(found), *changes.locking(found, but=but)))
        names = [name for name in found.roles if name != but]
        while await connection.fetchval(_TERMINATE, names):  # noqa: ASYNC110 - the server tells nobody when one ends
            await asyncio.sleep(_TERMINATION_POLL)
        return found

    @contextlib.asynccontextmanager
    async def _within(self, seconds: float) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(seconds):
                yield
        except TimeoutError as error:
            raise TimedOutError(endpoint=self._connections.named) from error


async def _run(connection: Connection, statements: Sequence[Statement], *, limit: float | None = None) -> None:
    """Have the server quote the statements, then run them together."""
    if statements:
        told = json.dumps([[statement.template, statement.values] for statement in statements])
        await connection.execute(await connection.fetchval(_QUOTE, told), timeout=limit)
