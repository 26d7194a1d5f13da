"""Waiting in tests for something to become true, but never for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

POLL_SECONDS = 0.02


async def until(
    condition: Callable[[], Any], what: str, task: asyncio.Task[Any] | None = None, *, seconds: float = 30.0
) -> None:
    """Wait until a condition, plain or awaitable, holds.

    Args:
        condition: asked again and again.
        what: is waited for, for the message.
        task: ends the waiting, with what it raised, when it ends.
        seconds: to wait at most.

    Raises:
        AssertionError: when it does not hold in time.
    """
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            while True:
                if task is not None and task.done():
                    task.result()
                outcome = condition()
                if isinstance(outcome, Awaitable):
                    outcome = await outcome
                if outcome:
                    return
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        if limit.expired():
            raise AssertionError(f"waited {seconds:.0f} s in vain for {what}") from None
        raise
