"""How late the operator's event loop was, as the operator itself tells in its metrics."""

from __future__ import annotations

import urllib.error
import urllib.request

from sandbox.places import NODE_ADDRESS

URL = f"http://{NODE_ADDRESS}:8080/metrics"
METRIC = "kamaji_event_loop_lag_seconds_max"
_LIMIT = 5.0


def loop_lag(url: str = URL) -> float | None:
    """The longest lag since the operator's start, seconds; None when the operator does not tell it.

    Args:
        url: of its metrics.
    """
    try:
        with urllib.request.urlopen(url, timeout=_LIMIT) as answer:  # noqa: S310 - an address of our own
            return parse(answer.read().decode())
    except (urllib.error.URLError, OSError):
        return None


def parse(metrics: str) -> float | None:
    """Find the lag among metrics in Prometheus' text format."""
    for line in metrics.splitlines():
        name, _, value = line.partition(" ")
        if name == METRIC:
            return float(value)
    return None
