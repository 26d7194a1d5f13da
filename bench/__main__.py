"""`python -m bench`: measure in the sandbox, which must be up (`make sandbox-up`)."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import click

from bench.ready import measure
from bench.table import markdown


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Measure the operator in the sandbox, which must be up (make sandbox-up)."""


@main.command()
@click.option("--runs", default=5, show_default=True, type=click.IntRange(min=1), help="Pairs of runs.")
@click.option("--json", "file", type=click.Path(path_type=Path), help="Write every figure to this file as well.")
def ready(*, runs: int, file: Path | None) -> None:
    """One tenant from the accepted POST to Ready, in turn with its floor.

    The floor is the same Deployment, with the same Secrets and an empty share of the store, created by hand while no
    operator runs: what the node, the images and the programs cost by themselves.
    """
    pairs = asyncio.run(measure(runs, progress=click.echo))
    click.echo()
    click.echo(markdown(pairs))
    if file:
        file.write_text(json.dumps([pair.as_json() for pair in pairs], indent=2) + "\n")


main()
