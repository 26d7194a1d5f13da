"""Which Events are one: the same sentence about the same object, counted, in a memory that is bounded.

Pure but for its own state, whose owner is the recorder; times are passed in.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

if TYPE_CHECKING:
    from datetime import datetime

R = TypeVar("R", bound=Hashable)


class Occurrence(NamedTuple, Generic[R]):
    """What makes two Events the same."""

    involved: R
    type: str
    reason: str
    message: str


class Series:
    """One Event and how often it happened.

    Args:
        name: of the Event.
        moment: when it happened first.
        now: the same by the loop's clock, seconds.

    Attributes:
        count: how often it happened.
        written: the count that the API server knows; 0 before it is created.
        written_at: when that was written, by the loop's clock.
        failures: failed writes in a row.
    """

    def __init__(self, *, name: str, moment: datetime, now: float) -> None:
        self.name = name
        self.count = 1
        self.first = self.last = moment
        self.happened_at = now
        self.written = 0
        self.written_at = float("-inf")
        self.failures = 0

    @property
    def is_written(self) -> bool:
        """Whether the API server knows all of it."""
        return self.written == self.count

    def repeat(self, moment: datetime, now: float) -> None:
        """Count one more."""
        self.count += 1
        self.last, self.happened_at = moment, now

    def note_written(self, count: int, now: float) -> None:
        """Take note that the API server knows so many."""
        self.written, self.written_at, self.failures = count, now, 0


class SeriesBook(Generic[R]):
    """The series that are remembered, and how many more Events an object is allowed; both bounded.

    Args:
        kept: series and objects remembered at most; those silent for the longest are forgotten first.
        burst: new series of one object in quick succession.
        refill: seconds after which one more is allowed.
        window: seconds of silence that end a series.
    """

    def __init__(self, *, kept: int, burst: int, refill: float, window: float) -> None:
        self._kept = kept
        self._burst = burst
        self._refill = refill
        self._window = window
        self._series: OrderedDict[Occurrence[R], Series] = OrderedDict()
        self._allowances: OrderedDict[R, tuple[float, float]] = OrderedDict()  # how many, and when that was so

    def __len__(self) -> int:
        return len(self._series)

    def get(self, occurrence: Occurrence[R]) -> Series | None:
        """Give the series, if it is remembered."""
        return self._series.get(occurrence)

    def find(self, occurrence: Occurrence[R], now: float) -> Series | None:
        """Give the series that this occurrence belongs to, if there is one that is not over."""
        series = self._series.get(occurrence)
        if series is None or (series.is_written and now - series.happened_at > self._window):
            return None
        self._series.move_to_end(occurrence)
        return series

    def allows(self, involved: R, now: float) -> bool:
        """Use up one of the object's new Events, and tell whether there was one."""
        left, since = self._allowances.pop(involved, (float(self._burst), now))
        left = min(float(self._burst), left + (now - since) / self._refill)
        allowed = left >= 1
        self._allowances[involved] = (left - 1 if allowed else left, now)
        while len(self._allowances) > self._kept:
            self._allowances.popitem(last=False)
        return allowed

    def begin(self, occurrence: Occurrence[R], series: Series) -> None:
        """Remember a new series."""
        self._series[occurrence] = series
        self._series.move_to_end(occurrence)
        while len(self._series) > self._kept:
            self._series.popitem(last=False)

    def end(self, occurrence: Occurrence[R]) -> None:
        """Forget a series."""
        self._series.pop(occurrence, None)

    def unwritten(self) -> list[Occurrence[R]]:
        """Give those of which the API server does not know all."""
        return [occurrence for occurrence, series in self._series.items() if not series.is_written]
