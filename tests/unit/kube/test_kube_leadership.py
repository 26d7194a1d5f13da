"""A leader is asked before each write for how long it still leads, and a former one refuses."""

from __future__ import annotations

import time

import pytest

from kamaji_core.kube import Leadership, NotLeaderError
from kamaji_core.kube.leadership import boottime


class Clock:
    """Seconds that we set."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Give them."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """What leading is judged by."""
    return Clock()


@pytest.fixture
def leadership(clock: Clock) -> Leadership:
    """A term that ends in 15 s."""
    return Leadership("n/l", until=1015.0, clock=clock)


def test_a_term_runs_out_by_itself(leadership: Leadership, clock: Clock) -> None:
    """Nobody needs to end it: what remains shrinks to nothing, and never below."""
    assert (leadership.remaining(), leadership.is_leader()) == (15.0, True)
    clock.now += 14.5
    assert (leadership.remaining(), leadership.is_leader()) == (0.5, True)
    clock.now += 0.5
    assert (leadership.remaining(), leadership.is_leader()) == (0.0, False)
    clock.now += 100
    assert leadership.remaining() == 0.0


def test_checking_gives_what_remains(leadership: Leadership) -> None:
    """Who may write is told how long the write may take."""
    assert leadership.check() == 15.0
    assert leadership.check(at_least=15.0) == 15.0


def test_a_write_must_end_while_we_lead(leadership: Leadership, clock: Clock) -> None:
    """With less than the write may take, it is not begun; the sentence says how much there is."""
    clock.now += 13.5
    with pytest.raises(NotLeaderError, match=r"n/l is ours for 1\.5 s more, too short for a write of 2 s"):
        leadership.check()
    assert leadership.check(at_least=1.5) == 1.5
    with pytest.raises(NotLeaderError, match=r"for a write of 1\.6 s"):
        leadership.check(at_least=1.6)


@pytest.mark.parametrize("at_least", [0.0, 2.0])
def test_past_the_deadline_nothing_is_written(leadership: Leadership, clock: Clock, at_least: float) -> None:
    """Whatever a write takes, it is the next leader's; the sentence says that."""
    clock.now += 15
    with pytest.raises(NotLeaderError, match="n/l is not ours any more"):
        leadership.check(at_least=at_least)


def test_a_renewal_extends(leadership: Leadership, clock: Clock) -> None:
    """What was refused before is allowed once the Lease is renewed."""
    clock.now += 14
    with pytest.raises(NotLeaderError):
        leadership.check()
    leadership.extend(1029.0)
    assert leadership.check() == 15.0


def test_the_end_is_the_end(leadership: Leadership) -> None:
    """A term that was ended has nothing left, though its time had not come."""
    leadership.end()
    assert leadership.remaining() == 0.0
    assert not leadership.is_leader()
    with pytest.raises(NotLeaderError, match="not ours any more"):
        leadership.check(at_least=0.0)


def test_a_suspended_machine_wakes_up_as_no_leader(leadership: Leadership, clock: Clock) -> None:
    """After an hour's sleep, which the clock counts, the very first question is answered right."""
    clock.now += 3600
    assert not leadership.is_leader()


def test_the_clock_counts_suspension() -> None:
    """The default is CLOCK_BOOTTIME, which is never behind the monotonic clock and never steps back."""
    readings = [boottime() for _ in range(1000)]
    assert readings == sorted(readings)
    assert time.clock_gettime(time.CLOCK_MONOTONIC) <= boottime() <= time.clock_gettime(time.CLOCK_BOOTTIME)
    assert Leadership("n/l", until=boottime() + 60).check() == pytest.approx(60, abs=5)
