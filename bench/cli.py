"""The command line `python -m bench`."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import structlog

from bench.course import MEASUREMENTS, Records, measure
from bench.errors import BenchError
from bench.fleet import MOST_TENANTS, Fleet, Shape
from bench.floor import widths_to_try
from bench.identity import USER
from bench.machine import machine
from bench.operator import DEFAULT_COMMAND, DEFAULT_HEALTH, Operator, server
from bench.plots import draw
from bench.ready import measure as measure_ready
from bench.report import as_json, markdown
from bench.table import markdown as ready_markdown
from bench.testbed import Options, administrator, remove_all
from kamaji_core.kube import ApiError
from kamaji_core.testing import ProgramMissingError
from sandbox.build import kubernetes_version
from sandbox.errors import SandboxError
from sandbox.places import KUBECONFIG

if TYPE_CHECKING:
    from collections.abc import Coroutine

_KNOWN = (BenchError, SandboxError, ProgramMissingError, ApiError)
_SECONDS_BEFORE_TENANTS = 180.0
_SECONDS_A_TENANT = 12.0


class _Group(click.Group):
    """Shows what went wrong as one sentence."""

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except _KNOWN as error:
            raise click.ClickException(str(error)) from error
        except BaseExceptionGroup as errors:
            first = _first(errors)
            if isinstance(first, _KNOWN):
                raise click.ClickException(str(first)) from errors
            raise


class _Width(click.ParamType[Any]):
    """A number of control planes that boot at a time, or `auto`."""

    name = "K|auto"

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> Any:
        """Give the number, or None for `auto`."""
        if value is None or value == "auto":
            return None
        return click.IntRange(min=0).convert(value, parameter, context)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Measure an operator in the sandbox, which must be up (make sandbox-up).

    Every command makes a fleet of its own, measures it and removes it; Ctrl-C removes it as well, and prints what was
    measured until then.
    """
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))


@main.command()
@click.option("--runs", default=5, show_default=True, type=click.IntRange(min=1), help="Pairs of runs.")
@click.option("--json", "file", type=click.Path(path_type=Path), help="Write every figure to this file as well.")
def ready(*, runs: int, file: Path | None) -> None:
    """One tenant from the accepted POST to Ready, in turn with its floor.

    The floor is the same Deployment, with the same Secrets and an empty share of the store, created by hand while no
    operator runs: what the node, the images and the programs cost by themselves.
    """
    pairs = asyncio.run(measure_ready(runs, progress=click.echo))
    click.echo()
    click.echo(ready_markdown(pairs))
    if file:
        file.write_text(json.dumps([pair.as_json() for pair in pairs], indent=2) + "\n")


@main.command()
def clean() -> None:
    """Remove what a measurement that was killed has left."""

    async def run() -> None:
        async with await administrator() as client:
            await remove_all(client, Operator(server(DEFAULT_COMMAND, DEFAULT_HEALTH, KUBECONFIG)), click.echo)

    _run_until_terminated(run())


_OPTIONS = (
    click.option("--tenants", default=3, show_default=True, type=click.IntRange(1, MOST_TENANTS), help="How many."),
    click.option(
        "--shape",
        default=Shape.API_ONLY.value,
        show_default=True,
        type=click.Choice([shape.value for shape in Shape]),
        help="full: a real API server, controller manager and scheduler each; api-only: a real API server.",
    ),
    click.option("--operator", default=DEFAULT_COMMAND, show_default=True, help="Command line of the operator."),
    click.option("--health", default=DEFAULT_HEALTH, show_default=True, help="URL that answers 200 when it works."),
    click.option(
        "--kubernetes-version",
        "version",
        default=None,
        help="What tenants ask for; the programs are the sandbox's own whatever this says.",
    ),
    click.option(
        "--width",
        type=_Width(),
        default="0",
        show_default="all at once",
        help="Floor: how many boot at a time; auto tries several.",
    ),
    click.option(
        "--limit",
        type=click.FloatRange(min=1),
        default=None,
        show_default=f"{_SECONDS_BEFORE_TENANTS:.0f} and {_SECONDS_A_TENANT:.0f} a tenant",
        help="Seconds that the fleet may take to become Ready, or to be gone.",
    ),
    click.option(
        "--idle-seconds", type=click.FloatRange(min=1), default=180.0, show_default=True, help="Idle: length."
    ),
    click.option(
        "--silent-store",
        is_flag=True,
        help="Beside the fleet's store have one that accepts and never answers, with tenants that want it.",
    ),
    click.option("--runs", default=1, show_default=True, type=click.IntRange(min=1), help="Fleets, one by one."),
    click.option("--json", "file", type=click.Path(path_type=Path), help="Write every figure to this file."),
    click.option("--plots", type=click.Path(path_type=Path, file_okay=False), help="Draw into this directory."),
)

