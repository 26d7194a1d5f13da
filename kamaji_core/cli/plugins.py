"""`kamaji plugins`: which plugins are installed, what they bring, and why one is not used."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import click

from kamaji_core.cli.plugin_commands import bring_commands

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kamaji_core.plugins import Plugin, Plugins

    Row = tuple[Plugin, tuple[str, ...]]
    """A plugin and the names of its commands."""

_HEADINGS = ("NAME", "DISTRIBUTION", "DRIVERS", "ADD-ONS", "COMMANDS", "CONTRACT", "STATE", "WHY")


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
    """List every installed plugin.

    States are ok, broken (it cannot be loaded), incompatible (written for another contract), duplicate (a name is
    taken) and disabled (KAMAJI_DISABLED_PLUGINS names it, or KAMAJI_ENABLED_PLUGINS names others; names are separated
    by commas).

    \b
    kamaji plugins --check
    KAMAJI_DISABLED_PLUGINS=datastore-example kamaji plugins --output json
    """  # noqa: D301 - \b must be the character, for which click keeps the lines
    from kamaji_core.plugins import PluginState, load_plugins

    loaded = load_plugins()
    rows = with_commands(loaded)
    click.echo(as_json(rows) if output == "json" else as_table(rows))
    for name, variable in loaded.unknown:
        click.echo(f"{variable} names {name!r}, which is not installed: correct or remove it.", err=True)
    if check and any(plugin.state is not PluginState.OK for plugin, _ in rows):
        raise click.exceptions.Exit(1)


def with_commands(loaded: Plugins) -> list[Row]:
    """Ask the usable plugins for their commands, and tell what that makes of their states."""
    root = click.get_current_context().find_root().command
    reserved = root.commands if isinstance(root, click.Group) else {}
    brought = {one.plugin: one for one in bring_commands(loaded, reserved=reserved)}
    rows: list[Row] = []
    for plugin in loaded.listed:
        if one := brought.get(plugin):
            sentence = " ".join(one.sentences)
            rows.append((replace(plugin, state=one.state, sentence=sentence), tuple(one.commands)))
        else:
            rows.append((plugin, ()))
    return rows


def as_json(rows: Sequence[Row]) -> str:
    """Write plugins as a JSON list of objects, one key for each field of `Plugin` and `commands`."""
    return json.dumps([asdict(plugin) | {"commands": commands} for plugin, commands in rows], indent=2)


def as_table(rows: Sequence[Row]) -> str:
    """Write plugins as columns, a line each below the headings."""
    cells = [_HEADINGS, *(_cells(plugin, commands) for plugin, commands in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["   ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells]
    return "\n".join(lines)


def _cells(plugin: Plugin, commands: tuple[str, ...]) -> tuple[str, ...]:
    return (
        plugin.name,
        f"{plugin.distribution} {plugin.version}".strip() or "-",
        ", ".join(plugin.drivers) or "-",
        ", ".join(plugin.addons) or "-",
        ", ".join(commands) or "-",
        plugin.contract or "-",
        plugin.state,
        # A sentence may hold an import error of many lines; a row is one.
        " ".join(plugin.sentence.split()),
    )
