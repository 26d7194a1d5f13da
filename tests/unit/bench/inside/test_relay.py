"""A relay carries until it is silenced, and new connections after that."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
import yaml

from bench.inside.relay import Relay, relayed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def relay() -> AsyncIterator[Relay]:
    """In front of a server that says everything back."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while content := await reader.read(100):
            writer.write(content)
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1")
    async with server, Relay("127.0.0.1", to="127.0.0.1", to_port=server.sockets[0].getsockname()[1]) as relay:
        yield relay


async def asked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, limit: float = 5.0) -> bytes:
    """Say something and wait for the answer."""
    writer.write(b"hello")
    async with asyncio.timeout(limit):
        return await reader.read(100)


async def test_silence_befalls_the_present_connections_alone(relay: Relay) -> None:
    """They stay open, and what is said on them is taken."""
    reader, writer = await asyncio.open_connection("127.0.0.1", relay.port)
    assert await asked(reader, writer) == b"hello"
    assert relay.silence() == 1
    with pytest.raises(TimeoutError):
        await asked(reader, writer, 0.1)
    assert not reader.at_eof()
    later, its_writer = await asyncio.open_connection("127.0.0.1", relay.port)
    assert await asked(later, its_writer) == b"hello"
    assert relay.silence() == 1
    writer.close()
    its_writer.close()


async def test_an_end_is_passed_on(relay: Relay) -> None:
    """Where there is no silence."""
    reader, writer = await asyncio.open_connection("127.0.0.1", relay.port)
    writer.write(b"hello")
    writer.close()
    async with asyncio.timeout(5):
        await reader.read()
    assert relay.silence() <= 1


def test_a_kubeconfig_through_a_relay_keeps_the_servers_name() -> None:
    """And the user with it."""
    kubeconfig = yaml.safe_dump(
        {"clusters": [{"name": "c", "cluster": {"server": "https://10.0.0.2:6443"}}], "users": [{"name": "u"}]}
    ).encode()
    made = yaml.safe_load(relayed(kubeconfig, host="10.0.0.1", port=7, name="10.0.0.2"))
    assert made["clusters"][0]["cluster"] == {"server": "https://10.0.0.1:7", "tls-server-name": "10.0.0.2"}
    assert made["users"] == [{"name": "u"}]
