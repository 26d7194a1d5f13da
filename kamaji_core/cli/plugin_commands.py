"""Commands that plugins add to `kamaji`, looked for only when somebody asks for one.

Importing plugins takes longer than all else that `kamaji --help` does (50 ms without, 150 ms with a single driver), so
the help names the core's commands and says where the others are told. Each plugin fills a group of its own, from which
we take what is free: it cannot remove or replace what is there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from kamaji_core.plugins import LoadedPlugin, Plugin, Plugins, PluginState

_MEMORY = f"{__name__}.found"


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """What became of one plugin's commands.

    Args:
        plugin: whose.
        commands: those that are used, by name.
        state: the plugin's, or what its commands make of it.
        sentences: why others are not used.
    """

    plugin: Plugin
    commands: Mapping[str, click.Command] = field(default_factory=dict)
    state: PluginState
    sentences: tuple[str, ...] = ()


class PluginGroup(click.Group):
    """A group that asks plugins for the commands that it does not have."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Find a command: the core's own, otherwise a plugin's."""
        command = super().get_command(ctx, cmd_name)
        if command is None:
            command = self._found(ctx)[1].get(cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the arguments name; when there is none, tell which plugins could not be asked."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError:
            for plugin in self._found(ctx)[0].listed:
                if plugin.state != "ok":
                    why = " ".join(plugin.sentence.split())
                    click.echo(
                        f"Plugin {plugin.name!r} was not asked for commands: it is {plugin.state}: {why}", err=True
                    )
            raise

    def _found(self, context: click.Context) -> tuple[Plugins, Mapping[str, click.Command]]:
        """The plugins and their commands; looked for once for each command line."""
        if _MEMORY not in context.meta:
            from kamaji_core.plugins import load_plugins

            loaded = load_plugins()
            commands: dict[str, click.Command] = {}
            for brought in bring_commands(loaded, reserved=self.commands):
                commands |= brought.commands
                # A shell that completes a line shows what stands on stderr in the middle of it.
                for sentence in () if context.resilient_parsing else brought.sentences:
                    click.echo(f"Plugin {brought.plugin.name!r}: {sentence}", err=True)
            context.meta[_MEMORY] = (loaded, commands)
        found: tuple[Plugins, Mapping[str, click.Command]] = context.meta[_MEMORY]
        return found


def bring_commands(plugins: Plugins, *, reserved: Collection[str]) -> tuple[Brought, ...]:
    """Ask every usable plugin for its commands; never raises for a plugin's sake.

    Args:
        plugins: in whose order names are given away.
        reserved: names of the core's own commands.
    """
    taken = dict.fromkeys(reserved, "kamaji itself")
    answers = []
    for one in plugins.loaded:
        brought = _bring(one, taken)
        taken |= dict.fromkeys(brought.commands, f"the plugin {one.plugin.name!r}")
        answers.append(brought)
    return tuple(answers)


def _bring(one: LoadedPlugin, taken: Mapping[str, str]) -> Brought:
    from kamaji_core.plugins import PluginState, told

    group = click.Group("kamaji")
    try:
        one.hook.kamaji_cli(group=group)
        offered = _checked(group.commands)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a stranger's code may raise anything, even to exit
        sentence = f"its commands are not used, kamaji_cli failed: {told(error)}"
        return Brought(plugin=one.plugin, state=PluginState.BROKEN, sentences=(sentence,))
    refused = {name: taken[name] for name in offered if name in taken}
    return Brought(
        plugin=one.plugin,
        commands={name: command for name, command in offered.items() if name not in taken},
        state=PluginState.DUPLICATE if refused else PluginState.OK,
        sentences=tuple(
            f"its command {name!r} is not used, {owner} has one of this name." for name, owner in refused.items()
        ),
    )


def _checked(offered: Mapping[str, Any]) -> Mapping[str, click.Command]:
    for name, command in offered.items():
        if not isinstance(command, click.Command):
            raise TypeError(f"{command!r}, given as {name!r}, is no click.Command.")
    return offered