_HELP = {
    "create": "Create a fleet: how long until each tenant is Ready, and what it costs.",
    "idle": "Create a fleet and leave it alone: what it costs at rest.",
    "restart": "Create a fleet and restart the operator over it.",
    "change": "Create a fleet and change one tenant's specification.",
    "floor": "Create a fleet, then start its pods once more without an operator.",
    "delete": "Create a fleet and delete it: how long it takes and what is left.",
    "all": "All of these on one fleet.",
}


def _measurement(name: str) -> click.Command:
    def command(*, file: Path | None, plots: Path | None, runs: int, **settings: Any) -> None:
        options = options_of(**settings)
        records = Records()
        try:
            _run_until_terminated(measure(name, options, runs, records, click.echo))
        finally:
            _show(options, records, file, plots)

    command.__doc__ = _HELP[name]
    for option in reversed(_OPTIONS):
        command = option(command)
    return click.command(name)(command)


for _name in (*MEASUREMENTS, "all"):
    main.add_command(_measurement(_name))


def options_of(
    *,
    tenants: int,
    shape: str,
    operator: str,
    health: str,
    version: str | None,
    width: int | None,
    limit: float | None,
    idle_seconds: float,
    silent_store: bool = False,
) -> Options:
    """What a measurement is to do, with defaults filled in."""
    return Options(
        fleet=Fleet(size=tenants, shape=Shape(shape), version=version or kubernetes_version()),
        command=operator,
        health=health,
        widths=widths_to_try(tenants) if width is None else (width,),
        limit=limit or _SECONDS_BEFORE_TENANTS + _SECONDS_A_TENANT * tenants,
        idle_seconds=idle_seconds,
        silent_store=silent_store,
    )


def _show(options: Options, records: Records, file: Path | None, plots: Path | None) -> None:
    if not any(records.runs):
        return
    fleet = options.fleet
    heading = f"{fleet.size} {fleet.shape}"
    numbered = len(records.runs) > 1
    columns = [
        (f"{heading}, run {number}" if numbered else heading, results)
        for number, results in enumerate(records.runs, start=1)
    ]
    click.echo()
    click.echo(markdown(columns))
    if file:
        asked = {
            "tenants": fleet.size,
            "shape": str(fleet.shape),
            "kubernetes_version": fleet.version,
            "operator": options.command,
            "operator_user": USER,
            "widths": options.widths,
            "limit_seconds": options.limit,
            "silent_store": options.silent_store,
        }
        file.write_text(as_json(machine=machine(), options=asked, runs=records.runs, samples=records.samples))
        click.echo(f"\nFigures: {file}")
    if plots:
        try:
            drawn = draw(plots, records.runs, records.samples)
            click.echo(f"Plots: {', '.join(str(path) for path in drawn)}")
        except BenchError as error:
            click.echo(f"No plots: {error}")


def _run_until_terminated(work: Coroutine[Any, Any, None]) -> None:
    """Run it; SIGINT and SIGTERM alike cancel it, so that it cleans up."""

    async def run() -> None:
        task = asyncio.current_task()
        if task:
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        await work

    with contextlib.suppress(asyncio.CancelledError):
        asyncio.run(run())
        return
    raise click.Abort


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    for error in errors.exceptions:
        return _first(error) if isinstance(error, BaseExceptionGroup) else error
    return errors
