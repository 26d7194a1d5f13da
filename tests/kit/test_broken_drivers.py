"""The conformance kit catches what it is for: each broken driver fails in the test that is meant for its fault.

All run in one pytest of their own with an etcd for each of its workers, so that they take a minute. A failure counts only as
the test's own judgement: a driver that falls over elsewhere, or a fixture that does, shows nothing.
"""

from __future__ import annotations

import importlib
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from xml.etree import ElementTree as ET

import pytest

from kamaji_core.testing.datastore import DatastoreContract
from kamaji_core.testing.datastore.access import Access

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SUITE = HERE.relative_to(ROOT) / "broken_suite.py"
LIMIT_SECONDS = 570
WORKERS = "3"
"""Most of what is waited for is a time limit, so there may be more of them than processors."""

SEED = 6
SAMPLE = 25
"""Drivers that are run besides those that always are, where KAMAJI_EXPLORE does not ask for all."""
JUDGED = ("AssertionError", "assert ", "Failed: ")
"""How the report of a test that judged begins; that of an accident begins with another error's name."""

pytestmark = pytest.mark.real


def load_table() -> Any:
    """The table, which lies beside the drivers and not in a package."""
    sys.path.insert(0, str(HERE))
    try:
        return importlib.import_module("broken.table")
    finally:
        sys.path.remove(str(HERE))


def chosen() -> list[str]:
    """The names of the drivers that are run."""
    names = {driver.__name__ for driver in TABLE.CAUGHT_BY}
    if os.environ.get("KAMAJI_EXPLORE"):
        return sorted(names)
    always = {driver.__name__ for driver in TABLE.ALWAYS}
    slow = {driver.__name__ for driver in TABLE.SLOW}
    others = random.Random(SEED).sample(sorted(names - always - slow), k=SAMPLE)  # noqa: S311 - a sample
    return sorted({*always, *others})


TABLE = load_table()
RUN = chosen()
MEANT = {driver.__name__: test for driver, test in TABLE.CAUGHT_BY.items()}
BY_ITS_ERROR = {driver.__name__ for driver in TABLE.BY_ITS_ERROR}


class Outcome(NamedTuple):
    """What became of one test: `passed`, `failed`, `skipped` or `error`, and the first line of why."""

    kind: str
    why: str


def run(tests: Iterable[str], report: Path) -> dict[str, Outcome]:
    """Run tests of the suite in another process, and read its report; by class and test."""
    command = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", WORKERS, f"--junit-xml={report}")
    environment = {**os.environ, "PYTHONPATH": str(HERE)}
    told = subprocess.run(
        [*command, *(f"{SUITE}::{test}" for test in tests)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_SECONDS,
    )
    assert report.exists(), told.stdout[-4000:] + told.stderr[-2000:]
    outcomes: dict[str, Outcome] = {}
    for case in ET.parse(report).iter("testcase"):  # noqa: S314 - our own file
        key = f"{case.attrib['classname'].rpartition('.')[2]}::{case.attrib['name']}"
        for kind in ("failure", "skipped", "error"):
            for found in case.iter(kind):
                # A failed test may leave things behind that its teardown complains of: the first word counts.
                outcomes.setdefault(key, Outcome(kind, found.attrib.get("message", "").partition("\n")[0]))
        outcomes.setdefault(key, Outcome("passed", ""))
    return outcomes


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    """What came of each driver's test; all of them run at once, when the first is asked for."""
    return run((f"Test{name}::{MEANT[name]}" for name in RUN), tmp_path_factory.mktemp("kit") / "broken.xml")


@pytest.mark.parametrize("name", RUN)
def test_it_is_caught(outcomes: Mapping[str, Outcome], name: str) -> None:
    """By the test that is meant for it, and by that test's own judgement."""
    outcome = outcomes[f"Test{name}::{MEANT[name]}"]
    assert outcome.kind == "failure", f"{name} passes for a sound driver: {outcome}"
    if name in BY_ITS_ERROR:
        assert "Refused" in outcome.why or "StoreError" in outcome.why or "Error: " in outcome.why, outcome.why
    else:
        assert outcome.why.startswith(JUDGED), f"{name} fell over: {outcome.why}"


def test_what_they_are_made_from_is_right(tmp_path: Path) -> None:
    """The driver whose logins the broken ones mix up keeps all that the kit says of renewal."""
    tests = [f"TestLogins::{name}" for name in vars(Access) if name.startswith("test_")]
    assert len(tests) > 5
    found = run(tests, tmp_path / "sound.xml")
    assert {name: outcome for name, outcome in found.items() if outcome.kind != "passed"} == {}
    assert set(found) == set(tests)


def test_each_driver_has_a_fault_of_its_own() -> None:
    """Each says in a sentence what is wrong with it; no two say the same, and every test named is one of the kit's."""
    words = [(driver.__doc__ or "").strip() for driver in TABLE.CAUGHT_BY]
    assert all(words)
    assert len(set(words)) > len(words) - 10
    assert len(TABLE.CAUGHT_BY) == len(MEANT), "two drivers have one name"
    for test in MEANT.values():
        assert hasattr(DatastoreContract, test.partition("[")[0]), test
