"""A few connections to one store, never more, none of them trusted after a failure.

asyncpg's own pool gives a connection back by asking the server to reset it, so a server that has fallen silent can
hold it, and a cancelled statement opens a connection of its own to cancel it. Here a connection is used again only when
its caller ended well, and is thrown away at once, without a word to the server, in every other case: nothing waits, and
the server ends what it was doing by the time limit that each session carries.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import TYPE_CHECKING, Any

import asyncpg

from kamaji_core.pki import tls_context
from kamaji_datastore_postgres.access import endpoint_text
from kamaji_datastore_postgres.errors import PostgresError, StandbyError, UnavailableError, error_for

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from kamaji_datastore_postgres.access import Access

    Connection = asyncpg.Connection[Any]

CONNECTIONS = 4
"""Connections that a session has at most, idle ones among them; the core asks at most so much at once of a store."""

PROBES = 3
"""Connections beside these for probes, whose time limit counts while they wait for their turn."""

CONNECT_LIMIT = 4.0
"""Seconds for all servers together to take a connection and the login, so that silent ones leave time for the last."""

CONNECT_LEAST = 1.0
"""Seconds that each of many servers has all the same."""

IDLE_SECONDS = 15.0
"""A connection that nobody used for so long is asked first: networks forget connections without a word."""

ANSWER_LIMIT = 1.0
CLOSE_LIMIT = 1.0

STATEMENT_LIMIT = 15.0
"""Seconds that the server works on one statement; it ends by itself what nobody waits for any more."""

LOCK_LIMIT = 10.0

# A tenant may make functions and operators in its own database: nothing there is found by a bare name.
_SESSION = (
    "SET search_path = pg_catalog, pg_temp; SET application_name = 'kamaji'; SET bytea_output = hex; "
    "SET statement_timeout = {statement}; SET lock_timeout = {lock}; "
    "SET idle_in_transaction_session_timeout = {statement}; SET default_transaction_isolation = 'read committed'"
)


class Connections:
    """The connections to one store; `aclose` ends them.

    Args:
        access: how to connect.
    """

    def __init__(self, access: Access) -> None:
        self._access = access
        self._tls = _context(access)
        self._places = asyncio.Semaphore(CONNECTIONS)
        self._probe_places = asyncio.Semaphore(PROBES)
        self._idle: list[tuple[Connection, float]] = []
        self._open: set[Connection] = set()
        self._first = 0
        self._closed = False

    @property
    def named(self) -> str:
        """The servers, for sentences."""
        return self._access.named

    @contextlib.asynccontextmanager
    async def maintenance(self) -> AsyncIterator[Connection]:
        """Lend a connection to the operator's own database.

        Raises:
            PostgresError: for whatever fails, here or in the caller's block.
        """
        async with self._places:
            with self._told():
                connection = await self._take() or await self._connect(self._access.database)
                async with self._used(connection):
                    yield connection
                self._keep(connection)

    @contextlib.asynccontextmanager
    async def database(self, name: str) -> AsyncIterator[Connection]:
        """Lend a connection to a tenant's database; it ends with the block.

        Raises:
            PostgresError: for whatever fails, here or in the caller's block.
        """
        async with self._places, self._lent_once(name) as connection:
            yield connection

    @contextlib.asynccontextmanager
    async def login(self) -> AsyncIterator[Connection]:
        """Log in anew at the operator's own database; the connection ends with the block.

        It waits for no other caller, so that a store which only works hard is not taken for a silent one.

        Raises:
            PostgresError: for whatever fails, here or in the caller's block.
        """
        async with self._probe_places, self._lent_once(self._access.database) as connection:
            yield connection

    async def aclose(self) -> None:
        """End all connections; what still runs fails."""
        self._closed = True
        for connection in tuple(self._open):
            self._drop(connection)
        self._idle.clear()

    async def _take(self) -> Connection | None:
        while self._idle:
            connection, since = self._idle.pop()
            if not connection.is_closed() and (_now() - since < IDLE_SECONDS or await self._answers(connection)):
                return connection
            self._drop(connection)
        return None

    async def _answers(self, connection: Connection) -> bool:
        try:
            async with self._used(connection), asyncio.timeout(ANSWER_LIMIT):
                await connection.execute("SELECT 1")
        except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError):
            return False
        return True

    def _keep(self, connection: Connection) -> None:
        if self._closed or connection.is_closed() or connection.is_in_transaction():
            self._drop(connection)
        else:
            self._idle.append((connection, _now()))

    def _drop(self, connection: Connection) -> None:
        self._open.discard(connection)
        connection.terminate()

    async def _end(self, connection: Connection) -> None:
        # With a word to the server, so that it is gone from there when the next one comes.
        try:
            await connection.close(timeout=CLOSE_LIMIT)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError):
            return  # the work is done; that its connection broke meanwhile is of no importance
        finally:
            self._drop(connection)

    @contextlib.asynccontextmanager
    async def _lent_once(self, database: str) -> AsyncIterator[Connection]:
        with self._told():
            connection = await self._connect(database)
            async with self._used(connection):
                yield connection
            await self._end(connection)

    @contextlib.asynccontextmanager
    async def _used(self, connection: Connection) -> AsyncIterator[None]:
        try:
            yield
        except BaseException:
            self._drop(connection)
            raise

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError) as error:
            host, port = self._access.endpoints[self._first]
            raise error_for(error, endpoint=endpoint_text(host, port)) from None

    async def _connect(self, database: str) -> Connection:
        """Connect to the first server that takes writes, beginning with the one that did last."""
        if self._closed:
            raise UnavailableError(endpoint=self.named, detail="the session is closed")
        endpoints = self._access.endpoints
        failures: list[PostgresError] = []
        for number in range(len(endpoints)):
            index = (self._first + number) % len(endpoints)
            host, port = endpoints[index]
            try:
                connection = await self._log_in(host, port, database)
            except PostgresError as error:
                failures.append(error)
            else:
                self._first = index
                return connection
        raise _gravest(failures)

    async def _log_in(self, host: str, port: int, database: str) -> Connection:
        endpoint = endpoint_text(host, port)
        try:
            async with asyncio.timeout(max(CONNECT_LIMIT / len(self._access.endpoints), CONNECT_LEAST)):
                connection: Connection = await asyncpg.connect(
                    host=host,
                    port=port,
                    user=self._access.login,
                    password=self._access.password,
                    database=database,
                    ssl=self._tls or "disable",
                    timeout=CONNECT_LIMIT,
                    command_timeout=STATEMENT_LIMIT,
                    statement_cache_size=0,
                )
                self._open.add(connection)
                try:
                    await self._begin(connection, endpoint)
                except BaseException:
                    self._drop(connection)
                    raise
        except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError) as error:
            raise error_for(error, endpoint=endpoint) from None
        return connection

    async def _begin(self, connection: Connection, endpoint: str) -> None:
        milliseconds = {"statement": int(STATEMENT_LIMIT * 1000), "lock": int(LOCK_LIMIT * 1000)}
        await connection.execute(_SESSION.format(**milliseconds))
        if await connection.fetchval("SELECT pg_catalog.pg_is_in_recovery()"):
            raise StandbyError(endpoint=endpoint)
        if self._closed:
            raise UnavailableError(endpoint=endpoint, detail="the session is closed")


@contextlib.asynccontextmanager
async def transaction(connection: Connection) -> AsyncIterator[None]:
    """Do all or nothing on a lent connection.

    The library's own transaction asks the server to undo what failed or was cancelled, and a silent server would hold
    the caller. Here nothing is said: the connection is thrown away in these cases, and that undoes it.
    """
    await connection.execute("BEGIN")
    yield
    await connection.execute("COMMIT")


def _now() -> float:
    return asyncio.get_running_loop().time()


def _gravest(failures: list[PostgresError]) -> PostgresError:
    """Choose what to tell when no server took the connection: an answer tells more than silence does."""
    return next((error for error in failures if not isinstance(error, UnavailableError)), failures[0])


def _context(access: Access) -> ssl.SSLContext | None:
    if access.protection == "disable":
        return None
    if access.protection == "require":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # what the mode says; the probe says it, too
        return context
    tls = access.tls
    context = tls_context(tls.ca_certificate, certificate=tls.client_certificate, key=tls.client_key)
    context.check_hostname = access.protection == "verify-full"
    return context
