"""What was seen while a store's secrets changed, as rows of the table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.figures import spread_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.rotation.results import Phase, RotationResult, Seen


def rotation_rows(result: RotationResult) -> Iterator[tuple[str, str]]:
    """The rows, five for each change."""
    yield "rotate: replicas of each tenant, calls a second of all", f"{result.replicas}, {result.rate:g}"
    for phase in result.phases:
        yield from _rows(phase)


def _rows(phase: Phase) -> Iterator[tuple[str, str]]:
    yield f"{phase.name}: settled after, s", f"{phase.seconds:.0f}" if phase.settled else "never"
    yield f"- {phase.name}: rollouts of each tenant", ", ".join(str(count) for count in phase.rollouts.values())
    yield f"- {phase.name}: kept connections", _text(phase.kept)
    yield f"- {phase.name}: new connections", _text(phase.new)
    yield f"- {phase.name}: untouched tenant", _text(phase.untouched)


def _text(seen: Seen) -> str:
    seconds = spread_text(seen.seconds, "p50", "p99", "max", digits=3)
    return f"{seen.failed} of {seen.calls} failed, {seen.late} late; {seconds} s"
