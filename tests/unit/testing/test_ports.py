"""A port is given to one process of tests at a time."""

from __future__ import annotations

import subprocess
import sys

from kamaji_core.testing import free_port

ASK = "import sys; from kamaji_core.testing.ports import _reserve; sys.exit(not _reserve(int(sys.argv[1])))"


def asks_for(port: int) -> bool:
    """Whether another process may have a port."""
    return subprocess.run([sys.executable, "-c", ASK, str(port)], check=False, timeout=30).returncode == 0


def test_no_other_process_is_given_the_same() -> None:
    """Though its server has not bound it yet."""
    port = free_port()
    assert not asks_for(port)


def test_a_port_goes_back_with_its_process() -> None:
    """Nothing has to be cleaned up after a test run that was killed."""
    for _ in range(2):
        assert asks_for(19999)
