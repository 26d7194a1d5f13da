"""What is waited for when a test ends."""

from __future__ import annotations

import asyncio

import pytest

from kamaji_core.testing import connections_gone

FOREVER = 3600.0


@pytest.fixture
async def ends() -> tuple[asyncio.StreamWriter, asyncio.StreamWriter]:
    """A connection's two ends."""
    arrived: asyncio.Future[asyncio.StreamWriter] = asyncio.get_running_loop().create_future()
    server = await asyncio.start_server(lambda _, writer: arrived.set_result(writer), "127.0.0.1")
    _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    other = await arrived
    server.close()
    return writer, other


async def test_what_is_closed_is_not_waited_for(ends: tuple[asyncio.StreamWriter, asyncio.StreamWriter]) -> None:
    """Though somebody still holds it: it is the connection that counts."""
    for writer in ends:
        writer.close()
        await writer.wait_closed()
    await asyncio.wait_for(connections_gone(seconds=FOREVER), 10)


async def test_what_is_open_is_waited_for(ends: tuple[asyncio.StreamWriter, asyncio.StreamWriter]) -> None:
    """And no longer than it is."""
    waiting = asyncio.ensure_future(connections_gone(seconds=FOREVER))
    await asyncio.wait({waiting}, timeout=0.1)
    assert not waiting.done()
    for writer in ends:
        writer.close()
    await asyncio.wait_for(waiting, 10)
