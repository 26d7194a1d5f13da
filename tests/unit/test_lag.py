"""A loop that is blocked is seen in the metrics."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from kamaji_core import lag
from kamaji_core.metrics import Metrics

if TYPE_CHECKING:
    import pytest


async def test_what_blocks_the_loop_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the lag of the look that came late, and as the longest ever."""
    monkeypatch.setattr(lag, "INTERVAL_SECONDS", 0.01)
    metrics = Metrics()
    watching = asyncio.create_task(lag.watch_lag(metrics))
    loop = asyncio.get_running_loop()
    await asyncio.sleep(0)
    end = loop.time() + 0.1
    while loop.time() < end:
        pass  # that is what blocking is
    for _ in range(1000):
        if metrics.registry.get_sample_value("kamaji_event_loop_lag_seconds_max"):
            break
        await asyncio.sleep(0.005)
    assert 0.05 < (metrics.registry.get_sample_value("kamaji_event_loop_lag_seconds_max") or 0) < 5
    watching.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await watching
