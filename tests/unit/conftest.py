"""Plugins that are really installed: a module and its distribution's metadata in a folder of `sys.path`."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING

import pytest

from kamaji_core.plugins import DISABLED_VARIABLE, ENABLED_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def install_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], Path]]:
    """Installs a plugin beside those of the environment, given its name and the source of its module.

    The module is called `plugin_<name>`, the distribution `kamaji-<name>` 1.2. Answers the folder, for subprocesses.
    """
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.delenv(ENABLED_VARIABLE, raising=False)
    monkeypatch.delenv(DISABLED_VARIABLE, raising=False)
    modules: list[str] = []

    def install(name: str, source: str) -> Path:
        module = f"plugin_{name}"
        modules.append(module)
        (site / f"{module}.py").write_text(source)
        metadata = site / f"kamaji_{name}-1.2.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: kamaji-{name}\nVersion: 1.2\n")
        (metadata / "entry_points.txt").write_text(f"[kamaji]\n{name} = {module}\n")
        importlib.invalidate_caches()
        return site

    yield install
    for module in modules:
        sys.modules.pop(module, None)
