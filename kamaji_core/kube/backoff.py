"""Waiting times between attempts, spread so that many clients of one restarted server do not come back together."""

from __future__ import annotations

import random


class Backoff:
    """Waiting times that grow with each failure in a row; the owner of one backoff is one loop.

    Args:
        first: upper bound of the first waiting time, seconds.
        longest: upper bound of any, seconds.
    """

    def __init__(self, *, first: float, longest: float) -> None:
        self._first = first
        self._longest = longest
        self._failures = 0

    @property
    def failures(self) -> int:
        """Waiting times given since the last reset."""
        return self._failures

    def next(self) -> float:
        """Give the next waiting time, seconds: between half and the whole of a bound that doubles each time."""
        delay = spread(self._first, self._longest, self._failures)
        self._failures += 1
        return delay

    def reset(self) -> None:
        """Begin anew, after a success."""
        self._failures = 0


def spread(first: float, longest: float, failures: int) -> float:
    """Give the jittered waiting time after so many earlier failures, seconds."""
    # 2**32 is beyond any bound in use; without the limit a float overflows after a thousand failures.
    bound = min(longest, first * 2.0 ** min(failures, 32))
    return bound * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, guards nothing
