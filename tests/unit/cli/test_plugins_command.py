"""`kamaji plugins` tells what is installed and why something is not used, to people and to programs."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from kamaji_core.cli import main
from kamaji_core.cli.plugins import as_json, as_table, plugins
from kamaji_core.plugins import DISABLED_VARIABLE, Plugin, PluginState

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    InstallPlugin = Callable[[str, str], Path]

GREETING = """
import click
from kamaji_core.contracts import hookimpl

@hookimpl
def kamaji_cli(group):
    @group.command({name!r})
    def command():
        "Greet."
"""


def cells(line: str) -> list[str]:
    """The columns of a line of the table."""
    return re.split(r" {3,}", line)


def test_the_table_has_a_line_for_each_plugin(install_plugin: InstallPlugin) -> None:
    """A dash stands for nothing, so that columns can be told apart."""
    install_plugin("hello", GREETING.format(name="greet"))
    result = CliRunner().invoke(main, ["plugins"])
    assert result.exit_code == 0
    headings, *lines = result.stdout.splitlines()
    assert cells(headings) == ["NAME", "DISTRIBUTION", "DRIVERS", "ADD-ONS", "COMMANDS", "CONTRACT", "STATE", "WHY"]
    assert ["hello", "kamaji-hello 1.2", "-", "-", "greet", "-", "ok"] in [cells(line) for line in lines]
    assert [line for line in lines if "etcd" in line]
    assert result.stderr == ""


def test_a_sentence_of_many_lines_stays_one_row(install_plugin: InstallPlugin) -> None:
    """Import errors of compiled modules span lines; a row is one, in the order of names."""
    install_plugin("z_bad", "raise ImportError('first\\n   second')")
    lines = CliRunner().invoke(main, ["plugins"]).stdout.splitlines()
    assert lines[-1].startswith("z_bad")
    assert lines[-1].endswith("broken   ImportError: first second")


def test_columns_are_aligned() -> None:
    """Each as wide as its widest cell, and nothing but text at the end of a line."""
    wide = Plugin(name="n" * 30, module="m", drivers=("a", "b"))
    lines = as_table([(wide, ()), (Plugin(name="n", module="m", state=PluginState.BROKEN), ("x",))]).splitlines()
    assert {line.index(cell) for line, cell in zip(lines, ["DRIVERS", "a, b"], strict=False)} == {33 + 15}
    assert [line for line in lines if line != line.rstrip()] == []


def test_json_is_for_programs(install_plugin: InstallPlugin) -> None:
    """An object for each plugin with all that is known; sentences unchanged."""
    install_plugin("bad", "raise ImportError('first\\nsecond')")
    result = CliRunner().invoke(main, ["plugins", "-o", "json"])
    assert result.exit_code == 0
    (found,) = [plugin for plugin in json.loads(result.stdout) if plugin["name"] == "bad"]
    assert found == {
        "name": "bad",
        "module": "plugin_bad",
        "distribution": "kamaji-bad",
        "version": "1.2",
        "drivers": [],
        "addons": [],
        "commands": [],
        "contract": "",
        "state": "broken",
        "sentence": "ImportError: first\nsecond",
    }


def test_without_plugins_there_are_headings_and_an_empty_list() -> None:
    """Neither form fails for want of a row."""
    assert cells(as_table([]))[0] == "NAME"
    assert json.loads(as_json([])) == []


@pytest.mark.parametrize("output", ["table", "json"])
def test_check_ends_well_when_all_is_well(output: str) -> None:
    """For a pipeline's last step."""
    assert CliRunner().invoke(main, ["plugins", "--check", "--output", output]).exit_code == 0


@pytest.mark.parametrize(
    "source",
    [
        "raise ImportError('broken')",
        GREETING.format(name="version"),
        "from kamaji_core.contracts import hookimpl\n@hookimpl\ndef kamaji_cli(group): 1 / 0",
    ],
    ids=["broken", "a command that is taken", "commands that fail"],
)
def test_check_ends_with_one_when_a_plugin_is_not_ok(install_plugin: InstallPlugin, source: str) -> None:
    """And the table is printed all the same; without the option it ends well."""
    install_plugin("bad", source)
    result = CliRunner().invoke(main, ["plugins", "--check"])
    assert result.exit_code == 1
    assert result.stdout == CliRunner().invoke(main, ["plugins"]).stdout
    assert CliRunner().invoke(main, ["plugins"]).exit_code == 0


def test_check_counts_a_disabled_plugin(install_plugin: InstallPlugin, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not ok: whoever checks wants to know that it is left out."""
    install_plugin("off", "")
    monkeypatch.setenv(DISABLED_VARIABLE, "off")
    result = CliRunner().invoke(main, ["plugins", "--check"])
    assert result.exit_code == 1
    assert "disabled" in result.stdout


def test_an_unknown_disabled_name_is_told_beside_the_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """On stderr, so that the JSON stays whole; it fails no check, since every plugin is as it was."""
    monkeypatch.setenv(DISABLED_VARIABLE, "datastore-oracel")
    result = CliRunner().invoke(main, ["plugins", "-o", "json", "--check"])
    assert result.exit_code == 0
    assert json.loads(result.stdout)
    assert result.stderr == (
        "KAMAJI_DISABLED_PLUGINS names 'datastore-oracel', which is not installed: correct or remove it.\n"
    )


def test_a_command_that_is_taken_is_told_in_the_list(install_plugin: InstallPlugin) -> None:
    """The state is duplicate, and the sentence names the command and who has it."""
    install_plugin("taken", GREETING.format(name="version"))
    result = CliRunner().invoke(main, ["plugins", "-o", "json"])
    (found,) = [plugin for plugin in json.loads(result.stdout) if plugin["name"] == "taken"]
    assert (found["state"], found["commands"]) == ("duplicate", [])
    assert found["sentence"] == "its command 'version' is not used, kamaji itself has one of this name."


def test_it_works_outside_of_the_group() -> None:
    """The command alone knows no core commands and lists the plugins all the same."""
    result = CliRunner().invoke(plugins, [])
    assert result.exit_code == 0
    assert "etcd" in result.stdout
