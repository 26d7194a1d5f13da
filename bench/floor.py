"""Measuring the floor: the same Deployments, Services and Secrets, started while no operator runs.

The operator is stopped, the Deployments that it made are scaled to nothing and the tenants' keys are wiped from the
store; then the pods are started again, all at once or so many at a time. What this takes, no operator can save, but
one that starts too many at once can waste more.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from bench.concurrency import at_most
from bench.errors import BenchError
from bench.figures import spread
from bench.fleet import NAMESPACE
from bench.results import FloorResult, FloorRun
from bench.timeline import DEPLOYMENT_READY, POD, POD_READY, STARTED
from kamaji_core.kube import DEPLOYMENTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.testbed import Testbed
    from bench.timeline import Timeline

_STAGES = (POD, STARTED, POD_READY, DEPLOYMENT_READY)
_PATCHES_AT_A_TIME = 8
_EMPTY_LIMIT = 240.0
_QUIET_LIMIT = 300.0
_TOLERANCE = 1.1
"""Runs whose last tenant came within a tenth of the best one's count as equally fast."""


async def floor(bed: Testbed) -> FloorResult:
    """Start the fleet's pods without an operator, once for each width, and give the fleet back to the operator.

    Raises:
        BenchError: when the pods do not end.
    """
    await bed.operator.stop()
    runs = [await _run(bed, width) for width in bed.options.widths]
    bed.say("Starting the operator again.")
    began = bed.meter.mark()
    await bed.operator.start()
    await bed.meter.until_quiet(began.at, _QUIET_LIMIT)
    return FloorResult(best=best_width(runs), runs=tuple(runs))


async def _run(bed: Testbed, width: int) -> FloorRun:
    names, observer = bed.options.fleet.names, bed.observer
    present = [name for name in names if observer.deployment(name) is not None]
    await _empty(bed, present)
    bed.say(f"Starting {len(present)} Deployments without an operator, {width_text(width)}.")
    mark = bed.meter.mark()
    timeline = observer.begin()
    await _start_all(bed, present, width, timeline)
    ready = timeline.at(DEPLOYMENT_READY)
    bed.say(f"{len(ready)} of {len(present)} are ready after {max(ready.values(), default=0.0):.1f} s.")
    return FloorRun(
        width=width,
        ready=len(ready),
        stages={stage: spread(timeline.at(stage).values()) for stage in _STAGES},
        deployment_ready=spread(ready.values()),
        restarts=timeline.restarts(),
        window=bed.meter.window(mark),
        tenants=ready,
    )


async def _start_all(bed: Testbed, names: Sequence[str], width: int, timeline: Timeline) -> None:
    """Start them, each as soon as it is its turn, and wait until all are ready or the limit has come."""

    async def start(name: str) -> None:
        await _scale(bed, name, 1)
        await bed.observer.until(lambda: timeline.has(name, DEPLOYMENT_READY), bed.options.limit)

    try:
        async with asyncio.timeout(bed.options.limit):
            await at_most(width, start, names)
    except TimeoutError:
        bed.say(f"Not all are ready within {bed.options.limit:.0f} s.")


async def _empty(bed: Testbed, names: Sequence[str]) -> None:
    """End the pods, wipe what they stored and let the node finish with them."""

    async def stop(name: str) -> None:
        await _scale(bed, name, 0)

    await at_most(_PATCHES_AT_A_TIME, stop, names)
    if not await bed.observer.until(lambda: not bed.observer.pods, _EMPTY_LIMIT):
        raise BenchError(f"the pods in the namespace {NAMESPACE} do not end: see `kubectl describe pods`")
    await asyncio.to_thread(bed.store.wipe_data)
    await bed.meter.until_machine_rests()


async def _scale(bed: Testbed, name: str, replicas: int) -> None:
    await bed.client.merge_patch(DEPLOYMENTS, name, {"spec": {"replicas": replicas}}, NAMESPACE)


def width_text(width: int) -> str:
    """A width in words."""
    return f"{width} at a time" if width else "all at once"


def best_width(runs: Sequence[FloorRun]) -> int:
    """The width with the best median among the runs that were all ready about as fast as the fastest.

    Args:
        runs: at least one.
    """
    most = max(run.ready for run in runs)
    complete = [run for run in runs if run.ready == most]
    fastest = min(run.deployment_ready.max or 0.0 for run in complete)
    near = [run for run in complete if (run.deployment_ready.max or 0.0) <= fastest * _TOLERANCE]
    return min(near, key=lambda run: run.deployment_ready.p50 or 0.0).width


def widths_to_try(size: int, cores: int | None = None) -> tuple[int, ...]:
    """Half, one, two and four boots for each core, and all at once; those that are no less than the fleet are that."""
    cores = cores or os.cpu_count() or 1
    candidates = {max(cores // 2, 1), cores, cores * 2, cores * 4}
    return (*sorted(width for width in candidates if width < size), 0)
