"""Reading single metrics out of Prometheus' text format, of which an API server tells a megabyte."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def samples(metrics: str, name: str) -> Iterator[tuple[dict[str, str], float]]:
    """Give the labels and the value of each sample of one metric.

    Args:
        metrics: all of them as text.
        name: of the metric.
    """
    for line in metrics.splitlines():
        if line.startswith((f"{name}{{", f"{name} ")):
            labels, _, value = line.removeprefix(name).rpartition(" ")
            yield dict(_LABEL.findall(labels)), float(value)
