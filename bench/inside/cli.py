"""The commands that measure what the operator does inside tenants' clusters; the fleets have both add-ons."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import click

from bench.course import Records, recorded
from bench.create import create
from bench.fleet import Datastore, Fleet, Shape
from bench.idle import idle
from bench.inside.creation import inside as measure_inside
from bench.inside.creation import ways
from bench.inside.heal import PARTS, Edits
from bench.inside.heal import heal as measure_heal
from bench.inside.sessions import sessions as measure_sessions
from bench.options import FLEET_OPTIONS, limit_for, run_until_terminated, show, tenants_option
from bench.testbed import Options
from sandbox.build import kubernetes_version

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bench.inside.results import InsideResult
    from bench.meter import Sample


def _fleet_options(tenants: int) -> Callable[[Any], Any]:
    def add(command: Any) -> Any:
        for option in reversed((tenants_option(tenants), *FLEET_OPTIONS)):
            command = option(command)
        return command

    return add


def options_of(
    *,
    tenants: int,
    shape: str,
    datastore: str,
    operator: str,
    health: str,
    version: str | None,
    limit: float | None,
) -> Options:
    """What a measurement inside is to do, with defaults filled in."""
    fleet = Fleet(
        size=tenants,
        shape=Shape(shape),
        version=version or kubernetes_version(),
        addons=True,
        datastore=Datastore(datastore),
    )
    return Options(fleet=fleet, command=operator, health=health, limit=limit or limit_for(tenants))


@click.command()
@_fleet_options(10)
@click.option(
    "--silent-one",
    is_flag=True,
    help="Compare with a fleet of which one API server never answers the operator, not with the bare client.",
)
def inside(*, silent_one: bool, runs: int, file: Path | None, **settings: Any) -> None:
    """How soon new tenants' clusters hold what they should.

    Each run makes two fleets of equal shape, in turned order every second run: in one the operator writes kubeadm's
    objects and the add-ons', in the other it runs with --no-tenant-sessions and a bare client writes the same objects
    as soon as an API server says that it is ready. Both clocks start at that moment, seen at the Service's address.
    What the operator's CPU seconds a tenant differ by is what the sessions cost.
    """
    options = options_of(**settings)
    records = Records()

    async def run() -> None:
        for number in range(1, runs + 1):
            records.runs.append([])
            records.samples.append([])

            def keep(result: InsideResult, samples: list[Sample]) -> None:
                records.runs[-1] = [result]
                records.samples[-1] += samples

            order = ways(silent_one=silent_one, number=number)
            click.echo(f"Run {number} of {runs}: {', then '.join(order)}")
            await measure_inside(options, order=order, keep=keep, say=click.echo)

    try:
        run_until_terminated(run())
    finally:
        show(options, records, file, asked={"silent_one": silent_one})


@click.command()
@_fleet_options(40)
@click.option(
    "--minutes",
    type=click.FloatRange(min=0.1),
    default=5.0,
    show_default=True,
    help="How long the operator is watched at rest, once without tenants and once with them.",
)
def sessions(*, minutes: float, runs: int, file: Path | None, **settings: Any) -> None:
    """What sessions in tenants' clusters cost at rest.

    The operator is watched before there are tenants and with all of them; what differs is told for one tenant, with its
    connections and the writes on both sides. Then the operator is restarted: how soon all sessions stand, and what is
    written then.
    """
    options = replace(options_of(**settings), idle_seconds=minutes * 60)
    records = Records()

    async def run() -> None:
        for number in range(1, runs + 1):
            click.echo(f"Run {number} of {runs}")
            async with recorded(options, records, click.echo) as bed:
                empty = await idle(bed)
                created = await create(bed)
                records.runs[-1].append(created)
                records.runs[-1].append(await measure_sessions(bed, empty, created))

    try:
        run_until_terminated(run())
    finally:
        show(options, records, file, asked={"minutes": minutes})


@click.command()
@_fleet_options(3)
@click.option("--edits", default=20, show_default=True, type=click.IntRange(min=1), help="Of each watched kind.")
@click.option("--polled-edits", default=6, show_default=True, type=click.IntRange(min=1), help="Of unwatched objects.")
@click.option(
    "--look-interval",
    default=10.0,
    show_default=True,
    type=click.FloatRange(min=1),
    help="Polled: seconds between two looks at everything.",
)
@click.option("--faults", default=3, show_default=True, type=click.IntRange(min=1), help="Of each sort, one by one.")
@click.option("--seed", default=1, show_default=True, help="Decides what is edited and how.")
@click.option(
    "--only",
    "parts",
    multiple=True,
    type=click.Choice(list(PARTS)),
    show_default="all of them",
    help="Measure this part; can be given several times.",
)
def heal(
    *,
    edits: int,
    polled_edits: int,
    look_interval: float,
    faults: int,
    seed: int,
    parts: tuple[str, ...],
    runs: int,
    file: Path | None,
    **settings: Any,
) -> None:
    r"""How soon the operator puts back what somebody changed.

    \b
    watched  objects that are watched; edits of one lie so far apart that it is put back at once
             (twenty of each kind take a quarter of an hour)
    polled   objects that only the looks at everything see
    dropped  packets of the operator's connections to a tenant are dropped, new connections pass
    silent   its connections to the management API server stay and carry nothing, new ones do
    """
    options = options_of(**settings)
    asked = Edits(
        edits=edits,
        polled_edits=polled_edits,
        look_seconds=look_interval,
        faults=faults,
        seed=seed,
        parts=frozenset(parts or PARTS),
    )
    records = Records()

    async def run() -> None:
        for number in range(1, runs + 1):
            click.echo(f"Run {number} of {runs}")
            async with recorded(options, records, click.echo) as bed:
                created = await create(bed)
                records.runs[-1].append(created)
                async for result in measure_heal(bed, created, asked):
                    records.runs[-1][1:] = [result]

    try:
        run_until_terminated(run())
    finally:
        show(options, records, file, asked={**asdict(asked), "parts": sorted(asked.parts)})


INSIDE_COMMANDS = (heal, inside, sessions)
