"""How many control planes of the floor boot at a time, and which number is the best."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench.figures import spread
from bench.floor import best_width, widths_to_try
from bench.results import FloorRun

if TYPE_CHECKING:
    from bench.meter import Window


@pytest.mark.parametrize(
    ("size", "cores", "widths"),
    [(100, 2, (1, 2, 4, 8, 0)), (3, 2, (1, 2, 0)), (1, 2, (0,)), (100, 1, (1, 2, 4, 0)), (100, 8, (4, 8, 16, 32, 0))],
)
def test_widths_follow_the_cores(size: int, cores: int, widths: tuple[int, ...]) -> None:
    """All at once is always among them, and nothing is tried twice."""
    assert widths_to_try(size, cores) == widths


def run(cost: Window, width: int, *ready: float) -> FloorRun:
    """A run whose Deployments were ready at these moments."""
    return FloorRun(
        width=width,
        ready=len(ready),
        stages={"pod Ready": spread(ready)},
        deployment_ready=spread(ready),
        restarts={},
        window=cost,
        tenants={str(number): moment for number, moment in enumerate(ready)},
    )


def test_the_best_median_wins_among_the_fast(cost: Window) -> None:
    """Four at a time halve the median and cost two percent at the end."""
    runs = [run(cost, 0, 101.0, 102.0, 105.0), run(cost, 4, 20.0, 54.0, 107.0), run(cost, 1, 10.0, 40.0, 180.0)]
    assert best_width(runs) == 4


def test_a_run_that_left_tenants_behind_is_not_the_best(cost: Window) -> None:
    """However fast the others were."""
    assert best_width([run(cost, 0, 1.0), run(cost, 2, 50.0, 60.0)]) == 2


def test_no_run_at_all_ready_has_a_best_width_still(cost: Window) -> None:
    """The table must come out."""
    assert best_width([run(cost, 2), run(cost, 0)]) == 2
