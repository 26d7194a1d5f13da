"""What the commands that make fleets have in common: their options, the way they end and what they show."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.fleet import MOST_TENANTS, Datastore, Shape
from bench.identity import USER
from bench.machine import machine
from bench.operator import DEFAULT_COMMAND, DEFAULT_HEALTH
from bench.report import as_json, markdown

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from bench.course import Records
    from bench.testbed import Options

_SECONDS_BEFORE_TENANTS = 180.0
_SECONDS_A_TENANT = 12.0

FLEET_OPTIONS = (
    click.option(
        "--shape",
        default=Shape.API_ONLY.value,
        show_default=True,
        type=click.Choice([shape.value for shape in Shape]),
        help="full: a real API server, controller manager and scheduler each; api-only: a real API server.",
    ),
    click.option(
        "--datastore",
        default=Datastore.ETCD.value,
        show_default=True,
        type=click.Choice([one.value for one in Datastore]),
        help="Where tenants' data is; for postgres the sandbox must be up with it.",
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
        "--limit",
        type=click.FloatRange(min=1),
        default=None,
        show_default=f"{_SECONDS_BEFORE_TENANTS:.0f} and {_SECONDS_A_TENANT:.0f} a tenant",
        help="Seconds that the fleet may take to become Ready, or to be gone.",
    ),
    click.option("--runs", default=1, show_default=True, type=click.IntRange(min=1), help="Fleets, one by one."),
    click.option("--json", "file", type=click.Path(path_type=Path), help="Write every figure to this file."),
)
"""All but the number of tenants, whose default differs."""


def tenants_option(default: int) -> Callable[[Any], Any]:
    """How many tenants."""
    number = click.IntRange(1, MOST_TENANTS)
    return click.option("--tenants", default=default, show_default=True, type=number, help="How many.")


def limit_for(tenants: int) -> float:
    """Seconds that so many tenants may take to become Ready, or to be gone."""
    return _SECONDS_BEFORE_TENANTS + _SECONDS_A_TENANT * tenants


def show(options: Options, records: Records, file: Path | None, *, asked: Mapping[str, Any]) -> None:
    """Print the table of what was measured, if anything was, and write all figures to a file.

    Args:
        options: what was measured and how.
        records: what was measured.
        file: where to; None for nowhere.
        asked: further options, as they go into the file.
    """
    if not any(records.runs):
        return
    fleet = options.fleet
    heading = f"{fleet.size} {fleet.shape}" + ("" if fleet.datastore is Datastore.ETCD else f" on {fleet.datastore}")
    numbered = len(records.runs) > 1
    columns = [
        (f"{heading}, run {number}" if numbered else heading, results)
        for number, results in enumerate(records.runs, start=1)
    ]
    click.echo()
    click.echo(markdown(columns))
    if file:
        everything = {
            "tenants": fleet.size,
            "shape": str(fleet.shape),
            "addons": fleet.addons,
            "datastore": str(fleet.datastore),
            "kubernetes_version": fleet.version,
            "operator": options.command,
            "operator_user": USER,
            "limit_seconds": options.limit,
            **asked,
        }
        file.write_text(as_json(machine=machine(), options=everything, runs=records.runs, samples=records.samples))
        click.echo(f"\nFigures: {file}")


def run_until_terminated(work: Coroutine[Any, Any, None]) -> None:
    """Run it; SIGINT and SIGTERM alike cancel it, so that it cleans up.

    Raises:
        Abort: when it was cancelled.
    """

    async def run() -> None:
        task = asyncio.current_task()
        if task:
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        await work

    with contextlib.suppress(asyncio.CancelledError):
        asyncio.run(run())
        return
    raise click.Abort
