"""The core hears of no driver and no add-on by name: what stands in its source is the contract alone (law 3)."""

from __future__ import annotations

import ast
import importlib.metadata
import re
from pathlib import Path

import pytest

import kamaji_core
from kamaji_core.plugins import load_plugins

ROOT = Path(kamaji_core.__file__).parent

COMPONENTS = {"kine", "konnectivity", "coredns"}
"""What plugins bring into pods or tenants, or stand on; the core must not know it either, installed or not."""

MAY_NAME_DRIVERS = {
    "api": "its field names and defaults are Kamaji's",
    "testing": "starts the program etcd, which every API server needs, whatever drivers there are",
}
MAY_NAME_COMPONENTS = {"api": "as above"}


def plugin_names() -> set[str]:
    """Distribution, module and entry-point names of everything installed in our group."""
    names: set[str] = set()
    for entry_point in importlib.metadata.entry_points(group="kamaji"):
        names |= {entry_point.name, entry_point.module}
        if entry_point.dist:
            names |= {entry_point.dist.name, entry_point.dist.name.replace("-", "_")}
    return names


def brought_names() -> set[str]:
    """NAMEs of drivers and add-ons and the keys that turn add-ons on, of everything installed."""
    plugins = load_plugins(disabled=())
    return {*plugins.datastores, *plugins.addons, *(addon.SPEC_KEY for addon in plugins.addons.values())}


def files(*, without: set[str]) -> list[Path]:
    """All that the core ships; rooms named in `without` are left out."""
    shipped = [path for path in ROOT.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return sorted(path for path in shipped if path.relative_to(ROOT).parts[0] not in without)


def sources(*, without: set[str]) -> list[Path]:
    """The Python files among them."""
    return [path for path in files(without=without) if path.suffix == ".py"]


def strings(tree: ast.AST) -> set[str]:
    """Every string of the code, also those inside of f-strings."""
    # A string alone on its line is prose: it documents the module, class, function or attribute beside it.
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    constants = (node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in prose)
    return {node.value for node in constants if isinstance(node.value, str)}


def words(tree: ast.AST) -> set[str]:
    """The words, in lower case, that identifiers and strings are made of: `KINE_ENDPOINT` and `kineImage` hold kine."""
    texts = strings(tree)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant):
            texts |= {value for _, value in ast.iter_fields(node) if isinstance(value, str)}
    return {word.lower() for text in texts for word in re.findall(r"[A-Z]*[a-z]+|[A-Z]+", text)}


def named(path: Path) -> str:
    """A file's path inside of the core."""
    return str(path.relative_to(ROOT))


def test_there_are_plugins_to_look_for() -> None:
    """Otherwise the tests below could not fail."""
    assert plugin_names()
    assert brought_names()


def test_every_room_is_looked_at() -> None:
    """The rooms that may name a driver exist, are as few as said, and all other rooms are read."""
    rooms = {path.name for path in ROOT.iterdir() if path.name != "__pycache__"}
    assert MAY_NAME_DRIVERS.keys() <= rooms
    assert {path.relative_to(ROOT).parts[0] for path in files(without={"api"})} == rooms - {"api"}
    assert {path.relative_to(ROOT).parts[0] for path in sources(without=set())} == rooms - {"py.typed"}


@pytest.mark.parametrize("path", files(without={"api"}), ids=named)
def test_no_plugin_is_named(path: Path) -> None:
    """Neither distribution nor module nor entry point, not even in a comment; `api/` holds Kamaji's field names."""
    text = path.read_text()
    assert [name for name in plugin_names() if name in text] == []


@pytest.mark.parametrize("path", sources(without=set(MAY_NAME_DRIVERS)), ids=named)
def test_nothing_is_compared_with_a_name(path: Path) -> None:
    """No string of the code equals a driver's or an add-on's NAME, whatever its quotes."""
    assert strings(ast.parse(path.read_text())) & brought_names() == set()


@pytest.mark.parametrize("path", sources(without=set(MAY_NAME_COMPONENTS)), ids=named)
def test_no_component_of_a_plugin_is_known(path: Path) -> None:
    """No identifier and no string holds its name; prose may give it as an example."""
    assert words(ast.parse(path.read_text())) & COMPONENTS == set()


@pytest.mark.parametrize(
    "code",
    [
        "if driver == 'kine': pass",
        'x = f"--{name}-kine-{name}"',
        "KINE_ENDPOINT = 1",
        "kineImage = 1",
        "def start_kine(): pass",
        "a.kine = 1",
        "f(kine=1)",
        "import kine.library",
        "class KineDriver: pass",
    ],
)
def test_the_search_finds_what_it_looks_for(code: str) -> None:
    """In every place where code can name something."""
    assert "kine" in words(ast.parse(code))


@pytest.mark.parametrize("code", ['"""Not kine."""', 'X = 1\n"""Not kine."""', "machine = 'machinery'  # kine"])
def test_the_search_passes_over_prose(code: str) -> None:
    """Docstrings, comments and longer words are no knowledge."""
    assert "kine" not in words(ast.parse(code))
