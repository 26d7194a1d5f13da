"""A driver of somebody else's: installed by pip beside the wheels of this tree, it is found, used and tested there."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from .conftest import ROOT, build_wheels, copied

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Stranger

EXAMPLE = ROOT / "examples" / "plugins" / "kamaji-datastore-sqlite"


def test_the_example_is_installed_found_and_passes_its_own_tests(
    stranger: Stranger, our_wheels: list[Path], tmp_path: Path
) -> None:
    """From wheels alone, in an environment that has nothing else of ours; its tests bring what they need."""
    (built,) = build_wheels([copied(EXAMPLE, tmp_path / "source")], tmp_path)
    stranger.install(*map(str, our_wheels), f"{built}[test]")

    (plugin,) = json.loads(stranger.run("kamaji", "plugins", "--check", "--output=json"))
    assert (plugin["name"], plugin["state"], plugin["drivers"]) == ("datastore-sqlite", "ok", ["SQLite"])

    copied(EXAMPLE / "tests", tmp_path / "checkout" / "tests")
    (tmp_path / "checkout" / "pyproject.toml").write_text((EXAMPLE / "pyproject.toml").read_text())
    said = stranger.run("python", "-m", "pytest", "--quiet", "-m", "not real", at="checkout")
    passed = re.search(r"(\d+) passed", said)
    assert passed is not None, said
    assert int(passed[1]) >= 30, said
    assert "failed" not in said
