"""How long we may still act as the leader, as something that can be asked before each write.

The clock is CLOCK_BOOTTIME: it never steps, and it goes on while the machine is suspended, when a monotonic clock
stands still and lets a former leader wake up believing that no time has passed.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING

from kamaji_core.kube.queue import TryAgainError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager

    from kamaji_core.kube.requests import Request
    from kamaji_core.kube.transport import Answer, Transport


class NotLeaderError(TryAgainError):
    """We do not lead, or not for long enough to begin what was asked: leave it to the next leader."""


def boottime() -> float:
    """Give the seconds since the machine's start, suspended ones included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Leadership:
    """One term of leading; the elector is the only one who extends or ends it.

    Args:
        lease: its namespace and name, for sentences.
        until: when the Lease runs out unless it is renewed, by `clock`.
        clock: gives seconds.
    """

    def __init__(self, lease: str, *, until: float, clock: Callable[[], float] = boottime) -> None:
        self._lease = lease
        self._until = until
        self._clock = clock

    def remaining(self) -> float:
        """Seconds for which nobody else can lead, as far as we know now; 0 when we do not lead."""
        return max(0.0, self._until - self._clock())

    def is_leader(self) -> bool:
        """Whether nobody else can lead at this moment."""
        return self.remaining() > 0

    def check(self, *, at_least: float = 2.0) -> float:
        """Make sure before a write that it ends while we lead, and give the remaining seconds.

        Args:
            at_least: seconds that the write may take.

        Raises:
            NotLeaderError: when less than that remains.
        """
        remaining = self.remaining()
        if remaining <= 0:
            raise NotLeaderError(f"The Lease {self._lease} is not ours any more: what is left is the next leader's.")
        if remaining < at_least:
            raise NotLeaderError(
                f"The Lease {self._lease} is ours for {remaining:.1f} s more, too short for a write of {at_least:g} s: "
                "it is tried again once the Lease is renewed."
            )
        return remaining

    def extend(self, until: float) -> None:
        """Take note of a renewal; for the elector."""
        self._until = until

    def end(self) -> None:
        """Take note that it is over; for the elector."""
        self._until = float("-inf")


class LeaderTransport:
    """Carries writes only while we lead, and no longer than that; reads pass.

    Args:
        transport: carries the requests.
        leadership: gives the present term; None while there is none to ask, which lets everything pass.
    """

    def __init__(self, transport: Transport, leadership: Callable[[], Leadership | None]) -> None:
        self._transport = transport
        self._leadership = leadership

    def send(self, request: Request) -> AbstractAsyncContextManager[Answer]:
        """Send a request.

        Raises:
            NotLeaderError: for a write, when we do not lead or not for long enough.
        """
        leadership = self._leadership()
        if request.method == "GET" or leadership is None:
            return self._transport.send(request)
        return self._send(request, leadership)

    @contextlib.asynccontextmanager
    async def _send(self, request: Request, leadership: Leadership) -> AsyncIterator[Answer]:
        remaining = leadership.check()
        try:
            async with asyncio.timeout(remaining) as limit, self._transport.send(request) as answer:
                yield answer
        except TimeoutError:
            if limit.expired():
                leadership.check(at_least=remaining)  # raises: it has run out
            raise
