"""What becomes of a server's process, shown with small programs that every machine has."""

from __future__ import annotations

import asyncio
import os
import select
import sys
from pathlib import Path

import pytest

from kamaji_core.testing import HttpReadiness, Server, ServerProcess, ServerStartError, SocketReadiness, free_port

LISTENER = """
import signal, socket, sys
if "stubborn" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen()
while True:
    listener.accept()[0].close()
"""


def listener(tmp_path: Path, *options: str, grace: float = 5.0) -> Server:
    """A server that listens on a Unix socket."""
    path = tmp_path / "socket"
    return Server(
        name="listener",
        argv=(sys.executable, "-c", LISTENER, str(path), *options),
        log=tmp_path / "listener.log",
        readiness=SocketReadiness(path=path),
        start_limit=20,
        stop_grace=grace,
    )


def silent(tmp_path: Path, limit: float) -> Server:
    """A server that never serves."""
    return Server(
        name="silent",
        argv=("sleep", "600"),
        log=tmp_path / "silent.log",
        readiness=HttpReadiness(url=f"http://127.0.0.1:{free_port()}/"),
        start_limit=limit,
    )


def is_alive(pid: int) -> bool:
    """Whether a process is there that is no zombie."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


def test_a_server_lives_as_long_as_its_context(tmp_path: Path) -> None:
    """Inside it serves, afterwards its process is gone."""
    with ServerProcess(listener(tmp_path)) as server:
        pid = server.pid
        assert pid is not None
        assert server.server.readiness.problem() is None
    assert not is_alive(pid)


async def test_a_server_lives_as_long_as_its_asynchronous_context(tmp_path: Path) -> None:
    """The same with `async with`."""
    async with ServerProcess(listener(tmp_path)) as server:
        pid = server.pid
        assert pid is not None
    assert not is_alive(pid)


def test_a_server_can_be_started_again(tmp_path: Path) -> None:
    """Stop and start give another process; stopping twice is harmless."""
    with ServerProcess(listener(tmp_path)) as server:
        first = server.pid
        server.stop()
        server.stop()
        assert server.pid is None
        (tmp_path / "socket").unlink()
        server.start()
        assert server.pid not in {None, first}


def test_a_server_that_ends_shows_its_log(tmp_path: Path) -> None:
    """The error carries the exit code and what the program said last."""
    server = Server(
        name="brief",
        argv=(sys.executable, "-c", "print('no such disk'); raise SystemExit(3)"),
        log=tmp_path / "brief.log",
        readiness=SocketReadiness(path=tmp_path / "none"),
    )
    with pytest.raises(ServerStartError, match=r"brief ended with exit code 3 .*\nno such disk"):
        ServerProcess(server).start()


def test_a_server_that_never_serves_is_given_up(tmp_path: Path) -> None:
    """After its limit the error says what was wrong last, and the process is gone."""
    process = ServerProcess(silent(tmp_path, 0.1))
    process.launch()
    pid = process.pid
    assert pid is not None
    with pytest.raises(ServerStartError, match=r"silent does not serve after 0 s: http://.* cannot be reached"):
        process.start()
    assert not is_alive(pid)


def test_a_server_that_ignores_term_is_killed(tmp_path: Path) -> None:
    """After the grace comes KILL."""
    with ServerProcess(listener(tmp_path, "stubborn", grace=0.05)) as server:
        pid = server.pid
        assert pid is not None
    assert not is_alive(pid)


def test_a_paused_server_ends_too(tmp_path: Path) -> None:
    """A stopped process is woken, so that TERM reaches it."""
    with ServerProcess(listener(tmp_path)) as server:
        pid = server.pid
        assert pid is not None
        server.pause()
        server.resume()
        server.pause()
    assert not is_alive(pid)


def test_only_a_running_server_can_be_paused(tmp_path: Path) -> None:
    """The sentence says what to do."""
    with pytest.raises(RuntimeError, match="listener does not run: start it first"):
        ServerProcess(listener(tmp_path)).pause()


async def test_a_cancelled_start_leaves_nothing(tmp_path: Path) -> None:
    """Cancellation while waiting ends the process before it is passed on."""
    process = ServerProcess(silent(tmp_path, 60))
    starting = asyncio.create_task(process.__aenter__())
    while process.pid is None:  # noqa: ASYNC110 - a process's birth sets no event
        await asyncio.sleep(0)
    pid = process.pid
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert not is_alive(pid)


def test_a_server_dies_with_whoever_started_it(tmp_path: Path) -> None:
    """A killed test run leaves no server behind."""
    read, write = os.pipe()
    parent = os.fork()
    if parent == 0:  # pragma: no cover - another process
        process = ServerProcess(listener(tmp_path))
        process.start()
        os.write(write, str(process.pid).encode())
        os._exit(0)
    pid = int(os.read(read, 20))
    os.waitpid(parent, 0)
    os.close(read)
    os.close(write)
    wait_until_dead(pid)


def wait_until_dead(pid: int) -> None:
    """Wait for another process's end, ten seconds at most."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([descriptor], [], [], 10)[0]
    finally:
        os.close(descriptor)
