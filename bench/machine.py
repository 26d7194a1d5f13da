"""What a measurement ran on: figures of different machines or versions must not be compared unknowingly."""

from __future__ import annotations

import os
import platform
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import kamaji_core
from bench.consumption import PROC
from sandbox import cgroups
from sandbox.build import FAMILIES

_ROOT = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """The machine and the programs.

    Args:
        date: of the measurement, UTC.
        cores: that this process may use.
        memory_gib: of the machine.
        kernel: its release.
        cgroups: version 1 or 2.
        python: version.
        kamaji: version of this tree.
        commit: of this tree, with `+` when files differ from it; empty when nobody knows.
        programs: version by family.
    """

    date: str
    cores: int
    memory_gib: float
    kernel: str
    cgroups: int
    python: str
    kamaji: str
    commit: str
    programs: dict[str, str]


def machine() -> Machine:
    """Look at this machine."""
    return Machine(
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        cores=len(os.sched_getaffinity(0)),
        memory_gib=round(memory_bytes((PROC / "meminfo").read_text()) / 2**30, 1),
        kernel=platform.release(),
        cgroups=cgroups.detect().version,
        python=platform.python_version(),
        kamaji=kamaji_core.__version__,
        commit=_commit(),
        programs={family.name: family.version for family in FAMILIES},
    )


def memory_bytes(meminfo: str) -> int:
    """The machine's memory, from the content of `/proc/meminfo`; 0 when it does not say."""
    for line in meminfo.splitlines():
        name, _, value = line.partition(":")
        if name == "MemTotal":
            return int(value.split()[0]) * 1024
    return 0


def _commit() -> str:
    commit = _git("rev-parse", "--short=12", "HEAD")
    return f"{commit}+" if commit and _git("status", "--porcelain", "--untracked-files=no") else commit


def _git(*arguments: str) -> str:
    """What git prints, without taking its locks; empty where there is no git or no repository."""
    argv = ["git", "--no-optional-locks", "-C", str(_ROOT), *arguments]
    try:
        return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""
