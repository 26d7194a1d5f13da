"""What a measurement ran on."""

from __future__ import annotations

import kamaji_core
from bench import machine as machine_module
from bench.machine import machine, memory_bytes


def test_this_machine_is_told() -> None:
    """With the versions of everything that figures depend on."""
    found = machine()
    assert found.cores >= 1
    assert found.memory_gib > 0
    assert found.kamaji == kamaji_core.__version__
    assert set(found.programs) >= {"etcd", "kubernetes", "coredns"}
    assert found.date.endswith("+00:00")


def test_memory_is_read_from_its_line() -> None:
    """Zero when there is none."""
    assert memory_bytes("MemFree: 1 kB\nMemTotal:       2048 kB\n") == 2**21
    assert memory_bytes("") == 0


def test_a_tree_without_git_has_no_commit() -> None:
    """Figures are made from an unpacked archive as well."""
    assert machine_module._git("no-such-command") == ""
