"""The conformance kit catches what it is for: each broken driver fails, in the test meant for it, for its reason.

All run in one process of pytest with one server, only the test that is meant for each; with KAMAJI_EXPLORE=1 the whole
kit runs against each, and a table shows which tests caught it besides.
"""

from __future__ import annotations

import importlib.util
import os
import random
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from kamaji_core.testing.datastore.access import Access

from .outcomes import Result, run

pytestmark = pytest.mark.real

HERE = Path(__file__).parent
SUITE = HERE / "broken_suite.py"
LIMIT_SECONDS = 400
PROCESSES = 3
EXPLORED_LIMIT_SECONDS = 4 * 3600


def load(name: str) -> Any:
    """A module of this folder, which is no package."""
    spec = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


DRIVERS = load("broken_drivers")
BROKEN = DRIVERS.BROKEN
SEED = 6
SAMPLE = 12
"""So many of the further drivers are run where KAMAJI_EXPLORE does not ask for all."""


def chosen() -> list[str]:
    """The names of the drivers that are run."""
    further = sorted(DRIVERS.FURTHER)
    if "KAMAJI_EXPLORE" not in os.environ:
        further = random.Random(SEED).sample(further, k=SAMPLE)  # noqa: S311 - a sample, the same each time
    return [name for name in BROKEN if name not in DRIVERS.FURTHER or name in further]


CHOSEN = chosen()


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Result]:
    """Each broken driver in the test meant for it, and the one that is right in its own."""
    meant = [f"{SUITE}::Test{name}::{BROKEN[name][2]}" for name in CHOSEN]
    return run(
        [*meant, f"{SUITE}::TestLogins"], tmp_path_factory.mktemp("broken"), seconds=LIMIT_SECONDS, processes=PROCESSES
    )


@pytest.mark.parametrize("name", CHOSEN)
def test_it_is_caught(name: str, results: dict[tuple[str, str], Result]) -> None:
    """By the test that is meant for it, in its body, with a failure that names the mistake."""
    _, _, test, words = BROKEN[name]
    result = results[name, test]
    assert result.outcome == "failure", result
    assert words in result.report, result.report


def test_what_logins_are_broken_from_is_right(results: dict[tuple[str, str], Result]) -> None:
    """The driver whose logins some of them mix up keeps all that the kit says of renewal."""
    tests = [name for name in vars(Access) if name.startswith("test_")]
    assert {test: results["Logins", test].outcome for test in tests} == dict.fromkeys(tests, "passed")


def test_there_are_enough() -> None:
    """A mistake for every part of the kit."""
    assert len(BROKEN) >= 40


@pytest.mark.skipif("KAMAJI_EXPLORE" not in os.environ, reason="hours: set KAMAJI_EXPLORE=1")
@pytest.mark.timeout(EXPLORED_LIMIT_SECONDS)
def test_every_test_against_every_broken_driver(tmp_path: Path) -> None:
    """None passes the whole kit, and the test meant for it is among those that fail."""
    caught: dict[str, list[str]] = defaultdict(list)
    for (driver, test), result in run(
        [str(SUITE)], tmp_path, seconds=EXPLORED_LIMIT_SECONDS, processes=PROCESSES, KAMAJI_KIT_WHOLE="1"
    ).items():
        if result.outcome in {"failure", "error"}:
            caught[driver].append(test)
    for driver, (_, _, test, _) in BROKEN.items():
        print(f"{driver}: {len(caught[driver])} tests, among them {test}")  # noqa: T201 - the table is the result
        assert test in caught[driver]
