"""Figures as a Markdown table, medians beside their ranges."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.ready import Pair


def markdown(pairs: Sequence[Pair]) -> str:
    """Make the table of some pairs of runs.

    Args:
        pairs: at least one.
    """
    lines = ["| | median s | min | max |", "|---|---|---|---|"]
    phases = list(pairs[0].operator.phases)
    rows = [("operator: POST to Ready", [pair.operator.total for pair in pairs])]
    rows += [(f"- {phase}", [pair.operator.phases[phase] for pair in pairs]) for phase in phases]
    rows += [
        ("floor: POST of the Deployment to its readiness", [pair.floor for pair in pairs]),
        ("difference, pair by pair", [pair.operator.total - pair.floor for pair in pairs]),
        ("deletion: DELETE to gone", [pair.deletion for pair in pairs]),
    ]
    for name, values in rows:
        middle = statistics.median(values)
        lines.append(f"| {name} | {middle:.2f} | {min(values):.2f} | {max(values):.2f} |")
    return "\n".join(lines)
