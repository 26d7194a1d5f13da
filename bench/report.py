"""The figures as one Markdown table with a column for each run, and as a file that other programs read."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from bench import timeline
from bench.figures import MEBIBYTE, NOTHING, seconds_text, spread_text
from bench.floor import width_text
from bench.inside.report import heal_rows, inside_rows, sessions_rows
from bench.inside.results import HealResult, InsideResult, SessionsResult
from bench.requests import WRITES
from bench.results import (
    ChangeResult,
    CreateResult,
    DeleteResult,
    FloorResult,
    IdleResult,
    RestartResult,
)
from bench.rotation.report import rotation_rows
from bench.rotation.results import RotationResult

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.machine import Machine
    from bench.meter import Sample, Window
    from bench.requests import RequestCounts
    from bench.results import Result

Rows = dict[str, str]
"""What each row of a column says, by the row's name; the order is that of the table."""


def markdown(columns: Sequence[tuple[str, Sequence[Result]]]) -> str:
    """Make the table.

    Args:
        columns: for each run its heading and its results, in the order in which they were measured.
    """
    filled = [(heading, _column(results)) for heading, results in columns]
    names = list(dict.fromkeys(name for _, rows in filled for name in rows))
    lines = [_line(["", *(heading for heading, _ in filled)]), _line(["---"] * (len(filled) + 1))]
    lines += [_line([name, *(rows.get(name, NOTHING) for _, rows in filled)]) for name in names]
    return "\n".join(lines)


def as_json(
    *, machine: Machine, options: dict[str, Any], runs: Sequence[Sequence[Result]], samples: Sequence[Sequence[Sample]]
) -> str:
    """Write every figure.

    Args:
        machine: what it ran on.
        options: what was asked for.
        runs: the results of each run.
        samples: what the meter saw in each run.
    """
    document = {
        "machine": asdict(machine),
        "options": options,
        "runs": [{measurement_of(result): asdict(result) for result in results} for results in runs],
        "samples": [[asdict(sample) for sample in run] for run in samples],
    }
    return json.dumps(document, indent=1) + "\n"


def measurement_of(result: Result) -> str:
    """The name of the measurement that a result is of."""
    return type(result).__name__.removesuffix("Result").lower()


def _column(results: Sequence[Result]) -> Rows:
    rows: Rows = {}
    for result in results:
        rows.update(rows_of(result))
    return rows


def rows_of(result: Result) -> Iterator[tuple[str, str]]:
    """The rows of one result: what stands in the first column, and what in a run's."""
    if isinstance(result, CreateResult):
        yield from _create(result)
    elif isinstance(result, IdleResult):
        yield from _idle(result)
    elif isinstance(result, RestartResult):
        yield from _restart(result)
    elif isinstance(result, ChangeResult):
        yield from _change(result)
    elif isinstance(result, FloorResult):
        yield from _floor(result)
    elif isinstance(result, InsideResult):
        yield from inside_rows(result)
    elif isinstance(result, SessionsResult):
        yield from sessions_rows(result)
    elif isinstance(result, HealResult):
        yield from heal_rows(result)
    elif isinstance(result, RotationResult):
        yield from rotation_rows(result)
    else:
        yield from _delete(result)


def _create(result: CreateResult) -> Iterator[tuple[str, str]]:
    tenants = max(len(result.tenants), 1)
    ready = result.stages.get(timeline.READY)
    yield "create: tenants Ready", f"{result.ready} of {len(result.tenants)}"
    yield "- Ready p50 / p99 / max, s", spread_text(ready, "p50", "p99", "max") if ready else NOTHING
    for stage, times in result.stages.items():
        if stage not in {timeline.READY, f"{timeline.CONDITION_PREFIX}Ready"}:
            yield f"- {stage} p50 / max, s", spread_text(times, "p50", "max")
    yield "- lag Deployment ready → tenant Ready p50 / max, s", spread_text(result.ready_lag, "p50", "max", digits=2)
    yield "- quiet after, s", seconds_text(result.quiet_after)
    yield (
        "- operator CPU-s until all Ready / until quiet",
        (f"{result.until_ready.operator_cpu_seconds:.2f} / {result.until_quiet.operator_cpu_seconds:.2f}"),
    )
    yield "- operator CPU-s a tenant", f"{result.until_ready.operator_cpu_seconds / tenants:.3f}"
    yield from _memory("", result.until_quiet)
    asked = result.until_quiet.asked
    yield "- requests (a tenant)", f"{asked.requests} ({asked.requests / tenants:.1f})"
    yield "- writes (a tenant)", f"{asked.writes} ({asked.writes / tenants:.1f})"
    yield (
        "- writes a tenant: objects / metadata patches / status patches / Events",
        " / ".join(f"{count / tenants:.1f}" for count in _writes_by_purpose(asked)),
    )
    yield "- refused with 409", f"{asked.conflicts}"
    yield from _servers("", result.until_ready)
    yield "- container restarts", _restarts(result.restarts)
    bare = result.bare_resident_bytes
    yield "- RSS of a bare interpreter with the same libraries, MiB", f"{bare / MEBIBYTE:.1f}" if bare else NOTHING
    yield "- longest lag of the event loop, s", seconds_text(result.loop_lag, 3)


