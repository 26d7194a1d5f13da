"""What each test of the kit works with: sessions through a door, claims with names of their own, and their secrets.

A desk is made anew for each test, closes what the test opened and remembers every secret that was issued, so that a
test ends by looking whether one of them was logged.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import itertools
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
import structlog.testing

from kamaji_core.contracts import Claim, StoreError
from kamaji_core.testing.datastore.gate import Gate, GateMode
from kamaji_core.testing.datastore.under_test import Feature
from kamaji_core.testing.waiting import connections_gone, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Iterable, Iterator

    from kamaji_core.contracts import Credentials, DatastoreDriver, ProbeKind, Session, StoreView
    from kamaji_core.testing.datastore.under_test import StoreUnderTest, TenantClient

PROMPT_SECONDS = 20.0
"""What an answer of a healthy store may take on a loaded machine."""

SECRET_LINE = 24
"""Characters of a line of a key that count as the key itself."""

_numbers = itertools.count(1)


class Desk:
    """One test's sessions, claims and clients.

    Args:
        server: the store under test.

    Attributes:
        driver: of the store.
        gate: the door before the server, None where there is no server.
        store: the DataStore, through the door.
        secrets: what must be seen nowhere.
    """

    def __init__(self, server: StoreUnderTest, gate: Gate | None) -> None:
        self.server = server
        self.driver: DatastoreDriver = server.driver()
        self.gate = gate
        self.store: StoreView = server.store(endpoints=(gate.endpoint,) if gate else ())
        self.secrets: set[bytes] = set()
        self.closing = contextlib.AsyncExitStack()
        self._keep_secrets(_secrets_of_store(self.store))
        self._session: Session | None = None

    @property
    def session(self) -> Session:
        """The session that most tests need only one of."""
        if self._session is None:
            self._session = self.open()
        return self._session

    @property
    def door(self) -> Gate:
        """The door, in tests that were skipped where there is none."""
        assert self.gate is not None
        return self.gate

    def needs(self, *features: Feature | ProbeKind) -> None:
        """Skip the test, with the author's reason, when the store cannot do one of these."""
        for feature in features:
            if feature in self.server.CANNOT:
                pytest.skip(f"{feature}: {self.server.CANNOT[feature]}")

    def can(self, feature: Feature | ProbeKind) -> bool:
        """Whether the store can do this."""
        return feature not in self.server.CANNOT

    def open(self, store: StoreView | None = None) -> Session:
        """Open a session, through the door unless a DataStore is given; it is closed with the test."""
        session = self.driver.open(store or self.store)
        self.closing.push_async_callback(session.aclose)
        return session

    def claim(self, **fields: Any) -> Claim:
        """Make a claim whose names no other test uses, where none are given."""
        number = next(_numbers)
        claim = Claim(
            tenant_uid=f"uid-kit-{number}",
            namespace="kit",
            name=f"tenant{number}",
            schema=f"kit{number}s",
            user=f"kit{number}u",
        )
        return dataclasses.replace(claim, **fields)

    def issue(self, claim: Claim, *, current: Credentials | None = None, renew: bool = False) -> Credentials:
        """Issue credentials now."""
        issued = self.driver.issue(self.store, claim, current=current, now=datetime.now(UTC), renew=renew)
        self._keep_secrets(self.server.secrets_of(issued))
        return issued

    async def make(self, claim: Claim | None = None, session: Session | None = None) -> tuple[Claim, Credentials]:
        """Make a tenant's share as the operator does: owner, credentials, share."""
        claim = claim or self.claim()
        session = session or self.session
        await session.reserve(claim)
        credentials = self.issue(claim)
        await session.ensure(claim, credentials)
        return claim, credentials

    async def log_in(self, claim: Claim, credentials: Credentials) -> TenantClient:
        """Log in as the tenant; the client leaves with the test."""
        client = await self.server.log_in(claim, credentials)
        self.closing.push_async_callback(client.aclose)
        return client

    async def holds(self, claim: Claim) -> tuple[str, ...]:
        """What the store holds of a claim."""
        return tuple(await self.server.leftovers(claim))

    async def no_connections(self) -> None:
        """Wait until nobody is connected through the door."""
        if self.gate is not None:
            gate = self.gate
            await until(lambda: gate.connections == 0, "the driver's last connection to end", seconds=10)

    def _keep_secrets(self, secrets: Iterable[bytes]) -> None:
        for secret in secrets:
            lines = [line for line in secret.splitlines() if len(line) >= SECRET_LINE and not line.startswith(b"-----")]
            self.secrets |= set(lines or [secret.strip()]) - {b""}

    def seen_in(self, content: bytes | str) -> bool:
        """Whether one of the secrets stands there."""
        content = content.encode(errors="backslashreplace") if isinstance(content, str) else content
        return any(secret in content for secret in self.secrets)


def _secrets_of_store(store: StoreView) -> Iterator[bytes]:
    if store.tls is not None:
        yield from (store.tls.ca_key, store.tls.client_key)
    if store.basic_auth is not None:
        yield store.basic_auth.password.encode()


@contextlib.asynccontextmanager
async def at_desk(server: StoreUnderTest) -> AsyncIterator[Desk]:
    """Give a desk, and close everything afterwards whatever the test made of it."""
    with contextlib.ExitStack() as stack:
        gate = None
        if Feature.SERVER not in server.CANNOT:
            gate = stack.enter_context(Gate(server.store().endpoints[0]))
        desk = Desk(server, gate)
        async with desk.closing:
            yield desk
        if gate is not None:
            gate.set(GateMode.OPEN)  # so that what was ended can say goodbye
        await connections_gone()


def a_sentence(error: BaseException | str) -> str:
    """The words of an error or a probe, which must be sentences for a user: whole, short and on one line."""
    words = str(error)
    assert words, "there is no sentence"
    assert words == words.strip(), words
    assert words.endswith("."), f"a sentence ends with a full stop: {words}"
    assert "\n" not in words, f"a sentence is one line: {words!r}"
    assert len(words) < 1500, f"a sentence is short enough for a condition: {len(words)} characters"
    assert "Traceback" not in words
    return words


async def refused(call: Awaitable[Any], *, for_good: bool = True) -> str:
    """Await a call that must be refused by the driver, and give its sentence."""
    try:
        async with asyncio.timeout(PROMPT_SECONDS):
            await call
    except StoreError as error:
        assert error.retry is not for_good, f"retry should be {not for_good}: {error}"
        return a_sentence(error)
    raise AssertionError("the call was not refused")


@contextlib.contextmanager
def all_logs(*, level: int = logging.INFO) -> Iterator[list[str]]:
    """Collect what is logged meanwhile, by logging from this level on and by structlog, tracebacks included."""
    seen: list[str] = []

    class _Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(f"{self.format(record)} {record.args!r}")

    handler, root = _Keep(level=level), logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(min(level, before))
    try:
        with structlog.testing.capture_logs() as events:
            yield seen
        seen += [repr(event) for event in events]
    finally:
        root.removeHandler(handler)
        root.setLevel(before)
