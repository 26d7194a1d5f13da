"""The kit for add-ons catches what it is for: each broken one fails, in the test meant for it, for its reason."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from kamaji_core.testing.addon.whole import PARTS

from .outcomes import Result, run

sys.path.append(str(Path(__file__).parent))  # for what lies here and is no package's

from broken_addons import BROKEN

pytestmark = pytest.mark.real

SUITE = Path(__file__).parent / "broken_addon_suite.py"
LIMIT_SECONDS = 300
PROCESSES = 1
"""Most of it is computing, and all share an API server."""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Result]:
    """Each broken add-on in the test meant for it, and the one that is right in all."""
    return run([str(SUITE)], tmp_path_factory.mktemp("broken"), seconds=LIMIT_SECONDS, processes=PROCESSES)


@pytest.mark.parametrize("name", BROKEN)
def test_it_is_caught(name: str, results: dict[tuple[str, str], Result]) -> None:
    """By the test that is meant for it, in its body, with a failure that names the mistake."""
    _, test, words = BROKEN[name]
    result = results[name, test]
    assert result.outcome == "failure", result
    assert words in result.report, result.report


def test_what_they_are_broken_from_is_right(results: dict[tuple[str, str], Result]) -> None:
    """It passes the whole kit."""
    tests = [name for part in PARTS for name in vars(part) if name.startswith("test_")]
    assert {test: results["Lamp", test].outcome for test in tests} == dict.fromkeys(tests, "passed")


def test_there_is_one_for_every_test() -> None:
    """But for those that other tests of the kit are stricter than."""
    tests = {name for part in PARTS for name in vars(part) if name.startswith("test_")}
    assert tests - {test for _, test, _ in BROKEN.values()} == LEFT_OUT


LEFT_OUT = {
    "test_everything_is_made_and_then_rests",  # what never rests is caught where it is planned
    "test_it_stands_in_the_status",  # the core's own affair
    "test_other_settings_are_one_rollout",  # as the first
    "test_what_is_off_leaves_the_pods_and_then_the_namespace",  # the core's own affair
    "test_what_is_watched_comes_back",  # as above
    "test_what_other_settings_want_goes_with_them",  # as above
    "test_what_users_take_over_stays",  # as above
}