def _writes_by_purpose(asked: RequestCounts) -> tuple[int, int, int, int]:
    """How many writes went to owned objects, tenants' metadata, status and Events."""
    counts = {"objects": 0, "metadata": 0, "status": 0, "events": 0}
    for kind, count in asked.kinds.items():
        verb, _, resource = kind.partition(" ")
        if verb not in WRITES:
            continue
        if resource.endswith("/status"):
            counts["status"] += count
        elif resource == "events":
            counts["events"] += count
        elif resource in {"tenantcontrolplanes", "datastores"}:
            counts["metadata"] += count
        else:
            counts["objects"] += count
    return counts["objects"], counts["metadata"], counts["status"], counts["events"]


def _idle(result: IdleResult) -> Iterator[tuple[str, str]]:
    yield "idle: operator CPU, % of a core", f"{result.cpu_share * 100:.2f}"
    yield "- idle: writes / requests per minute", f"{result.writes_per_minute:.1f} / {result.requests_per_minute:.1f}"
    yield from _memory("idle: ", result.window)
    yield from _servers("idle: ", result.window)
    yield "- idle: container restarts", _restarts(result.restarts)


def _restart(result: RestartResult) -> Iterator[tuple[str, str]]:
    window, asked = result.window, result.window.asked
    yield "restart: working after, s", f"{result.working_after:.2f}"
    yield "- leading after, s", seconds_text(result.leading_after, 2)
    yield "- stopped within, s", f"{result.stopped_after:.2f}"
    yield (
        "- restart: first request / quiet after, s",
        (f"{seconds_text(result.first_request_after, 2)} / {seconds_text(result.quiet_after)}"),
    )
    yield "- restart: CPU-s", f"{window.operator_cpu_seconds:.2f}"
    yield "- restart: requests / writes", f"{asked.requests} / {asked.writes}"
    wrote = {kind: count for kind, count in asked.kinds.items() if kind.partition(" ")[0] in WRITES}
    yield "- restart: what was written", ", ".join(f"{count} {kind}" for kind, count in wrote.items()) or "nothing"
    yield "- restart: Deployments changed", f"{result.rollouts}"
    yield (
        "- tenants looked at after (drift put back) p50 / max, s",
        (f"{spread_text(result.looked_at, 'p50', 'max', digits=2)} ({result.looked_at.count})"),
    )
    yield (
        "- putting back: CPU-s / writes",
        (f"{result.putting_back.operator_cpu_seconds:.2f} / {result.putting_back.asked.writes}"),
    )


def _change(result: ChangeResult) -> Iterator[tuple[str, str]]:
    yield "change: settled after, s", seconds_text(result.settled_after)
    yield "- generations / ReplicaSets", f"{result.generations} / {result.replica_sets}"
    yield "- change: requests / writes", f"{result.window.asked.requests} / {result.window.asked.writes}"
    yield "- other tenants' Deployments changed", f"{result.others_changed}"


def _floor(result: FloorResult) -> Iterator[tuple[str, str]]:
    for run in result.runs:
        name = width_text(run.width)
        best = " (best)" if run.width == result.best and len(result.runs) > 1 else ""
        yield (
            f"floor, {name}: Ready p50 / p99 / max, s",
            (f"{spread_text(run.deployment_ready, 'p50', 'p99', 'max')} ({run.ready} ready){best}"),
        )
        yield f"- {name}: kube-apiserver CPU-s", f"{run.window.server_cpu_seconds.get('kube-apiserver', 0.0):.1f}"
        yield f"- {name}: machine busy", f"{run.window.machine_busy:.2f}"
        yield f"- {name}: container restarts", _restarts(run.restarts)


def _delete(result: DeleteResult) -> Iterator[tuple[str, str]]:
    store = result.left_at_store
    yield "delete: gone p50 / max, s", f"{spread_text(result.gone, 'p50', 'max')} ({result.gone.count})"
    yield "- pods gone after, s", seconds_text(result.pods_gone_after)
    yield "- delete: operator CPU-s", f"{result.window.operator_cpu_seconds:.2f}"
    yield "- delete: requests / writes", f"{result.window.asked.requests} / {result.window.asked.writes}"
    yield "- left at the store: keys or databases / users / roles", f"{store.keys} / {store.users} / {store.roles}"
    left = ", ".join(f"{count} {kind}" for kind, count in result.left_objects.items())
    yield "- left in the namespace", left or "nothing"


def _memory(prefix: str, window: Window) -> Iterator[tuple[str, str]]:
    yield (
        f"- {prefix}RSS peak / end, MiB",
        (f"{window.operator_resident_peak_bytes / MEBIBYTE:.1f} / {window.operator_resident_bytes / MEBIBYTE:.1f}"),
    )
    yield (
        f"- {prefix}threads / connections peak / connections end",
        (f"{window.operator_threads} / {window.operator_connections_peak} / {window.operator_connections}"),
    )


def _servers(prefix: str, window: Window) -> Iterator[tuple[str, str]]:
    yield f"- {prefix}kube-apiserver CPU-s", f"{window.server_cpu_seconds.get('kube-apiserver', 0.0):.1f}"
    yield f"- {prefix}machine busy", f"{window.machine_busy:.2f}"


def _restarts(restarts: dict[str, int]) -> str:
    if not restarts:
        return "0"
    return f"{sum(restarts.values())} ({', '.join(f'{name} {count}' for name, count in restarts.items())})"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
