"""The figures as curves, and pictures without a library to draw them."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING

import pytest

from bench.errors import BenchError
from bench.plots import draw, resident_mebibytes, shares, steps

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bench.meter import Sample


def test_a_curve_begins_with_nobody_and_ends_with_all() -> None:
    """Whatever the order of the moments."""
    assert steps([3.0, 1.0, 2.0]) == ([0.0, 1.0, 2.0, 3.0], [0, 1, 2, 3])
    assert steps([]) == ([0.0], [0])


def test_a_share_is_what_was_spent_between_two_looks(sample: Callable[..., Sample]) -> None:
    """Two looks at the same moment have nothing between them."""
    samples = [sample(10.0, 1.0), sample(12.0, 2.0), sample(12.0, 2.0), sample(13.0, 2.25)]
    assert shares(samples) == ([2.0, 3.0], [50.0, 25.0])


def test_memory_is_no_number_while_no_operator_runs(sample: Callable[..., Sample]) -> None:
    """The line in the picture is broken there instead of sloping."""
    first, second = resident_mebibytes([sample(1.0, resident=3 * 2**20), sample(2.0, pid=None)])
    assert first == 3.0
    assert math.isnan(second)


def test_without_matplotlib_there_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says how to get it, and no directory is made."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(BenchError, match=r"pip install 'kamaji-core\[bench\]'"):
        draw(tmp_path / "plots", [], [])
    assert not (tmp_path / "plots").exists()
