"""The memory that an interpreter with the operator's libraries takes by itself."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from bench.bare import bare_resident_bytes, interpreter_of
from bench.consumption import PAGE_BYTES

if TYPE_CHECKING:
    from pathlib import Path


def test_a_bare_interpreter_with_the_libraries_is_tens_of_mebibytes() -> None:
    """More than a naked one (about 9 MiB), less than a whole operator could ever take."""
    found = bare_resident_bytes(sys.executable, PAGE_BYTES)
    assert found is not None
    assert 20 * 2**20 < found < 120 * 2**20


def test_another_s_operator_has_no_such_figure(tmp_path: Path) -> None:
    """Whatever stands for an interpreter there."""
    interpreter = tmp_path / "python"
    interpreter.write_text("#!/bin/sh\nexit 1\n")
    interpreter.chmod(0o755)
    assert bare_resident_bytes(str(interpreter), PAGE_BYTES) is None


def test_the_interpreter_is_the_one_beside_the_command(tmp_path: Path) -> None:
    """Where there is one; ours otherwise."""
    (tmp_path / "python").touch()
    operator = tmp_path / "kamaji"
    operator.write_text("#!/bin/sh\n")
    operator.chmod(0o755)
    assert interpreter_of(f"{operator} manager") == str(tmp_path / "python")
    assert interpreter_of("no-such-operator manager") == sys.executable
    assert interpreter_of("") == sys.executable
