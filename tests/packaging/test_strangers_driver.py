"""A stranger's driver: installed by pip into a clean environment, it is found and ok, and its tests pass there."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from .conftest import TREE, listed, outcome_of_tests, run

if TYPE_CHECKING:
    from .conftest import Clean

EXAMPLE = TREE / "examples" / "plugins" / "kamaji-datastore-sqlite"


@pytest.fixture(scope="module")
def example(clean: Clean) -> Clean:
    """The environment with the example in it."""
    clean.build(EXAMPLE)
    clean.install(f"{clean.wheel('kamaji-datastore-sqlite')}[test]")
    return clean


def test_the_environment_is_a_strangers(example: Clean) -> None:
    """Nothing of ours comes from this tree's folders, and nothing of the developers' tools is there."""
    code = (
        "import kamaji_core, kamaji_kine, kamaji_datastore_sqlite as s; print(*(m.__file__ for m in (kamaji_core, s)))"
    )
    for path in run(example.python, "-c", code, folder=example.folder).split():
        assert path.startswith(str(example.folder))
    have = json.loads(run(sys.executable, "-m", "pip", "--python", example.python, "list", "--format", "json",
                          "--disable-pip-version-check", folder=example.folder))  # fmt: skip
    assert {"ruff", "mypy", "hypothesis", "copier"} & {package["name"] for package in have} == set()


def test_the_example_is_ok_where_it_is_installed(example: Clean) -> None:
    """Listed with its driver, by the distribution's name, and the check of all plugins succeeds."""
    found = listed(example, "datastore-sqlite")
    assert (found["state"], found["drivers"], found["distribution"]) == ("ok", ["SQLite"], "kamaji-datastore-sqlite")
    run(example.kamaji, "plugins", "--check", folder=example.folder)


def test_the_example_passes_its_tests_where_it_is_installed(example: Clean) -> None:
    """Those that need no real programs; the others run beside our own plugins'."""
    came_to = outcome_of_tests(example, EXAMPLE, "-m", "not real")
    assert came_to["passed"] > 80
    assert "failed" not in came_to


def test_the_template_makes_a_plugin_that_works(clean: Clean) -> None:
    """Rendered, installed, listed as ok, and its tests pass; what is left to be written is told as such."""
    source = clean.render("kamaji-datastore-cold-cellar", name="Cold-Cellar", scheme="cellar")
    clean.build(source)
    clean.install(f"{clean.wheel('kamaji-datastore-cold-cellar')}[test]")
    found = listed(clean, "datastore-cold-cellar")
    assert (found["state"], found["drivers"]) == ("ok", ["Cold-Cellar"])
    came_to = outcome_of_tests(clean, source)
    assert came_to["passed"] > 30
    assert came_to["xfailed"] > 0
    assert "failed" not in came_to
