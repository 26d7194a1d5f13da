"""Percentiles are values that occurred."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.figures import Spread, differences, percentile, spread


def test_nothing_has_no_figures() -> None:
    """A fleet of which nobody became Ready is told as such."""
    assert spread([]) == Spread(count=0)


def test_one_value_is_all_its_percentiles() -> None:
    """There is nothing to interpolate."""
    assert spread([3.0]) == Spread(count=1, p50=3.0, p99=3.0, max=3.0)


@pytest.mark.parametrize(("percent", "value"), [(1, 1), (50, 5), (90, 9), (99, 10), (100, 10)])
def test_percentiles_are_by_nearest_rank(percent: float, value: float) -> None:
    """The smallest value that so many do not exceed."""
    assert percentile([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], percent) == value


@given(st.lists(st.floats(0, 1e6), min_size=1))
def test_figures_are_in_order_and_occurred(values: list[float]) -> None:
    """Whatever the values, and in whichever order they come."""
    figures = spread(values)
    assert figures.p50 is not None
    assert figures.p99 is not None
    assert figures.max == max(values)
    assert min(values) <= figures.p50 <= figures.p99 <= figures.max
    assert {figures.p50, figures.p99} <= set(values)


def test_differences_are_of_names_that_have_both() -> None:
    """A tenant that reached one of two stages has no difference."""
    assert differences({"a": 5.0, "b": 7.0}, {"a": 3.0, "c": 1.0}) == {"a": 2.0}


def test_an_effect_that_was_told_first_took_no_time() -> None:
    """Two watches are two connections."""
    assert differences({"a": 2.9}, {"a": 3.0}) == {"a": 0.0}
