"""Figures out of many values, in the form in which they are reported: seconds, counts and shares."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


MEBIBYTE = 2**20
NOTHING = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """How values are spread; percentiles are values that occurred (nearest rank).

    Args:
        count: how many there are; the others are None when it is 0.
        p50: the median.
        p99: the value that 99 % do not exceed.
        max: the greatest.
    """

    count: int
    p50: float | None = None
    p99: float | None = None
    max: float | None = None


def spread(values: Iterable[float]) -> Spread:
    """Find out how values are spread."""
    ordered = sorted(values)
    if not ordered:
        return Spread(count=0)
    return Spread(count=len(ordered), p50=percentile(ordered, 50), p99=percentile(ordered, 99), max=ordered[-1])


def percentile(ordered: Sequence[float], percent: float) -> float:
    """The smallest value that so many percent do not exceed.

    Args:
        ordered: ascending, at least one.
        percent: above 0, at most 100.
    """
    return ordered[max(math.ceil(len(ordered) * percent / 100), 1) - 1]


def differences(later: dict[str, float], earlier: dict[str, float]) -> dict[str, float]:
    """What lies between two moments of each name that has both; never below zero.

    Watches of two kinds of objects are two connections, so that an effect may be told of before its cause.
    """
    return {name: max(moment - earlier[name], 0.0) for name, moment in later.items() if name in earlier}


def spread_text(spread: Spread, *names: str, digits: int = 1) -> str:
    """The named figures of a spread, separated by slashes.

    Args:
        spread: where they are.
        names: of its fields.
        digits: behind the point.
    """
    return " / ".join(seconds_text(getattr(spread, name), digits) for name in names)


def seconds_text(seconds: float | None, digits: int = 1) -> str:
    """Seconds, or a dash where there are none."""
    return NOTHING if seconds is None else f"{seconds:.{digits}f}"
