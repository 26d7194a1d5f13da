"""The network fails: a server that is gone, silent, slow or cut off, at every step, and comes back.

The core calls again from the start, with the same session. So a call ends in time, says why, and leaves nothing that
the next one cannot finish.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from kamaji_core.contracts import StoreError
from kamaji_core.testing.datastore.desk import a_sentence
from kamaji_core.testing.datastore.gate import GateMode
from kamaji_core.testing.datastore.steps import (
    ASKING,
    LIMITS,
    STEPS,
    WRITING_STEPS,
    Case,
    is_right,
    make_whole,
    must_fail,
    prepare,
)
from kamaji_core.testing.datastore.under_test import Feature
from kamaji_core.testing.waiting import until

if TYPE_CHECKING:
    from kamaji_core.contracts import Session
    from kamaji_core.testing.datastore.desk import Desk

MOST_REQUESTS = 60
"""More than any step sends."""


class Faults:
    """Each step under each fault; the store itself is well."""

    @pytest.mark.parametrize("step", STEPS)
    async def test_the_server_is_gone(self, desk: Desk, step: str) -> None:
        """A step fails with a sentence and retry, and succeeds in the same session once the server is back."""
        desk.needs(Feature.SERVER)
        case = await prepare(desk, step)
        desk.door.set(GateMode.SHUT)
        await must_fail(desk, case, desk.session)
        fresh = desk.open()
        await must_fail(desk, case, fresh)
        desk.door.set(GateMode.OPEN)
        for session in (desk.session, fresh):
            await make_whole(case, session)
        await is_right(desk, case, desk.session)

    @pytest.mark.parametrize("mode", [GateMode.SILENT, GateMode.UNANSWERED], ids=["silent", "unanswered"])
    async def test_nothing_answers(self, desk: Desk, mode: GateMode) -> None:
        """Every step ends in time, on a connection that worked and on a session's first, and heals in that session."""
        desk.needs(Feature.SERVER)
        steps = [step for step in STEPS if step not in ASKING or desk.can(ASKING[step])]
        sessions = {step: desk.open() for step in steps}
        cases = {step: await prepare(desk, step, session) for step, session in sessions.items()}
        fresh = {step: desk.open() for step in steps}
        desk.door.set(mode)
        outcomes = await asyncio.gather(
            *(must_fail(desk, cases[step], session[step]) for step in steps for session in (sessions, fresh)),
            return_exceptions=True,
        )
        desk.door.set(GateMode.OPEN)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        for step in steps:
            for session in (sessions[step], fresh[step]):
                await make_whole(cases[step], session)
            await is_right(desk, cases[step], sessions[step])

    async def test_the_server_is_slow(self, desk: Desk) -> None:
        """A whole life with late answers is like any other."""
        desk.needs(Feature.SERVER)
        desk.door.set(GateMode.SLOW)
        for step in STEPS:
            if step not in ASKING or desk.can(ASKING[step]):
                case = await prepare(desk, step)
                await case.call(desk.session)
                await is_right(desk, case, desk.session)

    @pytest.mark.parametrize("step", WRITING_STEPS)
    async def test_the_answer_is_lost(self, desk: Desk, step: str) -> None:
        """Cut after each request, done at the server or not, the step can be repeated and does its work."""
        desk.needs(Feature.SERVER)
        for number in range(MOST_REQUESTS):
            case = await prepare(desk, step)
            if not await _lose_answer(desk, case, desk.session, number):
                break
            await make_whole(case, desk.session)
            await is_right(desk, case, desk.session)

    async def test_an_idle_connection_was_cut(self, desk: Desk) -> None:
        """A load balancer or a restart ends what is idle: the next call notices and connects anew."""
        desk.needs(Feature.SERVER)
        for step in STEPS:
            if step not in ASKING or desk.can(ASKING[step]):
                case = await prepare(desk, step)
                desk.door.cut()
                await make_whole(case, desk.session)
                await is_right(desk, case, desk.session)

    async def test_a_fault_leaves_others_alone(self, desk: Desk) -> None:
        """A call that fails fails alone: calls of another session, and later ones of the same, are served."""
        desk.needs(Feature.SERVER)
        case = await prepare(desk, "ensure")
        past_the_door = desk.open(desk.server.store())
        desk.door.set(GateMode.SHUT)
        await must_fail(desk, case, desk.session)
        await make_whole(case, past_the_door)
        await is_right(desk, case, past_the_door)


async def _lose_answer(desk: Desk, case: Case, session: Session, number: int) -> bool:
    """Make a step and cut the connection once so many requests and one more have passed; False when it made fewer."""
    door = desk.door
    door.stop_after(number)
    call = asyncio.create_task(case.call(session))
    try:
        await until(lambda: door.reached or call.done(), "the step to go on", seconds=LIMITS[case.step])
        reached = door.reached
        door.cut()
        door.set(GateMode.OPEN)
        async with asyncio.timeout(LIMITS[case.step]):
            await call
    except StoreError as error:
        assert error.retry, f"{case.step} gives up after its connection was cut: {error}"
        a_sentence(error)
    finally:
        door.set(GateMode.OPEN)
        call.cancel()
    return reached
