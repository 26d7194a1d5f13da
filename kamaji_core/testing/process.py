"""A real server as a child process: started, awaited, and gone when the test is, whatever happens to the test.

The core is synchronous, so that a session-wide fixture needs no event loop and tests with loops of their own can
share a server; the asynchronous context manager waits for readiness in a thread. A server dies with the process
that started it (`setpriv --pdeathsig`), so that a killed test run leaves nothing behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

from kamaji_core.testing.server import log_tail

if TYPE_CHECKING:
    from types import TracebackType

    from kamaji_core.testing.server import Server

_POLL = 0.02
_STOP_POLL = 0.001
_KILL_LIMIT = 10.0


class ServerStartError(RuntimeError):
    """A server did not come to serve; the message carries the end of its log."""


class ServerProcess:
    """One server as a child process; a context manager, with or without `async`.

    Owns the process: `start` and `stop` may be called in turn as often as a test likes (the server's data stays
    where its command line says), and leaving the context stops it.

    Args:
        server: what to run.
    """

    def __init__(self, server: Server) -> None:
        self.server = server
        self._process: subprocess.Popen[bytes] | None = None
        self._abandoned = threading.Event()

    @property
    def pid(self) -> int | None:
        """The process's id while it runs."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def launch(self) -> None:
        """Start the program without waiting for it to serve; nothing happens when it runs already."""
        if self.pid is not None:
            return
        server = self.server
        server.log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with server.log.open("ab") as log:
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", *server.argv],  # noqa: S607 - util-linux, wherever it is
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **server.environment},
                start_new_session=True,  # an interrupt from the keyboard is the test run's to handle, not the server's
            )

    def wait_ready(self) -> None:
        """Wait until the server serves.

        Raises:
            ServerStartError: when it ended, or does not serve within its time limit.
        """
        deadline = time.monotonic() + self.server.start_limit
        while True:
            problem = self.server.readiness.problem()
            if self.pid is None:  # asked before an answer is believed: another program may have taken the port
                code = None if self._process is None else self._process.returncode
                raise self._start_error(f"ended with exit code {code} before it served")
            if problem is None:
                return
            if time.monotonic() > deadline:
                raise self._start_error(f"does not serve after {self.server.start_limit:.0f} s: {problem}")
            if self._abandoned.wait(_POLL):
                raise self._start_error("was given up while it started")

    def start(self) -> None:
        """Start the server and wait until it serves; a server that cannot is stopped again.

        Raises:
            ServerStartError: see `wait_ready`.
        """
        self.launch()
        try:
            self.wait_ready()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the server: TERM, after its grace KILL; nothing happens when it does not run."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGCONT)  # a paused server would not see TERM
            process.terminate()
        try:
            process.wait(self.server.stop_grace)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(_KILL_LIMIT)

    def pause(self) -> None:
        """Make the server hang: it keeps its connections and answers nothing, until `resume`."""
        self._signal(signal.SIGSTOP)
        # The signal is sent, not yet taken: a thread on another processor may still answer.
        while self.pid is not None and not _is_stopped(self.pid):
            time.sleep(_STOP_POLL)

    def resume(self) -> None:
        """Let a paused server go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is None or self.pid is None:
            raise RuntimeError(f"{self.server.name} does not run: start it first")
        self._process.send_signal(number)

    def _start_error(self, what: str) -> ServerStartError:
        return ServerStartError(f"{self.server.name} {what}; the end of its log:\n{log_tail(self.server.log)}")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        # The kernel ends the child when the *thread* that started it ends, so that is the loop's own, not a worker.
        self.launch()
        waiting = asyncio.ensure_future(asyncio.to_thread(self.wait_ready))
        try:
            await asyncio.shield(waiting)
        except BaseException:
            self._abandoned.set()
            with contextlib.suppress(ServerStartError):
                await waiting
            self.stop()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # Held to its end even when the test is cancelled: at most the grace and the limit after KILL.
        self.stop()


def _is_stopped(pid: int) -> bool:
    """Whether all threads of a process that was sent SIGSTOP have taken it, or there is none any more."""
    try:
        told = [(task / "stat").read_text() for task in Path(f"/proc/{pid}/task").iterdir()]
    except OSError:
        return True
    return all(one.rpartition(")")[2].split()[0] in "TtZX" for one in told)
