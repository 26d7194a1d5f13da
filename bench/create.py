"""Measuring the creation of a fleet: from the first POST until every tenant is Ready and the operator is quiet."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from bench.bare import bare_resident_bytes, interpreter_of
from bench.concurrency import at_most
from bench.consumption import PAGE_BYTES
from bench.figures import differences, spread
from bench.lag import loop_lag
from bench.results import CreateResult
from bench.timeline import DEPLOYMENT_READY, GONE, PUT_BACK, READY
from kamaji_core.tenancy import TENANT_CONTROL_PLANES

if TYPE_CHECKING:
    from bench.testbed import Testbed
    from bench.timeline import Timeline

POSTS_AT_A_TIME = 8
QUIET_LIMIT = 180.0


async def create(bed: Testbed) -> CreateResult:
    """Create the fleet and wait for it; what does not become Ready in time is told, not an error."""
    fleet, observer, meter = bed.options.fleet, bed.observer, bed.meter
    await meter.until_machine_rests()
    mark = meter.mark()
    timeline = observer.begin()
    posted: dict[str, float] = {}

    async def post(name: str) -> None:
        await bed.client.create(TENANT_CONTROL_PLANES, fleet.tenant(name))
        posted[name] = time.monotonic() - timeline.began

    bed.say(f"Creating {fleet.size} tenants ({fleet.shape}).")
    await at_most(POSTS_AT_A_TIME, post, fleet.names)
    await observer.until(lambda: timeline.reached(READY) >= fleet.size, bed.options.limit)
    seconds = time.monotonic() - timeline.began
    until_ready = meter.window(mark)
    bed.say(f"{timeline.reached(READY)} of {fleet.size} tenants are Ready after {seconds:.1f} s.")
    quiet = await meter.until_quiet(mark.at, QUIET_LIMIT)
    return CreateResult(
        ready=timeline.reached(READY),
        seconds=seconds,
        posted=spread(posted.values()),
        stages={stage: spread(timeline.at(stage).values()) for stage in _stages(timeline)},
        ready_lag=spread(differences(timeline.at(READY), timeline.at(DEPLOYMENT_READY)).values()),
        quiet_after=None if quiet is None else quiet - timeline.began,
        until_ready=until_ready,
        until_quiet=meter.window(mark),
        restarts=timeline.restarts(),
        tenants=_by_tenant(timeline, posted),
        bare_resident_bytes=await asyncio.to_thread(
            bare_resident_bytes, interpreter_of(bed.options.command), PAGE_BYTES, datastore=fleet.datastore
        ),
        loop_lag=await asyncio.to_thread(loop_lag),
    )


def _by_tenant(timeline: Timeline, posted: dict[str, float]) -> dict[str, dict[str, float]]:
    found = {name: {"posted": moment} for name, moment in sorted(posted.items())}
    for stage in _stages(timeline):
        for name, moment in timeline.at(stage).items():
            found.setdefault(name, {})[stage] = moment
    return found


def _stages(timeline: Timeline) -> list[str]:
    """Those of coming to life."""
    return [stage for stage in timeline.stages() if stage not in {PUT_BACK, GONE}]
