"""How late the event loop is: the one figure that tells whether something blocks everybody.

A call that blocks the loop for a second delays every tenant by it and shows nowhere else.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Never

    from kamaji_core.metrics import Metrics

INTERVAL_SECONDS = 1.0


async def watch_lag(metrics: Metrics) -> Never:
    """Note by how much each look comes late, until cancelled."""
    clock = asyncio.get_running_loop().time
    longest = 0.0
    while True:
        due = clock() + INTERVAL_SECONDS
        await asyncio.sleep(INTERVAL_SECONDS)
        late = max(clock() - due, 0.0)
        longest = max(longest, late)
        metrics.loop_lag.set(late)
        metrics.longest_loop_lag.set(longest)
