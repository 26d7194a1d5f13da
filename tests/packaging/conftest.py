"""A clean environment with this tree's distributions in it, installed as strangers do: from wheels, by pip.

What works in the developers' environment may rest on an editable install, on a file that no wheel has or on a package
that only developers need. Nothing of that is here: ours come from wheels of this tree alone, others from the index
that pip is set up for, in the versions that all tests run with.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

TREE = Path(__file__).parents[2]
LIMIT_SECONDS = 300


def run(*command: object, folder: Path) -> str:
    """Run a program where nothing of this tree is on Python's path, and give what it printed.

    Raises:
        AssertionError: with what it printed when it failed.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST"))}
    done = subprocess.run(
        [str(word) for word in command],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}"
    return done.stdout


def pip(*words: object, folder: Path) -> str:
    """Run this environment's pip, with the versions that all tests run with."""
    command = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", *words)
    return run(*command, "--constraint", TREE / "constraints.txt", folder=folder)


@dataclass(frozen=True, slots=True)
class Clean:
    """An environment and the folder that it is in.

    Args:
        folder: for whatever a test puts there.
        wheels: of this tree's distributions.
    """

    folder: Path
    wheels: Path

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "environment" / "bin" / "python"

    @property
    def kamaji(self) -> Path:
        """Its command."""
        return self.python.with_name("kamaji")

    def wheel(self, name: str) -> Path:
        """The wheel of one distribution."""
        (found,) = self.wheels.glob(f"{name.replace('-', '_')}-*.whl")
        return found

    def build(self, *sources: Path) -> None:
        """Build wheels, with the developers' hatchling: an environment made for each build takes ten times as long."""
        pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", self.wheels, *sources, folder=self.folder)

    def render(self, distribution: str, **answers: str) -> Path:
        """Render a skeleton of this tree's template with these answers; gives its folder."""
        source = self.folder / distribution
        data = [word for name, value in answers.items() for word in ("--data", f"{name}={value}")]
        template = TREE / "templates" / "plugin"
        run(
            sys.executable, "-m", "copier", "copy", "--quiet", "--defaults", *data, template, source, folder=self.folder
        )
        return source

    def install(self, *what: object) -> None:
        """Install wheels into it."""
        pip("--python", self.python, "install", *what, folder=self.folder)


def listed(clean: Clean, name: str) -> dict[str, Any]:
    """What `kamaji plugins` tells of one plugin."""
    plugins = json.loads(run(clean.kamaji, "plugins", "--output", "json", folder=clean.folder))
    (found,) = [plugin for plugin in plugins if plugin["name"] == name]
    assert isinstance(found, dict)
    return found


def outcome_of_tests(clean: Clean, source: Path, *words: str) -> dict[str, int]:
    """Run a distribution's tests, beside which its package does not lie, so that the installed one is tested.

    Returns:
        How many tests came to what.
    """
    folder = clean.folder / f"tests-of-{source.name}"
    shutil.copytree(source / "tests", folder / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(source / "pyproject.toml", folder)
    said = run(clean.python, "-m", "pytest", "-q", *words, folder=folder)
    return {what: int(number) for number, what in re.findall(r"(\d+) (passed|skipped|xfailed|failed)", said)}


@pytest.fixture(scope="session")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Clean:
    """The operator and the library for drivers on kine, and what their tests need; no plugin yet."""
    folder = tmp_path_factory.mktemp("packaging")
    environment = Clean(folder=folder, wheels=folder / "wheels")
    venv.create(folder / "environment", with_pip=False)
    environment.build(TREE, TREE / "plugins" / "kine")
    tools = ("pytest", "pytest-asyncio", "pytest-timeout")
    environment.install(environment.wheel("kamaji-core"), environment.wheel("kamaji-kine"), *tools)
    return environment
