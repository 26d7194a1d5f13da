"""The rows of what was measured inside tenants' clusters."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from bench.figures import spread
from bench.inside.creation import ways
from bench.inside.results import Fault, Healing, HealResult, InsideResult, SessionsResult, Way
from bench.report import measurement_of, rows_of
from bench.results import IdleResult

if TYPE_CHECKING:
    from bench.meter import Window


def test_every_second_run_turns_the_order_round() -> None:
    """So that neither fleet is always the one on the warm machine."""
    assert ways(silent_one=False, number=1) == (Way.SESSIONS, Way.BARE)
    assert ways(silent_one=False, number=2) == (Way.BARE, Way.SESSIONS)
    assert ways(silent_one=True, number=1) == (Way.SESSIONS, Way.SILENT)


def test_sessions_are_compared_with_the_bare_client(fleet: Any) -> None:
    """Time from readiness, and CPU seconds a tenant."""
    result = InsideResult(fleets=(fleet(Way.BARE, cpu=0.4), fleet(Way.SESSIONS, cpu=0.6)))
    rows = dict(rows_of(result))
    assert measurement_of(result) == "inside"
    assert rows["inside: order of the fleets"] == "bare client, sessions"
    assert rows["- sessions: /readyz to AddonsReady p50 / max, s"] == "0.50 / 1.00 (2)"
    assert rows["- bare client: /readyz to written p50 / max, s"] == "0.25 / 0.25 (2)"
    assert rows["AddonsReady later than the bare client p50 / max, s"] == "+0.25 / +0.75"
    assert rows["operator CPU-s more a tenant than without sessions"] == "0.100"
    assert asdict(result)["fleets"][0]["way"] == "bare client"


def test_the_silent_tenant_does_not_count(fleet: Any) -> None:
    """The same others are compared with it among them and without it."""
    result = InsideResult(fleets=(fleet(Way.SESSIONS), fleet(Way.SILENT, silent="a", late=0.5)))
    rows = dict(rows_of(result))
    assert rows["others addons_ready after POST with the silent one p50 / max, s"] == "5.50 / 5.50 (1)"
    assert rows["- addons_ready without it p50 / max, s"] == "5.00 / 5.00 (1)"
    assert rows["- addons_ready with it / without it, max"] == "1.10"
    assert rows["others /readyz to AddonsReady with / without it, max, s"] == "1.50 / 1.00"


def test_one_fleet_alone_has_rows(fleet: Any) -> None:
    """When the other was interrupted."""
    rows = dict(rows_of(InsideResult(fleets=(fleet(Way.BARE),))))
    assert rows["bare client: tenants Ready / readiness seen"] == "2 / 2"


def test_what_a_session_costs_is_a_slope(cost: Window) -> None:
    """Of memory and CPU, between no tenants and all."""
    empty = IdleResult(
        was_quiet=True, cpu_share=0.001, requests_per_minute=0, writes_per_minute=0, window=cost, restarts={}
    )
    grown = replace(cost, operator_resident_bytes=cost.operator_resident_bytes + 4 * 2**20)
    result = SessionsResult(
        tenants=10,
        stood=True,
        empty=empty,
        full=replace(empty, cpu_share=0.002, window=grown),
        connections=spread([3, 4]),
        tenant_writes={},
        restart_working_after=0.7,
        restart_standing_after=None,
        restart=cost,
        restart_writes={"create events": 1},
        restart_tenant_writes={"APPLY configmaps": 2},
    )
    rows = dict(rows_of(result))
    assert rows["- RSS a tenant / after the restart, MiB"] == "0.400 / 0.000"
    assert rows["- CPU a tenant over 10 s, % of a core"] == "0.0100"
    assert rows["- most connections to a tenant p50 / max"] == "3 / 4"
    assert rows["- at rest: writes in tenants' clusters"] == "0"
    assert rows["- sessions restart: working / all stand after, s"] == "0.70 / -"
    assert rows["- sessions restart: writes in the management cluster"] == "1 create events"
    assert rows["- sessions restart: writes in tenants' clusters"] == "2 APPLY configmaps"


def test_what_was_never_healed_is_counted() -> None:
    """It is no time, and must not be overlooked."""
    healing = Healing(tenant="a", kind="ConfigMap", object="ConfigMap x/y", edit="deleted", seconds=0.1234)
    result = HealResult(
        watched=(healing, replace(healing, seconds=None), replace(healing, kind="Deployment")),
        look_seconds=10.0,
        dropped=(Fault(connections=4, seconds=41.26), Fault(connections=4, seconds=None)),
    )
    assert dict(rows_of(result)) == {
        "heal: watched ConfigMap back after p50 / p99 / max, s": "0.123 / 0.123 / 0.123 (2 edits, 1 never)",
        "heal: watched Deployment back after p50 / p99 / max, s": "0.123 / 0.123 / 0.123 (1 edits, 0 never)",
        "heal: packets dropped (connections), edit healed after, s": "41.3 (4), - (4)",
    }
