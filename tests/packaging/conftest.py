"""What a stranger has: wheels of this tree, and a Python environment with nothing of this repository in it.

Wheels are built by the hatchling of the environment that runs the tests, and the environments have no pip of their own:
either would cost ten seconds a test.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[2]
OURS = (ROOT, ROOT / "plugins" / "kine")
LIMIT = 240.0
"""Seconds for one command; most of it is the package index's."""

VARIABLES = {"HOME", "PATH", "LANG", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"}
"""What a stranger's commands get of our environment, beside pip's own; no `PYTHONPATH` above all."""


def build_wheels(sources: Sequence[Path], folder: Path) -> list[Path]:
    """Build a wheel of each, without asking an index."""
    quiet = ("--quiet", "--disable-pip-version-check")
    _run(
        [sys.executable, "-m", "pip", "wheel", *quiet, "--no-build-isolation", "--no-deps"],
        [f"--wheel-dir={folder}", *map(str, sources)],
        at=folder,
    )
    return sorted(folder.glob("*.whl"))


@pytest.fixture(scope="session")
def our_wheels(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The core and the library for drivers that stand on kine."""
    return build_wheels(OURS, tmp_path_factory.mktemp("wheels"))


@dataclass(frozen=True, slots=True)
class Stranger:
    """Somebody with an environment of their own.

    Args:
        folder: holds it, and is where commands are run.
    """

    folder: Path

    def install(self, *packages: str) -> None:
        """Install with pip: wheels by their paths, so that no index can give another; what they need from the index."""
        _run(
            [sys.executable, "-m", "pip", f"--python={self.folder / 'venv' / 'bin' / 'python'}", "install"],
            ["--quiet", "--disable-pip-version-check", "--no-compile", f"--constraint={ROOT / 'constraints.txt'}"],
            packages,
            at=self.folder,
        )

    def run(self, command: str, *arguments: str, at: str = ".") -> str:
        """Run a command of the environment, and give what it says; one that fails fails the test."""
        return _run([str(self.folder / "venv" / "bin" / command)], arguments, at=self.folder / at)


@pytest.fixture
def stranger(tmp_path: Path) -> Stranger:
    """A clean environment in an empty folder."""
    venv.create(tmp_path / "venv", with_pip=False, symlinks=True)
    return Stranger(tmp_path)


def copied(source: Path, target: Path) -> Path:
    """A copy of a folder of this tree without what running it left there."""
    left = shutil.ignore_patterns("__pycache__", ".pytest_cache", "*.egg-info")
    shutil.copytree(source, target, ignore=left)
    return target


def _run(*command: Sequence[str], at: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if name in VARIABLES or name.startswith("PIP_")}
    words = [word for part in command for word in part]
    done = subprocess.run(words, cwd=at, env=environment, capture_output=True, text=True, timeout=LIMIT, check=False)
    assert done.returncode == 0, f"{' '.join(words)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done.stdout
