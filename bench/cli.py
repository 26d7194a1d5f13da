"""The command line `python -m bench`."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path
from typing import Any

import click
import structlog

from bench.course import MEASUREMENTS, Records, measure
from bench.errors import BenchError
from bench.fleet import Datastore, Fleet, Shape
from bench.floor import widths_to_try
from bench.inside.cli import INSIDE_COMMANDS
from bench.operator import DEFAULT_COMMAND, DEFAULT_HEALTH, Operator, server
from bench.options import FLEET_OPTIONS, limit_for, run_until_terminated, show, tenants_option
from bench.plots import draw
from bench.ready import measure as measure_ready
from bench.rotation.cli import rotate
from bench.table import markdown as ready_markdown
from bench.testbed import Options, administrator, remove_all
from kamaji_core.kube import ApiError
from kamaji_core.testing import ProgramMissingError
from sandbox.build import kubernetes_version
from sandbox.errors import SandboxError
from sandbox.places import KUBECONFIG

_KNOWN = (BenchError, SandboxError, ProgramMissingError, ApiError)


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

    run_until_terminated(run())


_OPTIONS = (
    tenants_option(3),
    *FLEET_OPTIONS,
    click.option(
        "--width",
        type=_Width(),
        default="0",
        show_default="all at once",
        help="Floor: how many boot at a time; auto tries several.",
    ),
    click.option(
        "--idle-seconds", type=click.FloatRange(min=1), default=180.0, show_default=True, help="Idle: length."
    ),
    click.option(
        "--silent-store",
        is_flag=True,
        help="Beside the fleet's store have one that accepts and never answers, with tenants that want it.",
    ),
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
            run_until_terminated(measure(name, options, runs, records, click.echo))
        finally:
            _show(options, records, file, plots)

    command.__doc__ = _HELP[name]
    for option in reversed(_OPTIONS):
        command = option(command)
    return click.command(name)(command)


for _name in (*MEASUREMENTS, "all"):
    main.add_command(_measurement(_name))

for _command in (*INSIDE_COMMANDS, rotate):
    main.add_command(_command)


def options_of(
    *,
    tenants: int,
    shape: str,
    datastore: str = "etcd",
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
        fleet=Fleet(
            size=tenants,
            shape=Shape(shape),
            version=version or kubernetes_version(),
            datastore=Datastore(datastore),
        ),
        command=operator,
        health=health,
        widths=widths_to_try(tenants) if width is None else (width,),
        limit=limit or limit_for(tenants),
        idle_seconds=idle_seconds,
        silent_store=silent_store,
    )


def _show(options: Options, records: Records, file: Path | None, plots: Path | None) -> None:
    asked = {"widths": options.widths, "silent_store": options.silent_store}
    show(options, records, file, asked=asked)
    if plots and any(records.runs):
        try:
            drawn = draw(plots, records.runs, records.samples)
            click.echo(f"Plots: {', '.join(str(path) for path in drawn)}")
        except BenchError as error:
            click.echo(f"No plots: {error}")


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    for error in errors.exceptions:
        return _first(error) if isinstance(error, BaseExceptionGroup) else error
    return errors
