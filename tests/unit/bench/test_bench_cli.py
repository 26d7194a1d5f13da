"""The commands, what they refuse and what they make of their options."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from bench import cli
from bench.cli import main, options_of
from bench.errors import BenchError
from bench.fleet import Datastore, Shape
from bench.operator import DEFAULT_COMMAND, DEFAULT_HEALTH
from bench.results import ChangeResult

if TYPE_CHECKING:
    from pathlib import Path

    from bench.course import Records
    from bench.testbed import Options


@pytest.fixture
def runner() -> CliRunner:
    """Runs commands in this process."""
    return CliRunner()


def asked(**changes: Any) -> Options:
    """The options of a command with some of them changed."""
    settings: dict[str, Any] = {
        "tenants": 10,
        "shape": "full",
        "operator": DEFAULT_COMMAND,
        "health": DEFAULT_HEALTH,
        "version": None,
        "width": 0,
        "limit": None,
        "idle_seconds": 180.0,
    }
    return options_of(**{**settings, **changes})


def test_every_measurement_is_a_command(runner: CliRunner) -> None:
    """Each says what it does."""
    result = runner.invoke(main, ["--help"])
    assert result.exit_code == 0
    for name in (
        *(
            "all",
            "change",
            "clean",
            "create",
            "delete",
            "floor",
            "heal",
            "idle",
            "inside",
            "ready",
            "restart",
            "rotate",
            "sessions",
        ),
    ):
        assert f"\n  {name} " in result.output


@pytest.mark.parametrize(
    "arguments",
    [
        ["create", "--tenants", "0"],
        ["create", "--tenants", "241"],
        ["create", "--shape", "triangle"],
        ["create", "--datastore", "clay"],
        ["inside", "--datastore", "clay"],
        ["floor", "--width", "-1"],
        ["floor", "--width", "some"],
        ["create", "--runs", "0"],
        ["heal", "--only", "everything"],
        ["sessions", "--minutes", "0"],
    ],
)
def test_what_cannot_be_measured_is_refused(runner: CliRunner, arguments: list[str]) -> None:
    """Before anything is started."""
    result = runner.invoke(main, arguments)
    assert result.exit_code == 2
    assert "Invalid value" in result.output


def test_the_limit_grows_with_the_fleet() -> None:
    """Unless it is given."""
    assert asked(tenants=10).limit == 300.0
    assert asked(tenants=100).limit == 1380.0
    assert asked(limit=7.0).limit == 7.0


def test_options_become_what_is_measured() -> None:
    """The Kubernetes version is the pinned one unless another is asked for."""
    options = asked(shape="api-only", width=4)
    assert options.fleet.shape is Shape.API_ONLY
    assert options.fleet.version.startswith("v1.")
    assert options.widths == (4,)
    assert asked(version="v1.36.0").fleet.version == "v1.36.0"
    assert asked().fleet.datastore is Datastore.ETCD
    assert asked(datastore="postgres").fleet.datastore is Datastore.POSTGRES


def test_auto_tries_several_widths() -> None:
    """All at once is one of them."""
    widths = asked(width=None).widths
    assert len(widths) > 1
    assert widths[-1] == 0


@pytest.mark.parametrize(("given", "width"), [("auto", None), ("0", 0), ("4", 4)])
def test_a_width_is_a_number_or_auto(given: str, width: int | None) -> None:
    """Nothing else is understood."""
    assert cli._Width().convert(given, None, None) == width


def test_a_failure_is_one_sentence(runner: CliRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when it happened among many at once."""

    async def fail(*_: Any) -> None:
        raise ExceptionGroup("several", [ExceptionGroup("inner", [BenchError("there are tenants")])])

    monkeypatch.setattr(cli, "measure", fail)
    result = runner.invoke(main, ["create"])
    assert result.exit_code == 1
    assert result.output == "Error: there are tenants\n"


def test_what_was_measured_before_a_failure_is_shown(
    runner: CliRunner, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cost: Any
) -> None:
    """Half an hour's work is not thrown away."""
    result = ChangeResult(tenant="a", settled_after=1.0, generations=1, replica_sets=1, others_changed=0, window=cost)

    async def fail(_name: str, _options: Options, _runs: int, records: Records, _say: Any) -> None:
        records.runs.append([result])
        records.samples.append([])
        raise BenchError("it broke")

    monkeypatch.setattr(cli, "measure", fail)
    file = tmp_path / "figures.json"
    shown = runner.invoke(main, ["all", "--json", str(file)])
    assert shown.exit_code == 1
    assert "| change: settled after, s | 1.0 |" in shown.output
    assert shown.output.endswith("Error: it broke\n")
    assert json.loads(file.read_text())["runs"][0]["change"]["tenant"] == "a"


def test_an_interrupted_measurement_is_aborted(runner: CliRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is shown where nothing was measured."""

    async def stop(*_: Any) -> None:
        raise asyncio.CancelledError

    monkeypatch.setattr(cli, "measure", stop)
    result = runner.invoke(main, ["create"])
    assert result.exit_code == 1
    assert "Aborted!" in result.output
