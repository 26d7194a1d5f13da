"""Waiting in tests for something to become true, but never for ever."""

from __future__ import annotations

import asyncio
import contextlib
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


async def connections_gone(*, seconds: float = 2.0) -> None:
    """Give connections that were ended the time to be gone, which over TLS takes the server's goodbye.

    Those of a loop that ends before are left to the garbage collector, which complains in some later test. What is open
    by intention is waited for in vain, and that is no error.

    Args:
        seconds: to wait at most.
    """
    transports = getattr(asyncio.get_running_loop(), "_transports", None) or {}  # asyncio's own loops know theirs
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            # One that is gone stays among them until it is collected. Nobody tells when one is gone.
            while any(_is_open(transport) for transport in list(transports.values())):  # noqa: ASYNC110 - as said
                await asyncio.sleep(POLL_SECONDS)


def _is_open(transport: asyncio.BaseTransport) -> bool:
    connection = transport.get_extra_info("socket")
    return connection is not None and connection.fileno() != -1
