"""A call is cancelled: at every await, after every request, and the work is finished by the next.

The core bounds every call and stops when it loses the lead. What is half done then must be neither lost nor doubled,
and nothing may go on by itself.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from kamaji_core.testing.datastore.gate import GateMode
from kamaji_core.testing.datastore.stepping import cancelled_at
from kamaji_core.testing.datastore.steps import LIMITS, STEPS, WRITING_STEPS, is_right, make_whole, prepare
from kamaji_core.testing.datastore.under_test import Feature
from kamaji_core.testing.waiting import until

if TYPE_CHECKING:
    from kamaji_core.testing.datastore.desk import Desk
    from kamaji_core.testing.datastore.gate import Gate

MOST_AWAITS = 200
MOST_REQUESTS = 60

PROMPT_SECONDS = 5.0
"""In which a cancelled call has ended, whatever its server does."""

FEW_CONNECTIONS = 8
"""That one session may have open at most."""


async def nothing_runs_on(before: set[asyncio.Task[object]]) -> None:
    """Wait until no task is left that was not there before."""

    def left() -> set[asyncio.Task[object]]:
        return {task for task in asyncio.all_tasks() - before if not task.done()}

    try:
        await until(lambda: not left(), "the driver's tasks to end", seconds=PROMPT_SECONDS)
    except AssertionError as error:
        raise AssertionError(f"tasks go on by themselves: {sorted(map(repr, left()))}") from error


async def goes_on(door: Gate, call: asyncio.Task[Any], step: str) -> None:
    """Wait until a call has sent what `stop_after` asks for, or has ended."""
    await until(lambda: door.reached or call.done(), "the step to go on", seconds=LIMITS[step])


async def sends(door: Gate, call: asyncio.Task[Any]) -> None:
    """Wait until a call has sent something, or has ended."""
    sent = door.sent
    await until(lambda: door.sent > sent or call.done(), "a request")


class Cancelling:
    """Each step, cancelled."""

    @pytest.mark.parametrize("step", STEPS)
    async def test_cancelled_at_every_await(self, desk: Desk, step: str) -> None:
        """A call that is cancelled ends at once by it, and repeated whole it does its work."""
        for number in range(1, MOST_AWAITS):
            case = await prepare(desk, step)
            if not await cancelled_at(case.call(desk.session), number, seconds=PROMPT_SECONDS):
                break
            await make_whole(case, desk.session)
            await is_right(desk, case, desk.session)
        else:
            raise AssertionError(f"{step} awaits more than {MOST_AWAITS} times")

    @pytest.mark.parametrize("step", WRITING_STEPS)
    async def test_cancelled_after_every_request(self, desk: Desk, step: str) -> None:
        """The same where the request was sent and its answer is still to come; another session goes on."""
        desk.needs(Feature.SERVER)
        door = desk.door
        for number in range(MOST_REQUESTS):
            case = await prepare(desk, step)
            door.stop_after(number)
            call = asyncio.create_task(case.call(desk.session))
            await goes_on(door, call, step)
            if not door.reached or call.done():  # what ended may say goodbye to the server after its last answer
                door.set(GateMode.OPEN)
                await call
                break
            call.cancel()
            done, _ = await asyncio.wait({call}, timeout=PROMPT_SECONDS)
            door.set(GateMode.OPEN)
            assert done, f"cancelled after request {number}, {step} goes on for more than {PROMPT_SECONDS:.0f} s"
            assert call.cancelled(), f"cancelled after request {number}, {step} swallowed the cancellation"
            successor = desk.open() if number % 2 else desk.session
            await make_whole(case, successor)
            await is_right(desk, case, successor)

    async def test_a_time_limit_ends_a_call(self, desk: Desk) -> None:
        """The core's own limit is a cancellation too: it ends in time and is not taken for the driver's."""
        desk.needs(Feature.SERVER)
        case = await prepare(desk, "ensure")
        desk.door.set(GateMode.SILENT)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await case.call(desk.session)
        desk.door.set(GateMode.OPEN)
        await make_whole(case, desk.session)
        await is_right(desk, case, desk.session)

    async def test_cancelled_calls_leave_nothing_running(self, desk: Desk) -> None:
        """No task goes on with what was broken off, and no connection is left over."""
        desk.needs(Feature.SERVER)
        before = asyncio.all_tasks()
        session = desk.driver.open(desk.store)
        for step in (*WRITING_STEPS, *WRITING_STEPS):
            case = await prepare(desk, step, session)
            desk.door.set(GateMode.UNANSWERED)
            known = asyncio.all_tasks()
            call = asyncio.create_task(case.call(session))
            await sends(desk.door, call)
            call.cancel()
            await asyncio.wait({call}, timeout=PROMPT_SECONDS)
            desk.door.set(GateMode.SHUT)  # so that only what tries again and again is left
            await nothing_runs_on(known)
            desk.door.set(GateMode.OPEN)
            await make_whole(case, session)
            await until(lambda: desk.door.connections <= FEW_CONNECTIONS, "connections of cancelled calls to end")
        await session.aclose()
        await nothing_runs_on(before)
        await desk.no_connections()

    async def test_one_cancelled_call_spares_the_others(self, desk: Desk) -> None:
        """Calls that share a session are cancelled one by one."""
        desk.needs(Feature.MANY_TENANTS)
        cases = [await prepare(desk, "ensure") for _ in range(4)]
        calls = [asyncio.create_task(case.call(desk.session)) for case in cases]
        await asyncio.sleep(0)
        waits = calls[0].cancel()  # a driver that asks nobody has ended by now
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert isinstance(outcomes[0], asyncio.CancelledError) == waits
        assert outcomes[1:] == [None] * 3
        for case in cases:
            await make_whole(case, desk.session)
            await is_right(desk, case, desk.session)
