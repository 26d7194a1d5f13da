"""Waiting times grow, are bounded and differ."""

from hypothesis import given
from hypothesis import strategies as st

from kamaji_core.kube import Backoff
from kamaji_core.kube.backoff import spread


@given(st.integers(min_value=0, max_value=100_000))
def test_a_delay_lies_between_half_and_whole_of_its_bound(failures: int) -> None:
    """After any number of failures a delay is positive and never beyond the longest."""
    bound = min(60.0, 0.5 * 2.0 ** min(failures, 32))
    assert bound / 2 <= spread(0.5, 60.0, failures) <= bound


def test_delays_are_not_all_the_same() -> None:
    """Clients of one restarted server do not come back together."""
    assert len({spread(1.0, 60.0, 3) for _ in range(20)}) > 1


def test_a_success_begins_anew() -> None:
    """Failures in a row count; a reset forgets them."""
    backoff = Backoff(first=1.0, longest=60.0)
    delays = [backoff.next() for _ in range(10)]
    assert delays[0] <= 1.0
    assert delays[-1] >= 30.0
    assert backoff.failures == 10
    backoff.reset()
    assert backoff.failures == 0
    assert backoff.next() <= 1.0
