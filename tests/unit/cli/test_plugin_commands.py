"""Commands of plugins appear under `kamaji` when they are asked for, and none can harm it."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import click
import pytest
from click.testing import CliRunner

from kamaji_core import __version__
from kamaji_core.cli import main
from kamaji_core.cli.plugin_commands import bring_commands
from kamaji_core.plugins import DISABLED_VARIABLE, PluginState, load_plugins

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    InstallPlugin = Callable[[str, str], Path]

GREETING = """
import click
from kamaji_core.contracts import hookimpl

@hookimpl
def kamaji_cli(group):
    @group.command()
    @click.option("--name", default="world")
    def greet(name):
        "Greet somebody."
        click.echo(f"hello {name} from " + __name__)
"""

HOOK = """
import click
from kamaji_core.contracts import hookimpl

@hookimpl
def kamaji_cli(group):
    {body}
"""

HARM = {
    "raises": ("raise RuntimeError('no licence')", "kamaji_cli failed: RuntimeError: no licence"),
    "exits": ("raise SystemExit(7)", "kamaji_cli failed: SystemExit: 7"),
    "raises after it gave a command": (
        "group.add_command(click.Command('greet')); raise RuntimeError('late')",
        "kamaji_cli failed: RuntimeError: late",
    ),
    "gives no command": ("group.add_command(3, 'greet')", "kamaji_cli failed: "),
    "puts in no command": ("group.commands['greet'] = 3", "3, given as 'greet', is no click.Command"),
    "replaces a command": ("group.add_command(click.Command('version'))", "its command 'version' is not used"),
}


def test_a_plugins_command_runs(install_plugin: InstallPlugin) -> None:
    """With its options, as if it were the core's."""
    install_plugin("hello", GREETING)
    result = CliRunner().invoke(main, ["greet", "--name", "Ada"])
    assert (result.exit_code, result.stdout, result.stderr) == (0, "hello Ada from plugin_hello\n", "")


def test_a_plugins_command_has_help(install_plugin: InstallPlugin) -> None:
    """Under the name by which it is called."""
    install_plugin("hello", GREETING)
    result = CliRunner().invoke(main, ["greet", "-h"], prog_name="kamaji")
    assert result.exit_code == 0
    assert result.stdout.startswith("Usage: kamaji greet [OPTIONS]")
    assert "Greet somebody." in result.stdout


