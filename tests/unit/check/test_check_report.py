"""The verdict on stores: each threshold fails alone, and what could not be measured does not pass."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from kamaji_core.check import Measures, as_json, as_table
from kamaji_core.check.load import Figures, percentile

GOOD = Figures(
    writes_per_second=412.3,
    write_p50=0.021,
    write_p99=0.088,
    objects=10_000,
    paged_list=1.5,
    whole_list=0.9,
    change_p99=0.1,
    events_expected=12_000,
    events_delivered=12_000,
)
FAST = Measures(datastore="fast", driver="etcd", seconds_to_ready=12.34, load=GOOD)


def row(table: str, name: str) -> str:
    """One row's cells behind its name."""
    return next(line for line in table.splitlines() if line.startswith(name)).removeprefix(name).strip()


def test_a_good_store_passes() -> None:
    """Each row says its figure and the threshold that it is held to."""
    table = as_table([FAST])
    assert FAST.passed
    assert row(table, "writes per second") == "412"
    assert row(table, "write, 99 %").split() == ["<", "1", "s", "0.088", "s"]
    assert row(table, "watch events delivered").split() == ["all", "12000", "of", "12000"]
    assert row(table, "tenant ready after") == "12.3 s"
    assert row(table, "old states gone (410)").endswith("not waited for")
    assert row(table, "RESULT") == "pass"
    assert "FAIL" not in table


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"write_p99": 1.0}, "write, 99 %"),
        ({"write_p99": float("inf")}, "write, 99 %"),
        ({"paged_list": 10.0}, "list in pages"),
        ({"whole_list": 11.0}, "list in one answer"),
        ({"change_p99": 2.0}, "change or deletion, 99 %"),
        ({"events_delivered": 11_999}, "watch events delivered"),
        ({"events_delivered": 0, "events_expected": 0}, "watch events delivered"),
        ({"errors": 1}, "failed requests"),
        ({"compaction_waited": True}, "old states gone (410)"),
    ],
)
def test_each_threshold_fails_alone(change: dict[str, float], name: str) -> None:
    """It is marked in its own row, and the store does not pass."""
    one = replace(FAST, load=replace(GOOD, **change))  # type: ignore[arg-type]  # figures of both kinds
    table = as_table([one])
    assert one.failed == (name,)
    assert not one.passed
    assert row(table, name).endswith("FAIL")
    assert row(table, "RESULT") == "FAIL"


def test_compaction_that_was_waited_for_passes() -> None:
    """With the seconds that it took."""
    one = replace(FAST, load=replace(GOOD, compaction_waited=True, compacted_after=601.4))
    assert one.passed
    assert row(as_table([one]), "old states gone (410)").endswith("after 601 s")


def test_stores_stand_side_by_side() -> None:
    """One that could not be checked has dashes, its sentence below, and does not pass."""
    absent = Measures(datastore="frugal", problem="There is no DataStore 'frugal': see 'kubectl get datastores'.")
    lines = as_table([FAST, absent]).splitlines()
    assert lines[0].split() == ["MEASURE", "PASSES", "WHEN", "fast", "frugal"]
    assert row("\n".join(lines), "failed requests").split() == ["0", "0", "-"]
    assert row("\n".join(lines), "RESULT").split() == ["pass", "FAIL"]
    assert lines[-1] == f"frugal: {absent.problem}"


def test_the_first_errors_are_shown() -> None:
    """So that a count is not all that is known."""
    one = replace(FAST, load=replace(GOOD, errors=7, first_errors=("Could not create ConfigMap a/b.",)))
    assert as_table([one]).splitlines()[-1] == "fast: Could not create ConfigMap a/b."


def test_json_holds_the_same() -> None:
    """What never came through is null, since JSON knows nothing infinite."""
    (good, bad) = json.loads(as_json([FAST, replace(FAST, load=replace(GOOD, write_p50=float("inf")))]))
    assert (good["datastore"], good["passed"], good["failed"]) == ("fast", True, [])
    assert good["load"]["write_p99"] == 0.088
    assert bad["load"]["write_p50"] is None


@pytest.mark.parametrize(("percent", "value"), [(50, 2), (99, 4), (100, 4), (1, 1)])
def test_percentiles_are_values_that_occurred(percent: float, value: float) -> None:
    """By the nearest rank."""
    assert percentile([1, 2, 3, 4], percent) == value


def test_no_value_is_beyond_every_threshold() -> None:
    """A store on which nothing came through must not pass."""
    assert percentile([], 99) == float("inf")
