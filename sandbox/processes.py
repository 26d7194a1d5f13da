"""Detached servers: started so that they outlive the command, and found again by process id and start time.

A process id alone means nothing after a while; with its start time it names one process for good. What became of
the sandbox's processes is never guessed from a program's name.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox import cgroups
from sandbox.places import MOUNTS, NAME, NETWORK, SERVERS

if TYPE_CHECKING:
    from collections.abc import Callable

    from kamaji_core.testing import Server

_PROC = Path("/proc")
_KILL_LIMIT = 10.0
_POLL = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One process for good.

    Args:
        pid: process id.
        started: start time in clock ticks since boot, field 22 of `/proc/PID/stat`.
    """

    pid: int
    started: int

    @property
    def is_alive(self) -> bool:
        """Whether it runs; a zombie does not."""
        return _start_time(self.pid) == self.started


def inside(server_argv: tuple[str, ...] = ()) -> tuple[str, ...]:
    """A command line that runs in the sandbox's network and mount namespace."""
    return ("nsenter", f"--net={NETWORK}", f"--mount={MOUNTS}", "--", *server_argv)


def launch(server: Server, groups: cgroups.Cgroups, *, enters: bool = True) -> Record:
    """Start a server detached inside the sandbox, and record it.

    Args:
        server: what to start.
        groups: the sandbox's cgroups, which it joins.
        enters: put it into the sandbox's namespaces; False for a command that enters by itself.
    """
    server.log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with server.log.open("ab") as log:
        process = subprocess.Popen(
            inside(server.argv) if enters else server.argv,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**_plain_environment(), **server.environment},
            start_new_session=True,
            cwd="/",
        )
    cgroups.add_server(groups, process.pid)
    record = Record(pid=process.pid, started=_start_time(process.pid) or 0)
    _write(server.name, record)
    process.returncode = 0  # it is not ours to wait for: it outlives this command
    return record


def recorded(name: str) -> Record | None:
    """The last start of a server, if any."""
    try:
        content = json.loads((SERVERS / f"{name}.json").read_text())
        return Record(pid=content["pid"], started=content["started"])
    except (OSError, ValueError, KeyError):
        return None


def end(record: Record, grace: float) -> None:
    """End one process: TERM, after `grace` seconds KILL; nothing happens when it has ended."""
    for number, limit in ((signal.SIGTERM, grace), (signal.SIGKILL, _KILL_LIMIT)):
        if not record.is_alive:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(record.pid, number)
        _wait(lambda: not record.is_alive, limit)


def end_all() -> list[int]:
    """Kill every process of the sandbox, pods included; returns the ids of those that do not die.

    New ones may appear while this goes on (a shim's child), so it looks again until there are none.
    """
    return _kill(owned)


def _kill(those: Callable[[], set[int]]) -> list[int]:
    deadline = time.monotonic() + _KILL_LIMIT
    while (pids := those()) and time.monotonic() < deadline:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(_POLL)
    return sorted(pids)


def end_those_in(*, namespaces: tuple[Path, ...], group: str) -> list[int]:
    """Kill every process of one further machine, pods included; returns the ids of those that do not die.

    Args:
        namespaces: where its namespaces are bound.
        group: name of its pods' control group.
    """
    identities = {identity for path in namespaces if (identity := _identity(path))}
    prefix = f"/{NAME}/{group}"

    def is_in(entry: Path) -> bool:
        return _in_namespace(entry, identities) or _in_group(entry, prefix)

    return _kill(lambda: _those(is_in))


def owned() -> set[int]:
    """Every living process that is in a group or a namespace of the sandbox, this command and its callers excepted."""
    namespaces = {identity for identity in (_identity(NETWORK), _identity(MOUNTS)) if identity}
    return _those(lambda entry: _in_group(entry, f"/{NAME}") or _in_namespace(entry, namespaces))


def _those(is_meant: Callable[[Path], bool]) -> set[int]:
    spared = _callers()
    found = set()
    for entry in _PROC.iterdir():
        if not entry.name.isdecimal() or (pid := int(entry.name)) in spared:
            continue
        if _start_time(pid) is not None and is_meant(entry):
            found.add(pid)
    return found


def _in_group(entry: Path, group: str) -> bool:
    try:
        return cgroups.is_below((entry / "cgroup").read_text(), group)
    except OSError:
        return False


def _in_namespace(entry: Path, namespaces: set[tuple[int, int]]) -> bool:
    return any(_identity(entry / "ns" / kind) in namespaces for kind in ("net", "mnt"))


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _callers() -> set[int]:
    pids, pid = set(), os.getpid()
    while pid > 1 and pid not in pids:
        pids.add(pid)
        stat = _stat(pid)
        pid = int(stat[1]) if stat else 0
    return pids


def _start_time(pid: int) -> int | None:
    stat = _stat(pid)
    return None if stat is None or stat[0] in {"Z", "X"} else int(stat[19])


def _stat(pid: int) -> list[str] | None:
    """The fields of `/proc/PID/stat` from the third on: state, parent and so on."""
    try:
        return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


def _write(name: str, record: Record) -> None:
    SERVERS.mkdir(parents=True, exist_ok=True, mode=0o700)
    unfinished = SERVERS / f".{name}.{os.getpid()}"
    unfinished.write_text(json.dumps({"pid": record.pid, "started": record.started}))
    unfinished.replace(SERVERS / f"{name}.json")


def _wait(condition: Callable[[], bool], limit: float) -> bool:
    deadline = time.monotonic() + limit
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL)
    return True


def _plain_environment() -> dict[str, str]:
    """No proxy and no kubeconfig of the caller's: servers talk to each other alone."""
    kept = ("PATH", "HOME", "LANG", "TZ")
    return {name: value for name, value in os.environ.items() if name in kept}
