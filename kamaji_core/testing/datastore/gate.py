"""A door before one real server, which a test can shut, slow down, silence or cut.

Faults that a driver must survive come from the network, and stopping a server for each of them would take it away from
all other tests. What passes is the real server's traffic, byte for byte, so TLS and any protocol go through. The door
runs in a thread of its own: a driver that blocks its event loop does not block the door, and connections are counted
from outside of the driver.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import socket
import struct
import threading
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

CHUNK = 65536

START_LIMIT = 10.0
"""Seconds for one order to the thread."""


class GateMode(enum.Enum):
    """What the door does with connections and bytes, those that are open included."""

    OPEN = enum.auto()
    """Everything passes."""

    SHUT = enum.auto()
    """Nobody listens; what was open is reset."""

    SILENT = enum.auto()
    """Connections are accepted and nothing passes, in either direction."""

    UNANSWERED = enum.auto()
    """What a client sends passes, what the server answers waits."""

    SLOW = enum.auto()
    """Each piece is kept for a moment, in both directions."""


class Gate:
    """A door before one server; a context manager, with or without `async`.

    Args:
        endpoint: `host:port` of the real server.
        pause: seconds that `SLOW` keeps a piece.

    Attributes:
        endpoint: `host:port` of the door, the same host.
    """

    def __init__(self, endpoint: str, *, pause: float = 0.02) -> None:
        self._host, _, port = endpoint.rpartition(":")
        self._port = int(port)
        self._pause = pause
        self._mode = GateMode.OPEN
        self._changed = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._carried: set[asyncio.Task[None]] = set()
        self._sent = 0
        self._stop_after: int | None = None
        self._reached = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="gate", daemon=True)
        # Bound by hand and kept, so that the port stays ours while nobody listens at it.
        self._near = socket.create_server((self._host.strip("[]"), 0), backlog=128)
        self.endpoint = f"{self._host}:{self._near.getsockname()[1]}"
        self._near.close()

    @property
    def connections(self) -> int:
        """How many connections of clients are open."""
        return len(self._carried)

    @property
    def sent(self) -> int:
        """How many pieces clients have sent so far."""
        return self._sent

    def set(self, mode: GateMode) -> None:
        """Change what the door does, for connections that are open too."""
        self._order(self._set(mode))

    def cut(self) -> None:
        """Reset all connections; new ones are taken."""
        self._order(self._cut())

    def stop_after(self, pieces: int) -> None:
        """Let so many more pieces of clients pass; the next one passes too, but no answer does from then on.

        `reached` tells when that is so, and `set` ends it.
        """
        self._reached.clear()
        self._stop_after = self._sent + pieces

    @property
    def reached(self) -> bool:
        """Whether the piece that `stop_after` waits for has passed."""
        return self._reached.is_set()

    def __enter__(self) -> Self:
        self._thread.start()
        self._order(self._listen())
        return self

    def __exit__(self, *_: object) -> None:
        self._order(self._set(GateMode.SHUT))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(START_LIMIT)
        self._loop.close()

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(self, *_: object) -> None:
        self.__exit__()

    def _order(self, what: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(what, self._loop).result(START_LIMIT)

    async def _listen(self) -> None:
        host, _, port = self.endpoint.rpartition(":")
        self._server = await asyncio.start_server(self._carry, host.strip("[]"), int(port), reuse_address=True)

    async def _set(self, mode: GateMode) -> None:
        self._stop_after = None
        self._mode = mode
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
        if mode is GateMode.SHUT:
            if self._server is not None:
                self._server.close()
                self._server = None
            await self._cut()
        elif self._server is None:
            await self._listen()

    async def _cut(self) -> None:
        carried = tuple(self._carried)
        for task in carried:
            task.cancel()
        await asyncio.gather(*carried, return_exceptions=True)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._carried.add(task)
        far_writer = None
        try:
            far_reader, far_writer = await asyncio.open_connection(self._host.strip("[]"), self._port)
            near = asyncio.create_task(self._pass(reader, far_writer, upwards=True))
            far = asyncio.create_task(self._pass(far_reader, writer, upwards=False))
            try:
                await asyncio.wait({near, far}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                near.cancel()
                far.cancel()
                await asyncio.gather(near, far, return_exceptions=True)
        except OSError:
            pass
        except asyncio.CancelledError:  # by `cut`, which waits for us: asyncio would report it
            _reset(writer)
        finally:
            for one in (writer, far_writer):
                if one is not None:
                    one.close()
            self._carried.discard(task)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, upwards: bool) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK):
                await self._hold(upwards=upwards)
                writer.write(data)
                await writer.drain()
                if upwards:
                    self._count()

    def _count(self) -> None:
        self._sent += 1
        if self._stop_after is not None and self._sent > self._stop_after:
            self._stop_after = None
            self._mode = GateMode.UNANSWERED
            self._reached.set()

    async def _hold(self, *, upwards: bool) -> None:
        """Wait until a piece may pass."""
        while self._mode is GateMode.SILENT or (self._mode is GateMode.UNANSWERED and not upwards):
            await self._changed.wait()
        if self._mode is GateMode.SLOW:
            await asyncio.sleep(self._pause)


def _reset(writer: asyncio.StreamWriter) -> None:
    """End a connection with a TCP reset instead of an orderly end."""
    connection = writer.get_extra_info("socket")
    if connection is not None:
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
