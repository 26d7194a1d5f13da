"""Servers that stop, fall silent or are slow, and callers that give up: each call ends in time and in order."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from typing import TYPE_CHECKING, Any

import pytest

from kamaji_core.contracts import Claim, ProbeKind, StoreError
from kamaji_core.testing.datastore import Gate, GateMode
from kamaji_datastore_postgres import connections as connections_module
from kamaji_datastore_postgres import session as session_module

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kamaji_core.contracts import StoreView
    from kamaji_core.testing.postgres import PostgresServer

pytestmark = pytest.mark.real

Open = Any


@pytest.fixture
def gate(store: StoreView) -> Iterator[Gate]:
    """A door before the shared server."""
    with Gate(store.endpoints[0]) as one:
        yield one


@pytest.fixture
def gated(store: StoreView, gate: Gate) -> StoreView:
    """The shared server through the door."""
    return dataclasses.replace(store, endpoints=(gate.endpoint,))


def sessions_of(server: PostgresServer) -> int:
    """How many connections of the operator the server has."""
    return int(server.sql("SELECT count(*) FROM pg_stat_activity WHERE usename = 'operator'")[0][0])


async def test_a_server_that_falls_silent_ends_each_call_by_its_limit(
    gated: StoreView, gate: Gate, open_session: Open, issue: Any, claim: Claim, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One sentence that names the server; and all goes on when it answers again."""
    for limit in ("READ_LIMIT", "WRITE_LIMIT", "REMOVE_LIMIT"):
        monkeypatch.setattr(session_module, limit, 0.5)
    session, credentials = open_session(gated), issue(claim)
    await session.claims()
    gate.set(GateMode.SILENT)
    calls = (
        session.reserve(claim),
        session.ensure(claim, credentials),
        session.settle(claim, credentials),
        session.check(claim),
        session.usage(claim),
        session.revoke(claim),
        session.remove(claim),
        session.claims(),
    )
    began = time.monotonic()
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert time.monotonic() - began < 2
    for result in results:
        assert isinstance(result, StoreError), result
        assert (result.kind, gate.endpoint in str(result)) == (ProbeKind.TIMEOUT, True)
    gate.set(GateMode.OPEN)
    monkeypatch.undo()
    await session.reserve(claim)


async def test_a_cancelled_call_ends_at_once_at_a_silent_server(
    gated: StoreView, gate: Gate, open_session: Open, issue: Any, claim: Claim
) -> None:
    """In the middle of a transaction too: nothing is asked of the server on the way out."""
    session, credentials = open_session(gated), issue(claim)
    await session.reserve(claim)
    gate.stop_after(4)
    call = asyncio.create_task(session.ensure(claim, credentials))
    async with asyncio.timeout(10):
        while not gate.reached:  # noqa: ASYNC110 - the door is in another thread
            await asyncio.sleep(0.01)
    call.cancel()
    began = time.monotonic()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert time.monotonic() - began < 0.5
    gate.set(GateMode.OPEN)
    await session.ensure(claim, credentials)
    assert await session.check(claim) is None


async def test_cancellation_anywhere_leaves_what_the_next_call_finishes(
    gated: StoreView, gate: Gate, open_session: Open, issue: Any, make_claim: Callable[..., Claim]
) -> None:
    """Cut off after any message that goes out, the claim is made whole by asking again."""
    session = open_session(gated)
    for step in range(1, 100, 9):
        claim = make_claim()
        credentials = issue(claim)
        await session.reserve(claim)
        gate.stop_after(step)
        call = asyncio.create_task(session.ensure(claim, credentials))
        async with asyncio.timeout(10):
            while not gate.reached and not call.done():  # noqa: ASYNC110 - the door is in another thread
                await asyncio.sleep(0.002)
        finished = call.done()
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        gate.set(GateMode.OPEN)
        await session.ensure(claim, credentials)
        assert await session.check(claim) is None
        await session.remove(claim)
        if finished:
            return
    pytest.fail("ensure sends more messages than this test cuts")


async def test_a_server_that_restarts_is_used_again(
    own_server: PostgresServer, make_store: Callable[..., StoreView], open_session: Open, claim: Claim
) -> None:
    """The connections that were kept are dead; a new one is made and the call succeeds."""
    session = open_session(make_store(own_server))
    await session.reserve(claim)
    own_server.stop()
    with pytest.raises(StoreError, match=own_server.endpoint) as caught:
        await session.check(claim)
    assert caught.value.kind is ProbeKind.REFUSED
    own_server.start()
    await session.reserve(claim)


async def test_a_connection_that_the_network_forgot_is_not_used(
    gated: StoreView, gate: Gate, open_session: Open, claim: Claim, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked after some idle time, it does not answer; another one is made."""
    monkeypatch.setattr(connections_module, "IDLE_SECONDS", 0.0)
    monkeypatch.setattr(connections_module, "ANSWER_LIMIT", 0.2)
    session = open_session(gated)
    await session.reserve(claim)
    gate.set(GateMode.SILENT)
    asked = asyncio.create_task(session.check(claim))
    await asyncio.sleep(0.1)
    gate.cut()
    gate.set(GateMode.OPEN)
    assert (await asked) is not None  # a reservation is no whole claim


async def test_few_connections_are_made_and_all_are_closed(
    own_server: PostgresServer,
    make_store: Callable[..., StoreView],
    driver: Any,
    make_claim: Callable[..., Claim],
) -> None:
    """However many calls there are at once."""
    session = driver.open(make_store(own_server))
    claims = [make_claim() for _ in range(24)]
    most = 0

    async def watch() -> None:
        nonlocal most
        while True:
            most = max(most, await asyncio.to_thread(sessions_of, own_server))

    watching = asyncio.create_task(watch())
    await asyncio.gather(*(session.reserve(claim) for claim in claims), *(session.claims() for _ in range(24)))
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    assert 1 <= most <= connections_module.CONNECTIONS
    await session.aclose()
    async with asyncio.timeout(10):
        while await asyncio.to_thread(sessions_of, own_server):  # noqa: ASYNC110 - as an administrator sees it
            await asyncio.sleep(0.02)


async def test_a_probe_does_not_wait_for_busy_connections(
    own_server: PostgresServer,
    make_store: Callable[..., StoreView],
    open_session: Open,
    make_claim: Callable[..., Claim],
) -> None:
    """A store that works on something long is no silent one."""
    session = open_session(make_store(own_server))
    held = asyncio.create_task(
        asyncio.to_thread(
            own_server.sql, "BEGIN; SELECT pg_advisory_xact_lock(7019265140862); SELECT pg_sleep(2); COMMIT"
        )
    )
    waiting = [asyncio.create_task(session.reserve(make_claim())) for _ in range(8)]
    async with asyncio.timeout(10):
        while sessions_of(own_server) < connections_module.CONNECTIONS:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.02)
    assert (await session.probe()).ok
    await asyncio.gather(held, *waiting)
