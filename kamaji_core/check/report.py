"""The verdict: measures beside the thresholds that they are held to, a column for each store."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kamaji_core.check.load import Figures

WRITE_SECONDS = 1.0
"""Of 99 % of writes: clients renew their Leases within 5 s and give up after 10, and a write is made of several."""

LIST_SECONDS = 10.0
"""Of all objects in one answer or in pages: a controller that starts waits for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """What became of one store's check.

    Args:
        datastore: its name.
        driver: of it; empty when that was not found out.
        seconds_to_ready: of the tenant that was made.
        load: the figures; None when there are none.
        problem: why there are none, a sentence.
    """

    datastore: str
    driver: str = ""
    seconds_to_ready: float | None = None
    load: Figures | None = None
    problem: str = ""

    @property
    def passed(self) -> bool:
        """Whether there are figures and all of them are within their thresholds."""
        return self.load is not None and not self.failed

    @property
    def failed(self) -> tuple[str, ...]:
        """Names of the measures beyond their thresholds."""
        load = self.load
        return () if load is None else tuple(row.name for row in _ROWS if row.passes and not row.passes(load))


class _Row(NamedTuple):
    name: str
    told: Callable[[Figures], str]
    threshold: str = ""
    passes: Callable[[Figures], bool] | None = None


def _seconds(value: float) -> str:
    return f"{value:.3f} s" if math.isfinite(value) else "none came through"


def _compaction(load: Figures) -> str:
    if not load.compaction_waited:
        return "not waited for"
    return "not in time" if load.compacted_after is None else f"after {load.compacted_after:.0f} s"


_ROWS = (
    _Row("writes per second", lambda load: f"{load.writes_per_second:.0f}"),
    _Row("write, median", lambda load: _seconds(load.write_p50)),
    _Row(
        "write, 99 %",
        lambda load: _seconds(load.write_p99),
        f"< {WRITE_SECONDS:.0f} s",
        lambda load: load.write_p99 < WRITE_SECONDS,
    ),
    _Row("objects listed", lambda load: str(load.objects)),
    _Row(
        "list in pages",
        lambda load: _seconds(load.paged_list),
        f"< {LIST_SECONDS:.0f} s",
        lambda load: load.paged_list < LIST_SECONDS,
    ),
    _Row(
        "list in one answer",
        lambda load: _seconds(load.whole_list),
        f"< {LIST_SECONDS:.0f} s",
        lambda load: load.whole_list < LIST_SECONDS,
    ),
    _Row(
        "change or deletion, 99 %",
        lambda load: _seconds(load.change_p99),
        f"< {WRITE_SECONDS:.0f} s",
        lambda load: load.change_p99 < WRITE_SECONDS,
    ),
    _Row(
        "watch events delivered",
        lambda load: f"{load.events_delivered} of {load.events_expected}",
        "all",
        lambda load: 0 < load.events_expected == load.events_delivered,
    ),
    _Row("failed requests", lambda load: str(load.errors), "0", lambda load: load.errors == 0),
    _Row(
        "old states gone (410)",
        _compaction,
        "in 12 min, if waited for",
        lambda load: not load.compaction_waited or load.compacted_after is not None,
    ),
)


def as_table(results: Sequence[Measures]) -> str:
    """Lay results out side by side, measures as rows, and below them the sentences that explain."""
    headings = ("MEASURE", "PASSES WHEN", *(one.datastore for one in results))
    lines = [
        headings,
        ("driver", "", *(one.driver or "-" for one in results)),
        ("tenant ready after", "", *(_ready(one) for one in results)),
        *((row.name, row.threshold, *(_cell(row, one) for one in results)) for row in _ROWS),
        ("RESULT", "", *("pass" if one.passed else "FAIL" for one in results)),
    ]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    table = ["   ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    explained = [f"{one.datastore}: {one.problem}" for one in results if one.problem]
    explained += [f"{one.datastore}: {error}" for one in results if one.load for error in one.load.first_errors]
    return "\n".join([*table, *explained])


def as_json(results: Sequence[Measures]) -> str:
    """Write results as a JSON list; seconds that nothing came through in are null."""
    return json.dumps([_plain(one) for one in results], indent=2)


def _plain(one: Measures) -> dict[str, Any]:
    written = asdict(one)
    if one.load is not None:
        written["load"] = {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in written["load"].items()
        }
    return written | {"passed": one.passed, "failed": one.failed}


def _ready(one: Measures) -> str:
    return "-" if one.seconds_to_ready is None else f"{one.seconds_to_ready:.1f} s"


def _cell(row: _Row, one: Measures) -> str:
    if one.load is None:
        return "-"
    return row.told(one.load) + (" FAIL" if row.name in one.failed else "")
