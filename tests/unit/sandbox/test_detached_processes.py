# ruff: noqa: S607 - sleep, sh and true are on every machine
"""A detached process is known by its id and its start time."""

from __future__ import annotations

import os
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from sandbox import processes
from sandbox.processes import Record

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A process that waits."""
    with subprocess.Popen(["sleep", "600"]) as process:
        yield process
        process.kill()


def record_of(pid: int) -> Record:
    """The record of a running process."""
    started = processes._start_time(pid)
    assert started is not None
    return Record(pid=pid, started=started)


def test_a_running_process_is_alive(sleeper: subprocess.Popen[bytes]) -> None:
    """Its id and start time name it."""
    assert record_of(sleeper.pid).is_alive


def test_a_reused_id_is_another_process(sleeper: subprocess.Popen[bytes]) -> None:
    """The same id with another start time is not ours, and is never ended."""
    other = Record(pid=sleeper.pid, started=record_of(sleeper.pid).started - 1)
    assert not other.is_alive
    processes.end(other, 0.1)
    assert sleeper.poll() is None


def test_a_zombie_is_dead(sleeper: subprocess.Popen[bytes]) -> None:
    """An ended process that nobody waited for does not count as alive."""
    record = record_of(sleeper.pid)
    sleeper.kill()
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)
    assert not record.is_alive


def test_an_ended_process_is_dead() -> None:
    """No such process, no error."""
    with subprocess.Popen(["true"]) as process:
        pid = process.pid
    assert not Record(pid=pid, started=1).is_alive


def test_a_process_is_ended(sleeper: subprocess.Popen[bytes]) -> None:
    """TERM suffices for most."""
    processes.end(record_of(sleeper.pid), 5)
    assert sleeper.wait(5) == -signal.SIGTERM


def test_a_stubborn_process_is_killed() -> None:
    """After its grace comes KILL."""
    with subprocess.Popen(["sh", "-c", "trap '' TERM; echo; while :; do sleep 1; done"], stdout=-1) as process:
        assert process.stdout is not None
        process.stdout.readline()
        processes.end(record_of(process.pid), 0.05)
        assert process.wait(5) == -signal.SIGKILL


def test_a_record_survives_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was written is read back; a broken or missing file is no record."""
    monkeypatch.setattr(processes, "SERVERS", tmp_path / "servers")
    record = Record(pid=5, started=7)
    processes._write("etcd", record)
    assert processes.recorded("etcd") == record
    assert processes.recorded("kubelet") is None
    (tmp_path / "servers/kubelet.json").write_text("{")
    assert processes.recorded("kubelet") is None


def test_a_stranger_is_not_owned(sleeper: subprocess.Popen[bytes]) -> None:
    """Neither this test run nor its children are in the sandbox."""
    assert not {os.getpid(), sleeper.pid} & processes.owned()


def test_a_command_with_brackets_is_read(tmp_path: Path) -> None:
    """A program's name may hold what separates fields in `/proc/PID/stat`."""
    program = tmp_path / "a) Z (b"
    program.symlink_to("/bin/sleep")
    with subprocess.Popen([program, "600"]) as process:
        try:
            assert record_of(process.pid).is_alive
        finally:
            process.kill()
