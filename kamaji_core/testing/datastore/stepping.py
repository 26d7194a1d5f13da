"""Cancelling a call at a place that can be repeated: at its n-th await.

A time limit or a shutdown may hit a call wherever it waits. Trying moments at random finds few of them; counting awaits
finds them all.
"""

from __future__ import annotations

import asyncio
import types
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Coroutine, Generator


@types.coroutine
def _cancelled_at(call: Coroutine[Any, Any, Any], number: int) -> Generator[Any, Any, Any]:
    task = asyncio.current_task()
    assert task is not None
    thrown: BaseException | None = None
    seen = 0
    while True:
        try:
            waited = call.send(None) if thrown is None else call.throw(thrown)
        except StopIteration as end:
            return end.value
        thrown = None
        seen += 1
        if seen == number:
            task.cancel()  # takes effect at the await that we are about to make
        try:
            yield waited
        except BaseException as error:  # noqa: BLE001 - handed to the call
            thrown = error


async def cancelled_at(call: Coroutine[Any, Any, Any], number: int, *, seconds: float) -> bool:
    """Run a call and cancel it at its n-th await, counted from one.

    Args:
        call: not yet begun.
        number: which await.
        seconds: in which the cancelled call must have ended.

    Returns:
        Whether there was an n-th await; False when the call ended by itself before.

    Raises:
        AssertionError: when it goes on after it was cancelled, or ends otherwise than by being cancelled.
    """
    reached = False

    async def run() -> Any:
        nonlocal reached
        task = asyncio.current_task()
        assert task is not None
        try:
            return await _cancelled_at(call, number)
        finally:
            reached = task.cancelling() > 0

    task = asyncio.create_task(run())
    done, _ = await asyncio.wait({task}, timeout=seconds)
    if not done:
        raise AssertionError(f"cancelled at await {number}, the call goes on for more than {seconds:.0f} s")
    if reached and not task.cancelled():
        error = task.exception()
        how = f"raised {type(error).__name__}" if error else "went on to its end"
        raise AssertionError(f"cancelled at await {number}, the call {how}: the cancellation was swallowed") from error
    if not reached:
        task.result()
    return reached
