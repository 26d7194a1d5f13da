"""The rows of what was measured inside tenants' clusters, for the table of figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.figures import MEBIBYTE, NOTHING, differences, seconds_text, spread, spread_text
from bench.inside.results import Way

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.figures import Spread
    from bench.inside.results import Fault, Healing, HealResult, InsideFleet, InsideResult, SessionsResult


def inside_rows(result: InsideResult) -> Iterator[tuple[str, str]]:
    """Those of two fleets that differ in who writes."""
    yield "inside: order of the fleets", ", ".join(fleet.way for fleet in result.fleets)
    for fleet in result.fleets:
        yield from _fleet(fleet)
    sessions, bare, silent = (result.fleet(way) for way in (Way.SESSIONS, Way.BARE, Way.SILENT))
    if sessions and bare:
        yield from _against_bare(sessions, bare)
    if sessions and silent:
        yield from _against_silent(sessions, silent)


def sessions_rows(result: SessionsResult) -> Iterator[tuple[str, str]]:
    """Those of sessions at rest and after a restart."""
    empty, full, restart = result.empty.window, result.full.window, result.restart
    yield "sessions: tenants (all stood)", f"{result.tenants} ({'yes' if result.stood else 'NO'})"
    yield (
        "- RSS without tenants / with them / after the restart, MiB",
        " / ".join(f"{one.operator_resident_bytes / MEBIBYTE:.1f}" for one in (empty, full, restart)),
    )
    yield (
        "- RSS a tenant / after the restart, MiB",
        f"{result.resident_bytes / MEBIBYTE:.3f} / {result.resident_bytes_after_restart / MEBIBYTE:.3f}",
    )
    yield (
        "- CPU without tenants / with them, % of a core",
        f"{result.empty.cpu_share * 100:.3f} / {result.full.cpu_share * 100:.3f}",
    )
    yield f"- CPU a tenant over {full.seconds:.0f} s, % of a core", f"{result.cpu_share * 100:.4f}"
    yield "- most connections to a tenant p50 / max", spread_text(result.connections, "p50", "max", digits=0)
    yield "- at rest: writes in the management cluster", f"{full.asked.writes}"
    yield "- at rest: writes in tenants' clusters", _counted(result.tenant_writes)
    yield (
        "- sessions restart: working / all stand after, s",
        f"{result.restart_working_after:.2f} / {seconds_text(result.restart_standing_after, 2)}",
    )
    yield "- sessions restart: CPU-s", f"{restart.operator_cpu_seconds:.2f}"
    yield "- sessions restart: writes in the management cluster", _counted(result.restart_writes)
    yield "- sessions restart: writes in tenants' clusters", _counted(result.restart_tenant_writes)


def heal_rows(result: HealResult) -> Iterator[tuple[str, str]]:
    """Those of edits that are put back, and of faults."""
    for kind in sorted({one.kind for one in result.watched}):
        some = [one for one in result.watched if one.kind == kind]
        yield f"heal: watched {kind} back after p50 / p99 / max, s", _healed(some)
    if result.polled:
        name = f"heal: polled, a look every {result.look_seconds:.0f} s, back after p50 / p99 / max, s"
        yield name, _healed(result.polled)
    if result.dropped:
        yield "heal: packets dropped (connections), edit healed after, s", _befallen(result.dropped)
    if result.silent:
        yield "heal: management side silent (connections), acted after, s", _befallen(result.silent)


def _healed(healings: Sequence[Healing]) -> str:
    known = spread(one.seconds for one in healings if one.seconds is not None)
    never = len(healings) - known.count
    return f"{spread_text(known, 'p50', 'p99', 'max', digits=3)} ({len(healings)} edits, {never} never)"


def _befallen(faults: Sequence[Fault]) -> str:
    return ", ".join(f"{seconds_text(one.seconds)} ({one.connections})" for one in faults)


def _counted(writes: dict[str, int]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in writes.items()) or "0"


def _fleet(fleet: InsideFleet) -> Iterator[tuple[str, str]]:
    name, tenants = fleet.way, max(len(fleet.created.tenants), 1)
    yield f"{name}: tenants Ready / readiness seen", f"{fleet.created.ready} / {len(fleet.readyz)}"
    for what, moments in (
        ("Bootstrapped", fleet.bootstrapped),
        ("AddonsReady", fleet.addons_ready),
        ("written", fleet.written),
    ):
        if moments:
            after = fleet.after_readyz(moments, without=fleet.silent)
            yield f"- {name}: /readyz to {what} p50 / max, s", f"{_pair(after)} ({after.count})"
    spent = fleet.created.until_quiet.operator_cpu_seconds
    yield f"- {name}: operator CPU-s a tenant, until quiet", f"{spent / tenants:.3f}"


def _against_bare(sessions: InsideFleet, bare: InsideFleet) -> Iterator[tuple[str, str]]:
    floor = bare.after_readyz(bare.written)
    for what, moments in (("Bootstrapped", sessions.bootstrapped), ("AddonsReady", sessions.addons_ready)):
        after = sessions.after_readyz(moments)
        yield f"{what} later than the bare client p50 / max, s", _minus(after, floor)
    tenants = max(len(sessions.created.tenants), 1)
    more = sessions.created.until_quiet.operator_cpu_seconds - bare.created.until_quiet.operator_cpu_seconds
    yield "operator CPU-s more a tenant than without sessions", f"{more / tenants:.3f}"


def _against_silent(sessions: InsideFleet, silent: InsideFleet) -> Iterator[tuple[str, str]]:
    """The same tenants with the silent one among them and without it."""
    for what in ("bootstrapped", "addons_ready"):
        with_it, without = _others(silent, what, silent.silent), _others(sessions, what, silent.silent)
        yield f"others {what} after POST with the silent one p50 / max, s", f"{_pair(with_it)} ({with_it.count})"
        yield f"- {what} without it p50 / max, s", f"{_pair(without)} ({without.count})"
        yield f"- {what} with it / without it, max", _ratio(with_it.max, without.max)
    with_it = silent.after_readyz(silent.addons_ready, without=silent.silent)
    without = sessions.after_readyz(sessions.addons_ready, without=silent.silent)
    yield (
        "others /readyz to AddonsReady with / without it, max, s",
        (f"{seconds_text(with_it.max, 2)} / {seconds_text(without.max, 2)}"),
    )


def _others(fleet: InsideFleet, what: str, silent: str) -> Spread:
    moments = fleet.bootstrapped if what == "bootstrapped" else fleet.addons_ready
    posted = {name: stages["posted"] for name, stages in fleet.created.tenants.items() if "posted" in stages}
    return spread(value for name, value in differences(moments, posted).items() if name != silent)


def _pair(values: Spread) -> str:
    return spread_text(values, "p50", "max", digits=2)


def _minus(values: Spread, floor: Spread) -> str:
    pairs = ((values.p50, floor.p50), (values.max, floor.max))
    return " / ".join(NOTHING if a is None or b is None else f"{a - b:+.2f}" for a, b in pairs)


def _ratio(a: float | None, b: float | None) -> str:
    return NOTHING if a is None or not b else f"{a / b:.2f}"