def test_a_plugins_command_reads_the_environment_as_ours_do(
    install_plugin: InstallPlugin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`KAMAJI_<COMMAND>_<OPTION>`, like every option of the core."""
    install_plugin("hello", GREETING)
    monkeypatch.setenv("KAMAJI_GREET_NAME", "Grace")
    assert CliRunner().invoke(main, ["greet"]).stdout == "hello Grace from plugin_hello\n"


def test_a_plugin_may_bring_a_group(install_plugin: InstallPlugin) -> None:
    """Many commands under one name leave the core's list short."""
    body = "shop = click.Group('shop'); shop.add_command(click.Command('list', callback=lambda: click.echo('none')))"
    install_plugin("shop", HOOK.format(body=f"{body}; group.add_command(shop)"))
    assert CliRunner().invoke(main, ["shop", "list"]).stdout == "none\n"


def test_help_does_not_look_for_plugins_and_says_where_they_are_told(install_plugin: InstallPlugin) -> None:
    """A plugin that would end the process by being imported is not noticed."""
    install_plugin("harmful", "import os; os._exit(9)")
    for arguments in (["--help"], ["-h"], ["version"], ["manager", "--help"]):
        result = CliRunner().invoke(main, arguments)
        assert result.exit_code == 0
    assert "'kamaji plugins' tells them" in CliRunner().invoke(main, ["--help"]).stdout


def test_an_unknown_option_does_not_look_for_plugins(install_plugin: InstallPlugin) -> None:
    """It cannot be a command."""
    install_plugin("harmful", "import os; os._exit(9)")
    result = CliRunner().invoke(main, ["--no-such-option"])
    assert result.exit_code == 2
    assert "No such option" in result.stderr


def test_an_unknown_command_is_refused_as_ever() -> None:
    """With the same words and exit code, whether plugins were asked or not."""
    result = CliRunner().invoke(main, ["no-such-command"])
    assert result.exit_code == 2
    assert "No such command 'no-such-command'" in result.stderr
    assert "was not asked" not in result.stderr


@pytest.mark.parametrize("name", ["manager", "kubeconfig", "plugins", "version"])
def test_a_core_command_cannot_be_replaced(install_plugin: InstallPlugin, name: str) -> None:
    """The core's own runs; whoever runs the plugin's other command is warned in a sentence."""
    install_plugin("greedy", GREETING + f"    group.add_command(click.Command({name!r}))\n")
    assert CliRunner().invoke(main, ["version"]).stdout == f"{__version__}\n"
    result = CliRunner().invoke(main, ["greet"])
    assert (result.exit_code, result.stdout) == (0, "hello world from plugin_greedy\n")
    assert result.stderr == f"Plugin 'greedy': its command '{name}' is not used, kamaji itself has one of this name.\n"
    assert CliRunner().invoke(main, [name, "--help"]).exit_code == 0


def test_the_first_of_two_plugins_keeps_a_name(install_plugin: InstallPlugin) -> None:
    """In the order of plugins' names; the warning tells who has it."""
    install_plugin("b", GREETING)
    install_plugin("a", GREETING)
    result = CliRunner().invoke(main, ["greet"])
    assert result.stdout == "hello world from plugin_a\n"
    assert result.stderr == "Plugin 'b': its command 'greet' is not used, the plugin 'a' has one of this name.\n"


@pytest.mark.parametrize(("body", "sentence"), HARM.values(), ids=HARM)
def test_a_harmful_plugin_is_warned_of_and_the_others_work(
    install_plugin: InstallPlugin, body: str, sentence: str
) -> None:
    """Its commands are not there, the next plugin's are, and the core's answer as ever."""
    install_plugin("bad", HOOK.format(body=body))
    install_plugin("hello", GREETING)
    result = CliRunner().invoke(main, ["greet"])
    assert (result.exit_code, result.stdout) == (0, "hello world from plugin_hello\n")
    (warning,) = result.stderr.splitlines()
    assert warning.startswith("Plugin 'bad': ")
    assert sentence in warning
    assert CliRunner().invoke(main, ["version"]).stdout == f"{__version__}\n"


def test_the_group_that_a_plugin_gets_is_its_own(install_plugin: InstallPlugin) -> None:
    """Clearing it, or changing what it does, changes nothing of `kamaji`."""
    install_plugin(
        "vandal", HOOK.format(body="assert not group.commands; group.commands.clear(); group.callback = None")
    )
    before = dict(main.commands)
    assert CliRunner().invoke(main, ["no-such-command"]).exit_code == 2
    assert main.commands == before


@pytest.mark.parametrize("source", ["raise ImportError('no\\n  libfoo')", "raise SystemExit(3)"])
def test_a_plugin_that_could_not_be_asked_is_told_when_a_command_is_missing(
    install_plugin: InstallPlugin, source: str
) -> None:
    """It may be the one that would have brought it: a line each, before click's own words."""
    install_plugin("bad", source)
    result = CliRunner().invoke(main, ["greet"])
    assert result.exit_code == 2
    first, *rest = result.stderr.splitlines()
    assert first.startswith("Plugin 'bad' was not asked for commands: it is broken: ")
    assert rest[-1] == "Error: No such command 'greet'."


def test_a_disabled_plugin_brings_no_command(install_plugin: InstallPlugin, monkeypatch: pytest.MonkeyPatch) -> None:
    """And is named when its command is asked for."""
    install_plugin("hello", GREETING)
    monkeypatch.setenv(DISABLED_VARIABLE, "hello")
    result = CliRunner().invoke(main, ["greet"])
    assert result.exit_code == 2
    assert "Plugin 'hello' was not asked for commands: it is disabled: " in result.stderr


def test_a_plugin_that_cannot_be_asked_does_not_disturb_another(install_plugin: InstallPlugin) -> None:
    """Whoever runs the other's command hears nothing of it."""
    install_plugin("bad", "1 / 0")
    install_plugin("hello", GREETING)
    result = CliRunner().invoke(main, ["greet"])
    assert (result.exit_code, result.stdout, result.stderr) == (0, "hello world from plugin_hello\n", "")


def test_plugins_are_looked_for_once_for_a_command_line(install_plugin: InstallPlugin) -> None:
    """And anew for the next, so that nothing is remembered that is no longer installed."""
    body = "click.echo('asked'); group.add_command(click.Command('greet'))"
    install_plugin("hello", HOOK.format(body=body))
    for _ in range(2):
        assert CliRunner().invoke(main, ["greet"]).stdout == "asked\n"
    assert CliRunner().invoke(main, ["missing"]).stdout == "asked\n"


def test_completion_of_a_plugins_command_is_not_disturbed_by_warnings(install_plugin: InstallPlugin) -> None:
    """The shell shows stderr in the middle of the line that is being typed."""
    site = install_plugin("hello", GREETING + "    group.add_command(click.Command('version'))\n")
    script = "from kamaji_core.cli import main; main(prog_name='kamaji')"
    environment = {
        "PYTHONPATH": str(site),
        "_KAMAJI_COMPLETE": "bash_complete",
        "COMP_WORDS": "kamaji greet --na",
        "COMP_CWORD": "2",
    }
    answer = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=os.environ | environment,
    )
    assert "--name" in answer.stdout
    assert answer.stderr == ""


def test_nobody_is_asked_twice_or_left_out(install_plugin: InstallPlugin) -> None:
    """There is an answer for each usable plugin, also for one without commands, in the order of names."""
    install_plugin("hello", GREETING)
    install_plugin("bare", "")
    plugins = load_plugins()
    answers = bring_commands(plugins, reserved=["version"])
    assert [one.plugin for one in answers] == [one.plugin for one in plugins.loaded]
    assert {one.state for one in answers} == {PluginState.OK}
    assert [name for one in answers for name in one.commands] == ["greet"]
    assert all(isinstance(command, click.Command) for one in answers for command in one.commands.values())


def test_help_is_quick() -> None:
    """Under 150 ms of processor time with a whole interpreter's start, the best of five: others share the machine."""
    code = "from kamaji_core.cli import main; main(['--help'])"

    def seconds() -> float:
        before = os.times()
        subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL, timeout=60)
        after = os.times()
        return after.children_user - before.children_user + after.children_system - before.children_system

    assert min(seconds() for _ in range(5)) < 0.15
