"""The command line's manners; what the commands do is shown end to end."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from sandbox import enter, host
from sandbox.cgroups import Cgroups
from sandbox.cli import main
from sandbox.errors import SandboxError, run
from sandbox.places import KUBECONFIG, PROGRAMS

if TYPE_CHECKING:
    from pathlib import Path

COMMANDS = ("setup", "programs", "up", "down", "status", "kubeconfig", "exec", "requests", "operator", "node")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str) -> None:
    """`--help` shows what it does."""
    result = CliRunner().invoke(main, [command, "--help"])
    assert result.exit_code == 0
    assert len(result.output.splitlines()) > 3


def test_help_names_every_command() -> None:
    """Nothing is hidden."""
    output = CliRunner().invoke(main, ["--help"]).output
    assert all(f"\n  {command} " in output for command in COMMANDS)


@pytest.mark.parametrize(
    "command",
    [
        ["kubeconfig"],
        ["helm", "list"],
        ["operator", "install"],
        ["operator", "uninstall"],
        ["operator", "start"],
        ["node", "add", "shop"],
    ],
    ids=" ".join,
)
def test_an_error_is_one_sentence(command: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No trace, exit code 1, and what to do next."""
    monkeypatch.setattr("sandbox.places.KUBECONFIG", tmp_path / "none")
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 1
    assert result.output == "Error: the sandbox is not up: run `make sandbox-up`\n"


def test_entering_needs_a_sandbox(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without one, or without root, nothing is executed."""
    monkeypatch.setattr("sandbox.places.KUBECONFIG", tmp_path / "none")
    with pytest.raises(SandboxError, match=r"the sandbox is not up|needs root"):
        enter.execute(["true"])


def test_a_command_inside_finds_the_cluster_and_our_tools() -> None:
    """KUBECONFIG is set, programs come last in PATH, and proxies of the outside are gone."""
    outside = {"PATH": "/usr/bin", "HTTPS_PROXY": "http://proxy", "no_proxy": "x", "EDITOR": "vi"}
    environment = enter.inside_environment(outside)
    assert environment["KUBECONFIG"] == str(KUBECONFIG)
    assert environment["PATH"].split(os.pathsep)[0] == "/usr/bin"
    assert environment["PATH"].split(os.pathsep)[-1] == str(PROGRAMS)
    assert "HTTPS_PROXY" not in environment
    assert environment["EDITOR"] == "vi"


def test_entering_loads_little() -> None:
    """`exec` stands before every command inside: neither cryptography nor YAML is loaded for it."""
    code = (
        "import sys, sandbox.cli, sandbox.enter; print(sorted({'cryptography', 'yaml', 'asyncio'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_a_failed_command_says_what_it_said() -> None:
    """The error holds exit code and standard error."""
    with pytest.raises(SandboxError, match="failed with exit code 3: no such thing"):
        run(["sh", "-c", "echo no such thing >&2; exit 3"], limit=10)


def test_a_missing_command_is_named() -> None:
    """The sentence says how to get it."""
    with pytest.raises(SandboxError, match="the command kamaji-no-such is missing: run `make programs`"):
        run(["kamaji-no-such"], limit=10)


def test_a_command_has_a_time_limit() -> None:
    """What hangs is ended."""
    with pytest.raises(SandboxError, match="did not end within 0 s"):
        run(["sleep", "60"], limit=0.05)


def test_without_root_there_is_one_obstacle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing else is looked at before."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert host.problems(Cgroups(version=1, hierarchies=())) == [
        "the sandbox makes network namespaces and cgroups: run this as root",
    ]


def test_little_space_is_said_with_the_need(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence has what is there and what is needed."""
    monkeypatch.setattr(host, "STATE_SPACE", 2**60)
    problem = host._space_problem()
    assert problem is not None
    assert "GiB left and the sandbox needs 1073741824" in problem


def test_little_memory_is_said_with_the_need(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same for memory."""
    monkeypatch.setattr(host, "MEMORY", 2**60)
    problem = host._memory_problem()
    assert problem is not None
    assert "of memory are available" in problem


def test_an_unknown_file_system_is_named() -> None:
    """The sentence says which module to load."""
    assert host._file_system_problem("nosuchfs") == "the kernel has no nosuchfs file system: run `modprobe nosuchfs`"
    assert host._file_system_problem("proc") is None
