"""The lag of the event loop is read from the operator's metrics."""

from __future__ import annotations

from bench.lag import loop_lag, parse
from kamaji_core.metrics import Metrics
from kamaji_core.testing import free_port


def test_the_operators_own_figure_is_found() -> None:
    """Under the name that the operator gives it."""
    metrics = Metrics()
    metrics.longest_loop_lag.set(0.25)
    assert parse(metrics.render().decode()) == 0.25


def test_an_operator_that_does_not_tell_has_none() -> None:
    """Neither without the metric nor without metrics."""
    assert parse("up 1") is None
    assert loop_lag(f"http://127.0.0.1:{free_port()}/metrics") is None
