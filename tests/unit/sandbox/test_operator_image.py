"""What the operator's image is made from, and when it counts as another one."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from sandbox.operator import image

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of what the image is made from, with what is not part of it beside."""
    for path in image.sources():
        target = tmp_path / path.relative_to(image.ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    monkeypatch.setattr(image, "ROOT", tmp_path)
    return tmp_path


def test_tests_and_caches_are_no_part_of_it(tree: Path) -> None:
    """As the file .dockerignore says."""
    before = image.tag()
    for name in ("plugins/datastore_etcd/tests/test_x.py", "kamaji_core/__pycache__/x.pyc", "docs/x.md"):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).touch()
    assert image.tag() == before
    ignored = (image.ROOT / ".dockerignore").read_text().split()
    assert {"**/tests", "**/__pycache__"} <= set(ignored)


@pytest.mark.parametrize("name", ["Dockerfile", "constraints.txt", "kamaji_core/manager.py", "plugins/new/new.py"])
def test_what_it_is_made_from_makes_another(tree: Path, name: str) -> None:
    """Also when something is new."""
    before = image.tag()
    path = tree / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("# changed")
    assert image.tag() != before
