"""`kamaji plugins`: which plugins are installed, what they bring, and why one is not used."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kamaji_core.plugins import Plugin

_HEADINGS = ("NAME", "DISTRIBUTION", "DRIVERS", "ADD-ONS", "CONTRACT", "STATE", "WHY")


@click.command()
@click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="Text for people, or a JSON list for programs.",
)
@click.option("--check", is_flag=True, help="End with exit code 1 when the state of a plugin is not ok.")
def plugins(*, output: str, check: bool) -> None:
    r"""List every installed plugin.

    States are ok, broken (it cannot be loaded), incompatible (written for another contract), duplicate (a name is
    taken) and disabled (KAMAJI_DISABLED_PLUGINS names it; names are separated by commas).

    \b
    kamaji plugins --check
    KAMAJI_DISABLED_PLUGINS=datastore-example kamaji plugins --output json
    """
    from kamaji_core.plugins import DISABLED_VARIABLE, PluginState, load_plugins

    loaded = load_plugins()
    click.echo(as_json(loaded.listed) if output == "json" else as_table(loaded.listed))
    for name in loaded.unknown:
        click.echo(f"{DISABLED_VARIABLE} names {name!r}, which is not installed: correct or remove it.", err=True)
    if check and any(plugin.state is not PluginState.OK for plugin in loaded.listed):
        raise click.exceptions.Exit(1)


def as_json(listed: Sequence[Plugin]) -> str:
    """Write plugins as a JSON list of objects, one key for each field of `Plugin`."""
    return json.dumps([asdict(plugin) for plugin in listed], indent=2)


def as_table(listed: Sequence[Plugin]) -> str:
    """Write plugins as columns, a line each below the headings."""
    rows = [_HEADINGS, *(_row(plugin) for plugin in listed)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join(lines)


def _row(plugin: Plugin) -> tuple[str, ...]:
    return (
        plugin.name,
        f"{plugin.distribution} {plugin.version}".strip() or "-",
        ", ".join(plugin.drivers) or "-",
        ", ".join(plugin.addons) or "-",
        plugin.contract or "-",
        plugin.state,
        # A sentence may hold an import error of many lines; a row is one.
        " ".join(plugin.sentence.split()),
    )
