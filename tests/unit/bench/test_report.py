"""The figures as a table and as a file."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from bench.figures import Spread, seconds_text, spread, spread_text
from bench.machine import machine
from bench.report import as_json, markdown, measurement_of, rows_of
from bench.results import (
    ChangeResult,
    CreateResult,
    DeleteResult,
    FloorResult,
    FloorRun,
    IdleResult,
    RestartResult,
)
from bench.storage import StoreGrowth

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.meter import Sample, Window
    from bench.results import Result


@pytest.fixture
def created(cost: Window) -> CreateResult:
    """Two tenants of which one became Ready."""
    return CreateResult(
        ready=1,
        seconds=8.0,
        posted=spread([0.1, 0.2]),
        stages={"Deployment created": spread([1.0, 2.0]), "tenant Ready": spread([6.54])},
        ready_lag=spread([0.014]),
        quiet_after=None,
        until_ready=cost,
        until_quiet=replace(cost, operator_cpu_seconds=0.75),
        restarts={"kube-apiserver": 3, "kube-scheduler": 1},
        tenants={"a": {"posted": 0.1, "tenant Ready": 6.54}, "b": {"posted": 0.2}},
        bare_resident_bytes=60 * 2**20,
        loop_lag=0.012,
    )


@pytest.fixture
def results(created: CreateResult, cost: Window) -> list[Result]:
    """One of each."""
    run = FloorRun(
        width=2,
        ready=2,
        stages={"pod Ready": spread([3.0, 5.0])},
        deployment_ready=spread([3.0, 5.0]),
        restarts={},
        window=cost,
        tenants={"a": 3.0, "b": 5.0},
    )
    return [
        created,
        IdleResult(
            was_quiet=True,
            cpu_share=0.0031,
            requests_per_minute=2.0,
            writes_per_minute=0.0,
            window=cost,
            restarts={},
        ),
        RestartResult(
            stopped_after=0.2,
            working_after=0.65,
            leading_after=0.6,
            first_request_after=None,
            quiet_after=1.0,
            window=cost,
            rollouts=0,
            looked_at=spread([0.7, 0.8]),
            putting_back=cost,
        ),
        ChangeResult(
            tenant="b",
            settled_after=9.0,
            generations=1,
            replica_sets=1,
            others_changed=0,
            window=cost,
        ),
        FloorResult(best=2, runs=(run, replace(run, width=0, deployment_ready=spread([4.0, 5.0])))),
        DeleteResult(
            gone=spread([0.1, 0.3]),
            pods_gone_after=None,
            window=cost,
            left_at_store=StoreGrowth(keys=3, users=1, roles=0),
            left_objects={"Secret": 2, "Pod": 1},
        ),
    ]


def test_every_result_has_a_name_and_rows_of_its_own(results: list[Result]) -> None:
    """No measurement's row hides another's."""
    assert [measurement_of(result) for result in results] == ["create", "idle", "restart", "change", "floor", "delete"]
    names = [name for result in results for name, _ in rows_of(result)]
    assert len(set(names)) == len(names)


def test_the_rows_of_a_creation(created: CreateResult) -> None:
    """Costs are told for the fleet and for a tenant; what did not happen is a dash."""
    rows = dict(rows_of(created))
    assert rows["create: tenants Ready"] == "1 of 2"
    assert rows["- Ready p50 / p99 / max, s"] == "6.5 / 6.5 / 6.5"
    assert rows["- Deployment created p50 / max, s"] == "1.0 / 2.0"
    assert rows["- quiet after, s"] == "-"
    assert rows["- operator CPU-s until all Ready / until quiet"] == "0.50 / 0.75"
    assert rows["- operator CPU-s a tenant"] == "0.250"
    assert rows["- writes (a tenant)"] == "15 (7.5)"
    assert rows["- writes a tenant: objects / metadata patches / status patches / Events"] == "5.5 / 0.0 / 2.0 / 0.0"
    assert rows["- RSS of a bare interpreter with the same libraries, MiB"] == "60.0"
    assert rows["- longest lag of the event loop, s"] == "0.012"
    assert rows["- RSS peak / end, MiB"] == "90.0 / 80.0"
    assert rows["- container restarts"] == "4 (kube-apiserver 3, kube-scheduler 1)"


def test_a_fleet_of_which_nobody_became_ready_has_rows_too(created: CreateResult) -> None:
    """That is when one wants to see them."""
    rows = dict(rows_of(replace(created, ready=0, stages={})))
    assert rows["create: tenants Ready"] == "0 of 2"
    assert rows["- Ready p50 / p99 / max, s"] == "-"


def test_the_best_floor_is_marked_among_several(results: list[Result]) -> None:
    """A single one is no choice."""
    floor = next(result for result in results if isinstance(result, FloorResult))
    rows = dict(rows_of(floor))
    assert rows["floor, 2 at a time: Ready p50 / p99 / max, s"] == "3.0 / 5.0 / 5.0 (2 ready) (best)"
    assert rows["floor, all at once: Ready p50 / p99 / max, s"] == "4.0 / 5.0 / 5.0 (2 ready)"
    assert "(best)" not in markdown([("", [replace(floor, runs=floor.runs[:1])])])


def test_what_is_left_is_named(results: list[Result]) -> None:
    """By kind in the namespace, as numbers at the store."""
    rows = dict(rows_of(results[-1]))
    assert rows["- left in the namespace"] == "2 Secret, 1 Pod"
    assert rows["- left at the store: keys or databases / users / roles"] == "3 / 1 / 0"
    assert rows["- pods gone after, s"] == "-"


def test_each_run_is_a_column(results: list[Result]) -> None:
    """A run that was cut short has dashes where its figures would be, and all lines are equally wide."""
    lines = markdown([("run 1", results[:1]), ("run 2", results)]).splitlines()
    assert lines[0] == "|  | run 1 | run 2 |"
    assert lines[1] == "| --- | --- | --- |"
    assert {line.count("|") for line in lines} == {4}
    (idle,) = [line for line in lines if line.startswith("| idle: operator CPU")]
    assert idle == "| idle: operator CPU, % of a core | - | 0.31 |"


def test_figures_as_text() -> None:
    """Digits as asked for, a dash for what is not there."""
    assert seconds_text(1.234, 2) == "1.23"
    assert seconds_text(None) == "-"
    assert spread_text(Spread(count=0), "p50", "max") == "- / -"


def test_the_file_holds_every_figure(results: list[Result], sample: Callable[..., Sample]) -> None:
    """A program finds a run's results by the measurement's name, and what it ran on."""
    content = as_json(machine=machine(), options={"tenants": 2}, runs=[results], samples=[[sample(1.0)]])
    document = json.loads(content)
    assert set(document["runs"][0]) == {"create", "idle", "restart", "change", "floor", "delete"}
    assert document["runs"][0]["create"]["tenants"]["a"]["tenant Ready"] == 6.54
    assert document["runs"][0]["floor"]["runs"][0]["window"]["asked"]["kinds"]["create secrets"] == 11
    assert document["samples"][0][0]["operator"]["connections"] == 9
    assert document["machine"]["cores"] >= 1
    assert document["options"] == {"tenants": 2}
