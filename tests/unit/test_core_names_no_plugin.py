"""The core hears of no driver by name: what stands in its source is the contract alone."""

from __future__ import annotations

import importlib.metadata
import re
from pathlib import Path

import pytest

import kamaji_core
from kamaji_core.plugins import load_plugins

ROOT = Path(kamaji_core.__file__).parent


def plugin_names() -> set[str]:
    """Distribution, module and entry-point names of everything installed in our group."""
    names: set[str] = set()
    for entry_point in importlib.metadata.entry_points(group="kamaji"):
        names |= {entry_point.name, entry_point.module}
        if entry_point.dist:
            names.add(entry_point.dist.name)
    return names


def sources(*, without: set[str]) -> list[Path]:
    """The core's source files; rooms named in `without` are left out."""
    return [path for path in ROOT.rglob("*.py") if path.relative_to(ROOT).parts[0] not in without]


def test_there_are_plugins_to_look_for() -> None:
    """Otherwise the tests below could not fail."""
    assert plugin_names()
    assert load_plugins().datastores


@pytest.mark.parametrize("path", sources(without={"api"}), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_plugin_is_named(path: Path) -> None:
    """Neither distribution nor module nor entry point; `api/` alone holds Kamaji's field names."""
    text = path.read_text()
    assert [name for name in plugin_names() if name in text] == []


# `testing` starts the program etcd, which every API server needs, whatever drivers there are.
@pytest.mark.parametrize("path", sources(without={"api", "testing"}), ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_is_compared_with_a_drivers_name(path: Path) -> None:
    """No string of the core equals a driver's NAME."""
    text = path.read_text()
    quoted = {match.group(2) for match in re.finditer(r"""(["'])([A-Za-z]+)\1""", text)}
    assert quoted & load_plugins().datastores.keys() == set()
