"""The `kamaji` command. Each command imports what it needs when it runs, so that `--help` stays quick."""

from __future__ import annotations

import click

from kamaji_core import __version__
from kamaji_core.cli.datastore import datastore
from kamaji_core.cli.kubeconfig import kubeconfig
from kamaji_core.cli.manager import manager
from kamaji_core.cli.plugin_commands import PluginGroup
from kamaji_core.cli.plugins import plugins
from kamaji_core.cli.token import token


@click.group(
    cls=PluginGroup,
    context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "KAMAJI"},
    epilog="Plugins may bring further commands: 'kamaji plugins' tells them.",
)
@click.version_option(__version__, message="%(version)s")
def main() -> None:
    """Hosted control planes for Kubernetes."""


@main.command()
def version() -> None:
    """Print the version."""
    click.echo(__version__)


main.add_command(manager)
main.add_command(kubeconfig)
main.add_command(datastore)
main.add_command(plugins)
main.add_command(token)
