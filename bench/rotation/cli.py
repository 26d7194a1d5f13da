"""The command that changes a store's secrets under tenants in use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from bench.course import Records, recorded
from bench.create import create
from bench.errors import BenchError
from bench.fleet import Datastore, Fleet, Shape
from bench.options import FLEET_OPTIONS, limit_for, run_until_terminated, show, tenants_option
from bench.rotation.rotation import rotate as measure_rotation
from bench.testbed import Options
from sandbox.build import kubernetes_version

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@tenants_option(3)
@click.option("--replicas", default=2, show_default=True, type=click.IntRange(min=1), help="Of each tenant.")
@click.option(
    "--rate",
    default=50.0,
    show_default=True,
    type=click.FloatRange(min=1),
    help="Calls a second, shared by the tenants; half of them on kept connections, half on new ones.",
)
@click.option(
    "--rest", default=20.0, show_default=True, type=click.FloatRange(min=0), help="Seconds of calls after each change."
)
def rotate(
    *, tenants: int, replicas: int, rate: float, rest: float, runs: int, file: Path | None, **settings: Any
) -> None:
    """What tenants' users notice while their PostgreSQL's secrets change.

    Tenants on the sandbox's PostgreSQL are called at a steady pace while the DataStore's own password, the authority of
    the server's certificate and each tenant's password change, one after the other; beside them a tenant on etcd that
    nothing is done to. Everything is put back at the end.
    """
    fleet = Fleet(
        size=tenants,
        shape=Shape(settings["shape"]),
        version=settings["version"] or kubernetes_version(),
        datastore=Datastore.POSTGRES,
        replicas=replicas,
    )
    options = Options(
        fleet=fleet,
        command=settings["operator"],
        health=settings["health"],
        limit=settings["limit"] or limit_for(tenants * replicas),
    )
    records = Records()

    async def run() -> None:
        for number in range(1, runs + 1):
            click.echo(f"Run {number} of {runs}")
            async with recorded(options, records, click.echo) as bed:
                created = await create(bed)
                records.runs[-1].append(created)
                if created.ready < tenants:
                    raise BenchError(f"only {created.ready} of {tenants} tenants are Ready: give --limit")
                records.runs[-1].append(await measure_rotation(bed, rate=rate, rest=rest))

    try:
        run_until_terminated(run())
    finally:
        show(options, records, file, asked={"replicas": replicas, "rate": rate, "rest": rest})


for _option in reversed(FLEET_OPTIONS):
    rotate = _option(rotate)
