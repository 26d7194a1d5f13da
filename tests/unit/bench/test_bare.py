"""The memory that an interpreter with the operator's libraries takes by itself."""

from __future__ import annotations

from bench.bare import bare_resident_bytes
from bench.consumption import PAGE_BYTES


def test_a_bare_interpreter_with_the_libraries_is_tens_of_mebibytes() -> None:
    """More than a naked one (about 9 MiB), less than a whole operator could ever take."""
    assert 20 * 2**20 < bare_resident_bytes(PAGE_BYTES) < 120 * 2**20
