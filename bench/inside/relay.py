"""A way to the management API server that can fall silent: connected, acknowledging, and forwarding nothing any more.

It carries TCP as it comes, so that the operator's TLS and its own user reach the server; connections that are opened
after the silence are carried.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import yaml

from kamaji_core.testing import write_private

if TYPE_CHECKING:
    from pathlib import Path

_CHUNK = 65536


@dataclass(slots=True, eq=False)
class _Carried:
    """One connection."""

    silent: bool = False


class Relay:
    """Listens for as long as its context lasts.

    Args:
        host: address to listen at; the port is a free one.
        to: address that it forwards to.
        to_port: the same.
    """

    def __init__(self, host: str, *, to: str, to_port: int) -> None:
        self._host = host
        self._target = (to, to_port)
        self._carried: set[_Carried] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, self._host)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def silence(self) -> int:
        """Forward nothing any more on the present connections, also not their end; tells how many there are."""
        loud = [one for one in self._carried if not one.silent]
        for one in loud:
            one.silent = True
        return len(loud)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._carry(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        carried = _Carried()
        async with contextlib.AsyncExitStack() as stack:
            stack.callback(writer.close)
            try:
                there, back = await asyncio.open_connection(*self._target)
            except OSError:
                return
            stack.callback(back.close)
            self._carried.add(carried)
            stack.callback(self._carried.discard, carried)
            inward = asyncio.create_task(_pump(there, writer, carried))
            stack.callback(inward.cancel)
            outward = asyncio.create_task(_pump(reader, back, carried))
            stack.callback(outward.cancel)
            await asyncio.wait({inward, outward}, return_when=asyncio.FIRST_COMPLETED)
            if carried.silent:
                await outward  # the client alone may end what is silent


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, carried: _Carried) -> None:
    with contextlib.suppress(OSError):
        while content := await reader.read(_CHUNK):
            if not carried.silent:
                writer.write(content)
                await writer.drain()


def relayed(kubeconfig: bytes, *, host: str, port: int, name: str) -> bytes:
    """Have a kubeconfig lead through a relay, and still verify the server's own name.

    Args:
        kubeconfig: of one cluster.
        host: where the relay listens.
        port: the same.
        name: that the server's certificate is verified against.
    """
    document = yaml.safe_load(kubeconfig)
    for entry in document["clusters"]:
        entry["cluster"] |= {"server": f"https://{host}:{port}", "tls-server-name": name}
    return yaml.safe_dump(document).encode()


def write_relayed(source: Path, target: Path, *, host: str, port: int, name: str) -> Path:
    """Write such a kubeconfig beside the one that it is made of, readable by its owner alone."""
    return write_private(target, relayed(source.read_bytes(), host=host, port=port, name=name))
