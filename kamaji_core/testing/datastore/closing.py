"""What a session costs, and its end: few connections, no blocked loop, and after `aclose` nothing.

A session is closed whenever its DataStore changes, also because the store cannot be reached any more.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest

from kamaji_core.contracts import Probe, StoreError
from kamaji_core.testing.datastore.blocking import never_blocked
from kamaji_core.testing.datastore.cancelling import FEW_CONNECTIONS, nothing_runs_on
from kamaji_core.testing.datastore.desk import a_sentence
from kamaji_core.testing.datastore.gate import GateMode
from kamaji_core.testing.datastore.steps import ASKING, STEPS, WRITING_STEPS, is_right, make_whole, must_fail, prepare
from kamaji_core.testing.datastore.under_test import Feature

if TYPE_CHECKING:
    from kamaji_core.contracts import Session
    from kamaji_core.testing.datastore.desk import Desk

CLOSE_SECONDS = 10.0
ROUNDS = 12


async def close(session: Session) -> None:
    """Close a session, which must end in time and raise nothing."""
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await session.aclose()
    except TimeoutError:
        raise AssertionError(f"aclose took longer than {CLOSE_SECONDS:.0f} s") from None
    except Exception as error:
        raise AssertionError(f"aclose raised {type(error).__name__}: {error}") from error


class Closing:
    """`Session.aclose`, and what a session may hold before it."""

    async def test_closing_ends_everything(self, desk: Desk) -> None:
        """No connection and no task outlives it; a second time changes nothing."""
        before = asyncio.all_tasks()
        session = desk.driver.open(desk.store)
        await desk.make(session=session)
        await close(session)
        await close(session)
        await nothing_runs_on(before)
        await desk.no_connections()

    async def test_closing_what_was_never_used(self, desk: Desk) -> None:
        """A session that did not connect is closed too."""
        session = desk.driver.open(desk.store)
        await close(session)
        await close(session)

    @pytest.mark.parametrize("mode", [GateMode.SHUT, GateMode.SILENT, GateMode.UNANSWERED], ids=lambda mode: mode.name)
    async def test_closing_without_the_server(self, desk: Desk, mode: GateMode) -> None:
        """A server that is gone, or takes no farewell, hinders nothing."""
        desk.needs(Feature.SERVER)
        before = asyncio.all_tasks()
        session = desk.driver.open(desk.store)
        assert (await session.probe()).ok
        desk.door.set(mode)
        await close(session)
        await nothing_runs_on(before)
        desk.door.set(GateMode.OPEN)
        await desk.no_connections()

    async def test_closing_ends_calls_in_flight(self, desk: Desk) -> None:
        """They end soon, with a sentence or with what they did, and their connections too."""
        desk.needs(Feature.SERVER)
        session = desk.driver.open(desk.store)
        case = await prepare(desk, "ensure", session)
        desk.door.set(GateMode.UNANSWERED)
        call = asyncio.create_task(case.call(session))
        await asyncio.sleep(0.05)
        await close(session)
        desk.door.set(GateMode.OPEN)
        done, _ = await asyncio.wait({call}, timeout=25)
        assert done, "a call goes on after its session was closed"
        error = None if call.cancelled() else call.exception()
        assert error is None or isinstance(error, StoreError), error
        await desk.no_connections()

    async def test_a_closed_session_says_so(self, desk: Desk) -> None:
        """A late call opens no new connection: it is told in a sentence, or answered where there is no server."""
        session = desk.driver.open(desk.store)
        case = await prepare(desk, "reserve", session)
        await close(session)
        if desk.can(Feature.SERVER):
            with pytest.raises(StoreError) as caught:
                await case.call(session)
            assert caught.value.retry
            a_sentence(caught.value)
            found = await session.probe()
            assert isinstance(found, Probe)
            assert not found.ok
        await desk.no_connections()

    async def test_closing_may_be_cancelled(self, desk: Desk) -> None:
        """The next attempt ends it."""
        session = desk.driver.open(desk.store)
        await session.probe()
        closing = asyncio.create_task(session.aclose())
        await asyncio.sleep(0)
        closing.cancel()
        await asyncio.wait({closing}, timeout=CLOSE_SECONDS)
        await close(session)
        await desk.no_connections()

    async def test_sessions_leave_no_file_open(self, desk: Desk) -> None:
        """Opened, used and closed many times, the process has as many descriptors as before."""
        await desk.session.probe()
        counts = []
        for _ in range(ROUNDS):
            session = desk.driver.open(desk.store)
            await session.probe()
            await close(session)
            await desk.session.probe()
            counts.append(len(os.listdir("/proc/self/fd")))  # noqa: PTH208 - names only
        assert min(counts[ROUNDS // 2 :]) <= min(counts[: ROUNDS // 2]) + 2, f"descriptors, round by round: {counts}"

    async def test_few_connections_serve_many_tenants(self, desk: Desk) -> None:
        """One session keeps its connections and opens no further one for each call."""
        desk.needs(Feature.SERVER, Feature.MANY_TENANTS)
        most = 0
        for _ in range(ROUNDS):
            claim, _ = await desk.make()
            most = max(most, desk.door.connections)
            await desk.session.revoke(claim)
            await desk.session.remove(claim)
            await desk.session.probe()
            most = max(most, desk.door.connections)
        assert most <= FEW_CONNECTIONS

    async def test_refused_calls_leave_no_connection(self, desk: Desk) -> None:
        """What fails gives its connection back: the hundredth failure is like the first."""
        desk.needs(Feature.SERVER, Feature.OWNERS)
        claim, _ = await desk.make()
        for _ in range(ROUNDS):
            with pytest.raises(StoreError):
                await desk.session.reserve(desk.claim(schema=claim.schema))
        assert desk.door.connections <= FEW_CONNECTIONS
        assert (await desk.session.probe()).ok

    async def test_the_loop_is_never_blocked(self, desk: Desk) -> None:
        """Not by any step, nor by a server that is gone or silent."""
        for step in STEPS:
            if step in ASKING and not desk.can(ASKING[step]):
                continue
            case = await prepare(desk, step)
            session = desk.open()
            with never_blocked():
                await case.call(session)
                await close(session)
            await is_right(desk, case, desk.session)
        if desk.can(Feature.SERVER):
            case = await prepare(desk, "reserve")
            session = desk.open()
            for mode in (GateMode.SHUT, GateMode.SILENT):
                desk.door.set(mode)
                with never_blocked():
                    await must_fail(desk, case, session)
            desk.door.set(GateMode.OPEN)
            await make_whole(case, session)

    @pytest.mark.parametrize("step", WRITING_STEPS)
    async def test_a_step_gives_nothing_back(self, desk: Desk, step: str) -> None:
        """What is done is done; there is no answer that the core could rely on."""
        case = await prepare(desk, step)
        assert await case.call(desk.session) is None
