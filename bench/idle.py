"""Measuring a fleet at rest: what an operator costs when nobody asks it for anything."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from bench.results import IdleResult

if TYPE_CHECKING:
    from bench.testbed import Testbed

QUIET_LIMIT = 300.0


async def idle(bed: Testbed) -> IdleResult:
    """Wait until the operator is quiet and watch it for a while."""
    meter, seconds = bed.meter, bed.options.idle_seconds
    was_quiet = await meter.until_quiet(meter.mark().at, QUIET_LIMIT) is not None
    bed.say(f"Watching the idle fleet for {seconds:.0f} s.")
    timeline = bed.observer.begin()
    mark = meter.mark()
    await asyncio.sleep(seconds)
    window = meter.window(mark)
    minutes = window.seconds / 60
    return IdleResult(
        was_quiet=was_quiet,
        cpu_share=window.operator_cpu_seconds / window.seconds,
        requests_per_minute=window.asked.requests / minutes,
        writes_per_minute=window.asked.writes / minutes,
        window=window,
        restarts=timeline.restarts(),
    )
