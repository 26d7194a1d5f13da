"""Plugins are found through entry points, and a bad one is left out and named without harming the others."""

from __future__ import annotations

import importlib.metadata
import sys
import types
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from kamaji_core.contracts import API_VERSION, DatastoreDriver, hookimpl
from kamaji_core.plugins import load_plugins

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Driver(DatastoreDriver):
    NAME: ClassVar[str] = "example"
    API_VERSION: ClassVar[tuple[int, int]] = API_VERSION

    def validate(self, *args: Any, **kwargs: Any) -> Any:
        return []

    issue = open = parts = validate


class _NewerDriver(_Driver):
    NAME = "newer"
    API_VERSION = (9, 0)


class _NamelessDriver(_Driver):
    NAME = ""


class _FailingDriver(_Driver):
    NAME = "failing"

    def __init__(self) -> None:
        raise RuntimeError("no licence")


class _AbstractDriver(DatastoreDriver):
    NAME = "half"
    API_VERSION = API_VERSION


def plugin(name: str, *drivers: type[DatastoreDriver]) -> importlib.metadata.EntryPoint:
    """An entry point of a module that brings these drivers."""
    module = types.ModuleType(f"plugin_under_test_{name}")

    @hookimpl
    def kamaji_datastores() -> list[type[DatastoreDriver]]:
        return list(drivers)

    module.kamaji_datastores = kamaji_datastores  # type: ignore[attr-defined]  # modules take any attribute
    sys.modules[module.__name__] = module
    return importlib.metadata.EntryPoint(name=name, value=module.__name__, group="kamaji")


@pytest.fixture(autouse=True)
def forget_modules() -> Iterator[None]:
    """Remove the modules that the tests made."""
    yield
    for name in [name for name in sys.modules if name.startswith("plugin_under_test_")]:
        del sys.modules[name]


def test_a_driver_is_found_by_its_name() -> None:
    """`spec.driver` selects by NAME."""
    plugins = load_plugins([plugin("one", _Driver)])
    assert isinstance(plugins.datastores["example"], _Driver)
    assert plugins.failures == ()


def test_the_first_party_driver_comes_through_the_same_door() -> None:
    """It is installed like a stranger's, found by entry point."""
    assert "etcd" in load_plugins().datastores


@pytest.mark.parametrize(
    ("driver", "sentence"),
    [
        (_NewerDriver, "written for plugin contract 9.0, this operator speaks 1.0"),
        (_NamelessDriver, "has no NAME"),
        (_FailingDriver, "RuntimeError: no licence"),
        (_AbstractDriver, "abstract"),
    ],
)
def test_a_bad_driver_is_left_out_and_the_good_one_works(driver: type[DatastoreDriver], sentence: str) -> None:
    """One plugin's trouble stays its own."""
    plugins = load_plugins([plugin("bad", driver), plugin("good", _Driver)])
    assert list(plugins.datastores) == ["example"]
    assert sentence in plugins.failures[0].sentence


def test_a_module_that_does_not_import_is_left_out() -> None:
    """The import error is what the user is shown."""
    broken = importlib.metadata.EntryPoint(name="broken", value="no_such_module_at_all", group="kamaji")
    plugins = load_plugins([broken, plugin("good", _Driver)])
    assert list(plugins.datastores) == ["example"]
    assert "no_such_module_at_all" in plugins.failures[0].sentence


def test_a_wrong_hook_signature_is_left_out() -> None:
    """Pluggy refuses it at registration; only this plugin is missing."""
    entry_point = plugin("wrong", _Driver)
    module = sys.modules[entry_point.value]

    @hookimpl
    def kamaji_datastores(surprise: Any) -> list[Any]:
        return []

    module.kamaji_datastores = kamaji_datastores  # type: ignore[attr-defined]  # modules take any attribute
    plugins = load_plugins([entry_point])
    assert plugins.datastores == {}
    assert "surprise" in plugins.failures[0].sentence


def test_an_unknown_hook_is_refused_rather_than_silent() -> None:
    """A misspelt hook would otherwise never be called."""
    entry_point = plugin("misspelt")
    module = sys.modules[entry_point.value]

    @hookimpl
    def kamaji_datastore() -> list[Any]:
        return []

    module.kamaji_datastore = kamaji_datastore  # type: ignore[attr-defined]  # modules take any attribute
    assert "kamaji_datastore" in load_plugins([entry_point]).failures[0].sentence


def test_a_name_that_is_taken_is_refused_naming_who_has_it() -> None:
    """The first in the order of entry-point names keeps it."""
    plugins = load_plugins([plugin("b", _Driver), plugin("a", _Driver)])
    assert "already taken by plugin_under_test_a" in plugins.failures[0].sentence


def test_a_missing_driver_is_explained() -> None:
    """Either nobody brings it, or somebody does and why it cannot be used."""
    plugins = load_plugins([plugin("good", _Driver), plugin("newer", _NewerDriver)])
    assert "No installed plugin brings the driver 'oracle' (installed: example)" in plugins.missing_driver("oracle")
    assert "plugin contract 9.0" in plugins.missing_driver("newer")
