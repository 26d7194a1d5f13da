"""What lies between two looks, and when an operator was quiet."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from bench.consumption import Consumption
from bench.meter import QUIET_SECONDS, Meter, quiet_since, rests, spent, window
from bench.requests import AskedRequest, AuditTail

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bench.meter import Sample


def operator(pid: int, cpu: float) -> Consumption:
    """An operator's process."""
    return Consumption(pid=pid, cpu_seconds=cpu, resident_bytes=1, threads=1, connections=1)


@pytest.mark.parametrize(
    ("before", "after", "seconds"),
    [
        (None, None, 0.0),
        (None, operator(1, 2.0), 2.0),
        (operator(1, 2.0), operator(1, 5.0), 3.0),
        (operator(1, 2.0), operator(2, 0.5), 0.5),
        (operator(1, 2.0), None, 0.0),
        (operator(1, 2.0), operator(1, 1.9), 0.0),
    ],
    ids=["never ran", "started", "went on", "restarted", "stopped", "a child ended"],
)
def test_cpu_time_is_added_up_over_processes(
    before: Consumption | None, after: Consumption | None, seconds: float
) -> None:
    """Another process began at zero, and a total never falls."""
    assert spent(before, after) == pytest.approx(seconds)


def test_a_window_is_the_difference_of_its_ends(sample: Callable[..., Sample]) -> None:
    """Totals are subtracted; of what comes and goes the most is told beside the last."""
    samples = [sample(10.0, 1.0), sample(15.0, 1.5, resident=900, busy=4.0), sample(20.0, 3.0, resident=300, busy=5.0)]
    requests = [AskedRequest(at=1.0, verb="patch", resource="pods", status=200)]
    found = window(samples, requests)
    assert found.seconds == 10.0
    assert found.operator_cpu_seconds == 2.0
    assert found.operator_resident_bytes == 300
    assert found.operator_resident_peak_bytes == 2**20
    assert found.server_cpu_seconds == {"kube-apiserver": 5.0}
    assert found.machine_busy == pytest.approx(0.25)
    assert found.machine_available_bytes == 980
    assert found.own_cpu_seconds == pytest.approx(1.0)
    assert found.asked.writes == 1


def test_a_window_without_an_operator_has_none_of_its_figures(sample: Callable[..., Sample]) -> None:
    """The floor is measured while none runs."""
    found = window([sample(10.0, pid=None), sample(10.0, pid=None)], [])
    assert (found.operator_resident_bytes, found.operator_connections_peak, found.machine_busy) == (0, 0, 0.0)


def test_quiet_begins_at_the_last_request(sample: Callable[..., Sample]) -> None:
    """Then ten seconds pass with hardly any CPU time."""
    samples = [sample(5.2 + second, 1.0 + second * 0.01) for second in range(12)]
    assert quiet_since(samples, 5.0) == 5.0


def test_quiet_begins_after_the_work(sample: Callable[..., Sample]) -> None:
    """An operator that computes without asking is not quiet."""
    samples = [sample(float(second), min(second, 20) * 0.5) for second in range(40)]
    found = quiet_since(samples, 0.0)
    assert found is not None
    assert 18 <= found <= 21


@pytest.mark.parametrize("seconds", [1, int(QUIET_SECONDS)])
def test_quiet_takes_its_time_to_be_seen(sample: Callable[..., Sample], seconds: int) -> None:
    """Before ten seconds have passed nobody knows."""
    assert quiet_since([sample(float(second)) for second in range(seconds)], 0.0) is None


def test_a_busy_operator_is_not_quiet(sample: Callable[..., Sample]) -> None:
    """A tenth of a core is no quiet."""
    assert quiet_since([sample(float(second), second * 0.1) for second in range(60)], 0.0) is None


def test_a_machine_rests_when_it_did_little_for_a_while(sample: Callable[..., Sample]) -> None:
    """Work before that time does not count, and a moment of rest is not enough."""
    worked = [sample(float(second), busy=2.0 * second) for second in range(5)]
    resting = [sample(float(second), busy=8.0 + 0.1 * second) for second in range(5, 10)]
    assert not rests(worked[:1])
    assert not rests(worked)
    assert not rests([*worked, *resting[:2]])
    assert rests([*worked, *resting])


async def test_a_meter_measures_this_process(tmp_path: Path) -> None:
    """A window of a real process has its memory, and its CPU time grows with its work."""
    log = tmp_path / "audit.log"
    log.touch()
    with AuditTail(log, "nobody") as tail:
        async with Meter(os.getpid, {"itself": os.getpid()}, tail) as meter:
            mark = meter.mark()
            while (found := meter.window(mark)).operator_cpu_seconds < 0.05:
                sum(range(100_000))
            assert found.operator_resident_bytes > 2**20
            assert found.server_cpu_seconds["itself"] > 0
            assert found.asked.requests == 0
            assert await meter.until_quiet(mark.at, limit=0.0) is None


async def test_requests_are_told_by_the_monotonic_clock(tmp_path: Path) -> None:
    """The log tells the time of day; windows do not."""
    log = tmp_path / "audit.log"
    log.touch()
    with AuditTail(log, "nobody") as tail:
        async with Meter(lambda: None, {}, tail) as meter:
            mark = meter.mark()
            request = AskedRequest(at=meter._epoch + mark.at + 1.5, verb="get", resource="pods", status=200)
            tail._requests.append(request)
            assert meter.asked(mark.at, mark.at + 1) == []
            assert meter.asked(mark.at + 1, mark.at + 2) == [request]
            assert meter.seconds_after(request, mark.at) == pytest.approx(1.5, abs=1e-3)
