"""What processes and the machine consume, from a `/proc` made up here and from the real one."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from bench.consumption import (
    PAGE_BYTES,
    PROC,
    TICKS_PER_SECOND,
    Connection,
    connections,
    consumption,
    cpu_seconds,
    machine_load,
    tree,
)

if TYPE_CHECKING:
    from pathlib import Path

ROWS = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 100 1 0 100 0 0 10 0
   1: 0100007F:1F91 0100007F:1F90 01 00000000:00000000 00:00000000 00000000     0        0 101 1 0 20 4 30 10 -1
   2: 0100007F:1F92 0100007F:1F90 01 00000000:00000000 00:00000000 00000000     0        0 102 1 0 20 4 30 10 -1
   3: 0100007F:1F93 0100007F:1F90 06 00000000:00000000 00:00000000 00000000     0        0 103 1 0 20 4 30 10 -1
"""


def process(
    proc: Path, pid: int, *, ticks: tuple[int, int, int, int] = (0, 0, 0, 0), children: str = "", state: str = "S"
) -> Path:
    """Put a process into a `/proc`; its name holds what a careless reader stumbles over."""
    directory = proc / str(pid)
    (directory / "task" / str(pid)).mkdir(parents=True)
    (directory / "task" / str(pid) / "children").write_text(children)
    user, system, child_user, child_system = ticks
    before = "1 1 1 0 -1 4194560 10 10 0 0"
    after = "20 0 3 0 12345 999999 50 18446744073709551615"
    (directory / "stat").write_text(
        f"{pid} (odd) name) {state} {before} {user} {system} {child_user} {child_system} {after}"
    )
    (directory / "fd").mkdir()
    (directory / "net").mkdir()
    return directory


def test_a_process_is_told_with_its_descendants(tmp_path: Path) -> None:
    """CPU time of ended children counts, that of living ones is their own."""
    process(tmp_path, 10, ticks=(100, 20, 3, 4), children="11 12")
    process(tmp_path, 11, ticks=(10, 0, 0, 0), children="13")
    process(tmp_path, 12)
    process(tmp_path, 13, ticks=(1, 1, 0, 0))
    process(tmp_path, 99, ticks=(5000, 0, 0, 0))
    found = consumption(10, tmp_path)
    assert found is not None
    assert set(tree(10, tmp_path)) == {10, 11, 12, 13}
    assert found.cpu_seconds == pytest.approx(139 / TICKS_PER_SECOND)
    assert found.threads == 12
    assert found.resident_bytes == 4 * 50 * PAGE_BYTES


def test_only_established_connections_of_the_process_count(tmp_path: Path) -> None:
    """The table is that of the network namespace: sockets of others, and those that listen or close, are left out."""
    directory = process(tmp_path, 10)
    (directory / "net" / "tcp").write_text(ROWS)
    for number, target in enumerate(("socket:[100]", "socket:[101]", "socket:[103]", "/dev/null")):
        (directory / "fd" / str(number)).symlink_to(target)
    found = consumption(10, tmp_path)
    assert found is not None
    assert found.connections == 1


@pytest.mark.parametrize("state", ["Z", "X"])
def test_a_process_that_has_ended_is_nothing(tmp_path: Path, state: str) -> None:
    """Also while nobody has taken note of its end."""
    process(tmp_path, 10, state=state)
    assert consumption(10, tmp_path) is None
    assert consumption(11, tmp_path) is None
    assert cpu_seconds(11, tmp_path) == 0.0


def test_the_machine_is_busy_when_it_is_not_idle(tmp_path: Path) -> None:
    """Waiting for a disk is idleness, and a guest's time is part of the user time already."""
    (tmp_path / "stat").write_text("cpu  100 10 50 800 40 5 5 10 77 7\ncpu0 1 1 1 1\n")
    (tmp_path / "meminfo").write_text("MemTotal:       2048 kB\nMemAvailable:       1024 kB\n")
    load = machine_load(tmp_path)
    assert load.busy_seconds == pytest.approx(180 / TICKS_PER_SECOND)
    assert load.total_seconds == pytest.approx(1020 / TICKS_PER_SECOND)
    assert load.available_bytes == 2**20


BUSY = """
import socket, sys, threading
listener = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(listener.getsockname())
served, _ = listener.accept()
threading.Thread(target=sys.stdin.read).start()
print("ready", flush=True)
"""
"""A process with both ends of one connection and two threads, until its input ends."""


def test_a_process_is_read_rightly() -> None:
    """Its connections and threads are seen in the kernel's own files."""
    with subprocess.Popen([sys.executable, "-c", BUSY], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        seen = consumption(process.pid)
    assert seen is not None
    assert (seen.connections, seen.threads) == (2, 2)
    assert seen.cpu_seconds > 0
    assert seen.resident_bytes > 2**20


def test_the_machines_totals_grow() -> None:
    """Two looks at the real files."""
    first, second = machine_load(), machine_load(PROC)
    assert second.total_seconds >= first.total_seconds > first.busy_seconds > 0
    assert first.available_bytes > 0


def test_a_connection_is_told_with_its_other_side(tmp_path: Path) -> None:
    """Addresses are words in the machine's order of bytes, those of version 4 in version 6 as what they are."""
    directory = process(tmp_path, 10)
    (directory / "net" / "tcp").write_text(ROWS)
    mapped = "   0: 0000000000000000FFFF00000900D70A:9C41 0000000000000000FFFF00000900D70A:192B 01 0 0 0 0 0 104"
    (directory / "net" / "tcp6").write_text(f"  sl  local_address\n{mapped}\n")
    for number, inode in enumerate((101, 103, 104)):
        (directory / "fd" / str(number)).symlink_to(f"socket:[{inode}]")
    assert connections(10, tmp_path) == [
        Connection(port=0x1F91, peer="127.0.0.1", peer_port=0x1F90),
        Connection(port=0x9C41, peer="10.215.0.9", peer_port=6443),
    ]
