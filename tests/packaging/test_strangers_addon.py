"""A stranger's add-on, and a plugin of hooks alone: installed by pip they are ok, and their tests pass there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .conftest import TREE, listed, outcome_of_tests, run

if TYPE_CHECKING:
    from .conftest import Clean

pytestmark = pytest.mark.real

HELLO = TREE / "examples" / "plugins" / "kamaji-addon-hello"
HOOKS = TREE / "examples" / "plugins" / "kamaji-hooks-demo"
KIT = 34
"""Tests of the kit."""


def test_the_example_works_where_it_is_installed(clean: Clean) -> None:
    """Listed with its add-on, and its tests pass, those in a real API server too."""
    clean.build(HELLO)
    clean.install(f"{clean.wheel('kamaji-addon-hello')}[test]")
    found = listed(clean, "addon-hello")
    assert (found["state"], found["addons"], found["contract"]) == ("ok", ["hello"], "1.0")
    came_to = outcome_of_tests(clean, HELLO)
    assert came_to["passed"] >= KIT
    assert set(came_to) == {"passed"}


def test_the_hooks_work_where_they_are_installed(clean: Clean) -> None:
    """Each is called as the operator calls it, and the command is among `kamaji`'s own."""
    clean.build(HOOKS)
    clean.install(f"{clean.wheel('kamaji-hooks-demo')}[test]")
    found = listed(clean, "hooks-demo")
    assert (found["state"], found["commands"]) == ("ok", ["house-rules"])
    assert "prod-" in run(clean.kamaji, "house-rules", folder=clean.folder)
    assert set(outcome_of_tests(clean, HOOKS)) == {"passed"}


def test_the_template_makes_an_addon_that_works(clean: Clean) -> None:
    """Rendered, installed, listed as ok, and it passes the whole kit."""
    source = clean.render("kamaji-addon-night-light", kind="addon", name="Night-Light")
    clean.build(source)
    clean.install(f"{clean.wheel('kamaji-addon-night-light')}[test]")
    found = listed(clean, "addon-night-light")
    assert (found["state"], found["addons"]) == ("ok", ["night-light"])
    came_to = outcome_of_tests(clean, source)
    assert came_to["passed"] >= KIT
    assert set(came_to) == {"passed"}
