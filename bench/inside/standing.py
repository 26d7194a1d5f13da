"""How many sessions stand, as the operator itself tells in its metrics."""

from __future__ import annotations

import asyncio
import time
import urllib.error
import urllib.request

from bench import prometheus
from bench.lag import URL

METRIC = "kamaji_tenant_sessions"
_LIMIT = 5.0
_POLL = 0.2
"""Between two looks, seconds; each costs the operator some milliseconds."""


async def until_standing(count: int, limit: float) -> bool:
    """Wait until so many sessions stand; False when they do not within `limit` seconds."""
    deadline = time.monotonic() + limit
    while await asyncio.to_thread(standing) < count:
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(_POLL)
    return True


def standing(url: str = URL) -> int:
    """How many stand; 0 also while the operator does not tell.

    Args:
        url: of its metrics.
    """
    try:
        with urllib.request.urlopen(url, timeout=_LIMIT) as answer:  # noqa: S310 - an address of our own
            return standing_in(answer.read().decode())
    except (urllib.error.URLError, OSError):
        return 0


def standing_in(metrics: str) -> int:
    """Find it among metrics in Prometheus' text format."""
    found = prometheus.samples(metrics, METRIC)
    return sum(int(value) for labels, value in found if labels.get("state") == "standing")
