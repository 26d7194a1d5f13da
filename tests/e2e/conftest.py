"""The sandbox for end-to-end tests: brought up once, and taken down again unless it was up before."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
UP_LIMIT = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxCommand:
    """The command line of the sandbox, as a user runs it.

    Args:
        was_up: whether somebody had it up before the tests.
    """

    was_up: bool

    @property
    def kubeconfig(self) -> Path:
        """An administrator's kubeconfig of the management cluster."""
        return Path("/var/lib/kamaji-sandbox/admin.kubeconfig")

    def run(self, *arguments: str, check: bool = True, sends: str = "") -> subprocess.CompletedProcess[str]:
        """Run `python -m sandbox` with these arguments; its output is shown when it fails."""
        argv = [sys.executable, "-m", "sandbox", *arguments]
        result = subprocess.run(
            argv, cwd=ROOT, capture_output=True, text=True, check=False, timeout=UP_LIMIT, input=sends
        )
        if check:
            assert result.returncode == 0, f"{arguments}: {result.stdout}{result.stderr}"
        return result

    def execute(self, *command: str, check: bool = True, sends: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command inside the sandbox's network."""
        return self.run("exec", "--", *command, check=check, sends=sends)

    def kubectl(self, *arguments: str, check: bool = True, sends: str = "") -> str:
        """Run kubectl against the management cluster and return its standard output."""
        return self.execute("kubectl", *arguments, check=check, sends=sends).stdout


@pytest.fixture(scope="session")
def sandbox() -> Iterator[SandboxCommand]:
    """The management cluster, up and well."""
    if os.geteuid() != 0:
        pytest.skip("the sandbox needs root")
    was_up = SandboxCommand(was_up=False).run("status", check=False).returncode == 0
    command = SandboxCommand(was_up=was_up)
    command.run("up")
    yield command
    if not was_up:
        command.run("down")
