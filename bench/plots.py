"""The same figures as pictures: the way to Ready beside the floor, what the operator used, what it asked for.

matplotlib is asked for when a picture is drawn: nobody needs it to measure.
"""

from __future__ import annotations

import importlib
import itertools
import math
from typing import TYPE_CHECKING, Any

from bench.errors import BenchError
from bench.figures import MEBIBYTE
from bench.floor import width_text
from bench.results import CreateResult, FloorResult
from bench.timeline import READY

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from bench.meter import Sample
    from bench.results import Result

_MOST_KINDS = 15
_SIZE = (9, 5)
_DOTS_PER_INCH = 120


def load_library() -> Any:
    """Import matplotlib's drawing part, without a screen.

    Raises:
        BenchError: when it is not installed.
    """
    try:
        importlib.import_module("matplotlib").use("Agg")
        return importlib.import_module("matplotlib.pyplot")
    except ImportError as error:
        raise BenchError("there is no matplotlib, so no plots: pip install 'kamaji-core[bench]'") from error


def draw(directory: Path, runs: Sequence[Sequence[Result]], samples: Sequence[Sequence[Sample]]) -> list[Path]:
    """Draw what there is and tell the files.

    Args:
        directory: where to; made when it is not there.
        runs: the results of each run.
        samples: what the meter saw in each run.

    Raises:
        BenchError: when matplotlib is not installed.
    """
    library = load_library()
    directory.mkdir(parents=True, exist_ok=True)
    files = []
    for number, (results, seen) in enumerate(zip(runs, samples, strict=True), start=1):
        pictures = {"ready": _draw_ready, "operator": _draw_operator, "requests": _draw_requests}
        for name, picture in pictures.items():
            figure, axes = library.subplots(figsize=_SIZE, dpi=_DOTS_PER_INCH, layout="constrained")
            picture(axes, results, seen)
            file = directory / f"{name}-{number}.png"
            figure.savefig(file)
            library.close(figure)
            files.append(file)
    return files


def steps(moments: Iterable[float]) -> tuple[list[float], list[int]]:
    """How many had come about by when: the moments in order, from (0, 0) on."""
    ordered = sorted(moments)
    return [0.0, *ordered], list(range(len(ordered) + 1))


def shares(samples: Sequence[Sample]) -> tuple[list[float], list[float]]:
    """The operator's share of a core, in percent, between each two samples, at the later one's time."""
    times, values = [], []
    for before, after in itertools.pairwise(samples):
        seconds = after.at - before.at
        if seconds > 0:
            times.append(after.at - samples[0].at)
            values.append((after.operator_cpu_seconds - before.operator_cpu_seconds) / seconds * 100)
    return times, values


def resident_mebibytes(samples: Sequence[Sample]) -> list[float]:
    """The operator's memory at each look, not a number while it does not run: a line is broken there."""
    return [sample.operator.resident_bytes / MEBIBYTE if sample.operator else math.nan for sample in samples]


def _draw_ready(axes: Any, results: Sequence[Result], _samples: Sequence[Sample]) -> None:
    for result in results:
        if isinstance(result, CreateResult):
            moments = [times[READY] for times in result.tenants.values() if READY in times]
            axes.step(*steps(moments), where="post", label="with the operator")
        elif isinstance(result, FloorResult):
            for run in result.runs:
                label = f"floor, {width_text(run.width)}"
                axes.step(*steps(run.tenants.values()), where="post", linestyle="--", label=label)
    axes.set(xlabel="seconds", ylabel="tenants Ready", ylim=(0, None), xlim=(0, None))
    axes.legend()


def _draw_operator(axes: Any, _results: Sequence[Result], samples: Sequence[Sample]) -> None:
    axes.plot(*shares(samples), color="tab:blue", linewidth=0.8)
    axes.set(xlabel="seconds", ylabel="operator's CPU, % of a core", ylim=(0, None), xlim=(0, None))
    memory = axes.twinx()
    times = [sample.at - samples[0].at for sample in samples]
    memory.plot(times, resident_mebibytes(samples), color="tab:orange", linewidth=1.2)
    memory.set(ylabel="operator's RSS, MiB (orange)", ylim=(0, None))


def _draw_requests(axes: Any, results: Sequence[Result], _samples: Sequence[Sample]) -> None:
    for result in results:
        if isinstance(result, CreateResult):
            kinds = list(result.until_quiet.asked.kinds.items())[:_MOST_KINDS]
            axes.barh([kind for kind, _ in kinds], [count for _, count in kinds])
    axes.invert_yaxis()
    axes.set(xlabel="the operator's requests while the fleet was created")
