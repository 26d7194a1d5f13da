"""What processes and the machine consume, read from `/proc`.

Everything is a running total or a present amount: who measures reads twice and subtracts.
"""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PROC = Path("/proc")
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_ESTABLISHED = "01"
_IDLE_FIELDS = (3, 4)
"""Of a `cpu` line: idle and waiting for a disk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Consumption:
    """A process with its descendants.

    Args:
        pid: of the process; another number means that the totals began anew.
        cpu_seconds: CPU time so far, that of ended children included.
        resident_bytes: memory now; pages that processes share count for each.
        threads: now.
        connections: established TCP connections now.
    """

    pid: int
    cpu_seconds: float
    resident_bytes: int
    threads: int
    connections: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """An established TCP connection, as the process that holds it sees it.

    Args:
        port: its own.
        peer: address of the other side.
        peer_port: of the other side.
    """

    port: int
    peer: str
    peer_port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineLoad:
    """All cores together.

    Args:
        busy_seconds: CPU time spent so far.
        total_seconds: CPU time that there was so far.
        available_bytes: memory that programs could still have.
    """

    busy_seconds: float
    total_seconds: float
    available_bytes: int


def consumption(pid: int, proc: Path = PROC) -> Consumption | None:
    """Read one process and its descendants; nothing when it has ended.

    Args:
        pid: of the process.
        proc: where `/proc` is; another place in tests.
    """
    stats = [stat for member in tree(pid, proc) if (stat := _stat(proc / str(member))) is not None]
    if not stats or stats[0][0] in {"Z", "X"}:
        return None
    return Consumption(
        pid=pid,
        cpu_seconds=sum(int(ticks) for stat in stats for ticks in stat[11:15]) / TICKS_PER_SECOND,
        resident_bytes=sum(int(stat[21]) for stat in stats) * PAGE_BYTES,
        threads=sum(int(stat[17]) for stat in stats),
        connections=len(connections(pid, proc)),
    )


def connections(pid: int, proc: Path = PROC) -> list[Connection]:
    """The established TCP connections of a process and its descendants.

    Args:
        pid: of the process.
        proc: where `/proc` is; another place in tests.
    """
    return [one for member in tree(pid, proc) for one in _connections(proc / str(member))]


def cpu_seconds(pid: int, proc: Path = PROC) -> float:
    """CPU time of one process alone so far; 0 when it has ended."""
    stat = _stat(proc / str(pid))
    return 0.0 if stat is None else sum(int(ticks) for ticks in stat[11:13]) / TICKS_PER_SECOND


def machine_load(proc: Path = PROC) -> MachineLoad:
    """Read the totals of all cores and the available memory."""
    line = (proc / "stat").read_text().partition("\n")[0]
    ticks = [int(word) for word in line.split()[1:9]]  # what guests take is part of user time already
    total = sum(ticks)
    idle = sum(ticks[field] for field in _IDLE_FIELDS)
    return MachineLoad(
        busy_seconds=(total - idle) / TICKS_PER_SECOND,
        total_seconds=total / TICKS_PER_SECOND,
        available_bytes=_amount(proc / "meminfo", "MemAvailable"),
    )


def tree(pid: int, proc: Path = PROC) -> list[int]:
    """The process and its living descendants, itself first."""
    found, waiting = [], [pid]
    while waiting:
        member = waiting.pop()
        found.append(member)
        for children in (proc / str(member) / "task").glob("*/children"):
            waiting += [int(word) for word in _text(children).split()]
    return found


def _connections(directory: Path) -> Iterator[Connection]:
    sockets = _sockets(directory)
    for table in ("tcp", "tcp6"):  # of the process's own network namespace
        for line in _text(directory / "net" / table).splitlines()[1:]:
            row = line.split()
            if row[3] == _ESTABLISHED and row[9] in sockets:
                peer, peer_port = _end(row[2])
                yield Connection(port=_end(row[1])[1], peer=peer, peer_port=peer_port)


def _end(text: str) -> tuple[str, int]:
    """Read an address with its port: 32-bit words in the machine's order of bytes, in hexadecimal."""
    address, _, port = text.partition(":")
    words = bytes.fromhex(address)
    octets = b"".join(words[place : place + 4][::-1] for place in range(0, len(words), 4))
    read = ipaddress.ip_address(octets)
    mapped = read.ipv4_mapped if isinstance(read, ipaddress.IPv6Address) else None
    return str(mapped or read), int(port, 16)


def _sockets(directory: Path) -> set[str]:
    found = set()
    try:
        for descriptor in (directory / "fd").iterdir():
            try:
                target = str(descriptor.readlink())
            except OSError:
                continue  # closed in the meantime
            if target.startswith("socket:["):
                found.add(target[8:-1])
    except OSError:
        return found
    return found


def _stat(directory: Path) -> list[str] | None:
    """The fields of `stat` from the third on: state, parent and so on."""
    return _text(directory / "stat").rpartition(")")[2].split() or None


def _amount(file: Path, name: str) -> int:
    for line in _text(file).splitlines():
        key, _, value = line.partition(":")
        if key == name:
            return int(value.split()[0]) * 1024
    return 0


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""
