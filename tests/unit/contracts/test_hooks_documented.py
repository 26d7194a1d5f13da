"""Every hook is documented with its exact signature, and has a test; what docs/plugins/hooks.md says is kept true."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kamaji_core.contracts import hooks

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE = Path(__file__).parents[3] / "docs" / "plugins" / "hooks.md"

SPECIFIED: dict[str, Callable[..., Any]] = {
    name: value for name, value in vars(hooks).items() if hasattr(value, f"{hooks.GROUP}_spec")
}


def sections() -> dict[str, str]:
    """The page's text under each heading that is a hook's name."""
    parts = re.split(r"^## `(\w+)`$", PAGE.read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def signature(hook: Callable[..., Any]) -> str:
    """A hook's first line as source; annotations stand as they are written, without the quotes of deferred ones."""
    return f"def {hook.__name__}{inspect.signature(hook)}: ...".replace("'", "")


def test_there_are_hooks() -> None:
    """The search finds what pluggy finds."""
    assert {"kamaji_datastores", "kamaji_addons", "kamaji_cli"} <= SPECIFIED.keys()
    assert {name for name in vars(hooks) if name.startswith("kamaji_")} == SPECIFIED.keys()


def test_the_page_has_a_section_for_each_hook_in_their_order() -> None:
    """None is left out, none is invented."""
    assert list(sections()) == list(SPECIFIED)


@pytest.mark.parametrize("name", SPECIFIED)
def test_the_signature_is_exact(name: str) -> None:
    """It can be copied."""
    blocks = re.findall(r"^```python\n(.*?)\n```$", sections()[name], flags=re.MULTILINE | re.DOTALL)
    assert signature(SPECIFIED[name]) in blocks


@pytest.mark.parametrize("name", SPECIFIED)
def test_every_argument_and_result_is_told_in_the_docstring(name: str) -> None:
    """Each argument has its line, and a hook that answers says what."""
    hook = SPECIFIED[name]
    told = inspect.getdoc(hook) or ""
    assert [argument for argument in inspect.signature(hook).parameters if f"\n    {argument}: " not in told] == []
    assert ("Returns:" in told) == (inspect.signature(hook).return_annotation != "None")


@pytest.mark.parametrize("name", SPECIFIED)
def test_whether_a_hook_is_called_is_told_alike(name: str) -> None:
    """The docstring and the page agree on what is not called yet."""
    told = inspect.getdoc(SPECIFIED[name]) or ""
    assert ("Not called yet." in told) == ("Not called yet." in sections()[name])


@pytest.mark.parametrize("name", SPECIFIED)
def test_every_hook_has_a_test(name: str) -> None:
    """In the file beside this one."""
    tree = ast.parse((Path(__file__).parent / "test_hooks.py").read_text())
    functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    assert [function for function in functions if re.fullmatch(rf"test_{name}(_.*)?", function)]


def test_every_event_is_told() -> None:
    """The page names all turns of a tenant's life by their values, in their order."""
    told = sections()["kamaji_tenant_event"]
    assert ", ".join(f"`{what}`" for what in hooks.TenantEvent) in told
