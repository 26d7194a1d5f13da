"""Everything to one server over one connection: nothing in it waits for anything else, and servers may be anything."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import RequestReceived

from kamaji_core.kube import (
    CONFIG_MAPS,
    SECRETS,
    ClusterConfig,
    Http2Transport,
    KubeClient,
    UnreachableError,
    config_from_kubeconfig,
)
from kamaji_core.pki import issue_ca
from kamaji_core.testing import ApiServer, until
from tests.cluster.kube.conftest import Cutter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from kamaji_core.testing import FaultProxy

pytestmark = pytest.mark.real

LARGE = 900_000


@contextlib.asynccontextmanager
async def opened(config: ClusterConfig, **settings: Any) -> AsyncIterator[KubeClient]:
    """Make a client over HTTP/2."""
    async with contextlib.aclosing(Http2Transport(config)) as transport:
        yield KubeClient(config, transport=transport, **settings)


@pytest.fixture
async def relay(api_server: ApiServer) -> AsyncIterator[Cutter]:
    """Count and cut connections to the server."""
    async with Cutter(api_server) as relay:
        yield relay


def config_map(namespace: str, name: str, value: str) -> dict[str, Any]:
    """A ConfigMap."""
    return {"metadata": {"namespace": namespace, "name": name}, "data": {"v": value}}


async def test_watches_and_requests_share_one_connection(relay: Cutter, namespace: str) -> None:
    """Many at once, from the first on; each gets its own answer."""
    async with opened(relay.config) as client, contextlib.AsyncExitStack() as stack:
        start = (await client.list(SECRETS, namespace)).resource_version
        watches = [client.watch(SECRETS, namespace, resource_version=start, idle=5.0) for _ in range(4)]
        waiting = [asyncio.ensure_future(anext(watch)) for watch in watches]
        for watch in watches:
            stack.push_async_callback(watch.aclose)
        made = await asyncio.gather(
            *(client.apply(CONFIG_MAPS, config_map(namespace, f"c{n}", str(n))) for n in range(50))
        )
        assert [one["data"] for one in made] == [{"v": str(n)} for n in range(50)]
        await client.create(SECRETS, {"metadata": {"name": "a", "namespace": namespace}})
        assert [event.type for event in await asyncio.gather(*waiting)] == ["ADDED"] * 4
        assert relay.connections == 1


async def test_large_bodies_pass_both_ways(relay: Cutter, namespace: str) -> None:
    """Beyond what may be under way at a time, several at once, and beside a watch that nobody reads."""
    async with opened(relay.config) as client:
        watch = client.watch(CONFIG_MAPS, namespace, resource_version="0", idle=5.0)
        first = asyncio.ensure_future(anext(watch))
        values = {f"c{n}": str(n) * LARGE for n in range(8)}
        await asyncio.gather(*(client.apply(CONFIG_MAPS, config_map(namespace, *item)) for item in values.items()))
        await first
        for _ in range(3):
            found = [msgspec.json.decode(raw) for raw in (await client.list(CONFIG_MAPS, namespace)).items]
            assert {one["metadata"]["name"]: one["data"]["v"] for one in found} == values
        # What the watch has not read waited for it.
        names = {msgspec.json.decode((await anext(watch)).object)["metadata"]["name"] for _ in range(7)}
        assert len(names) == 7
        await watch.aclose()
        assert relay.connections == 1


async def test_what_is_left_early_leaves_the_connection_to_others(relay: Cutter, namespace: str) -> None:
    """Watches that end in the middle of their events, and calls that are cancelled before their answer."""
    async with opened(relay.config) as client:
        for round_ in range(20):
            await client.apply(CONFIG_MAPS, config_map(namespace, "a", chr(97 + round_) * LARGE))
            watch = client.watch(CONFIG_MAPS, namespace, resource_version="0")
            async with contextlib.aclosing(watch) as events:
                await anext(events)
            call = asyncio.ensure_future(client.get(CONFIG_MAPS, "a", namespace))
            await asyncio.wait({call}, timeout=0.001 * round_)
            call.cancel()
            await asyncio.gather(call, return_exceptions=True)
        assert (await client.get(CONFIG_MAPS, "a", namespace))["data"]["v"] == "t" * LARGE
        assert relay.connections == 1


async def test_a_cut_connection_fails_what_is_under_way_and_the_next_is_another(relay: Cutter, namespace: str) -> None:
    """In a sentence that names the server."""
    async with opened(relay.config) as client:
        present = (await client.list(SECRETS, namespace)).resource_version
        async with contextlib.aclosing(client.watch(SECRETS, namespace, resource_version=present)) as events:
            waiting = asyncio.ensure_future(anext(events))
            await client.raw("/readyz")
            relay.cut()
            with pytest.raises(UnreachableError, match=r"https://127\.0\.0\.1:\d+ cut the connection"):
                await waiting
        await client.raw("/readyz")
        assert relay.connections == 2


async def test_a_connection_is_made_once_also_when_the_first_gives_up(relay: Cutter) -> None:
    """Calls that wait for it do not each make one; one that is cancelled while it makes it harms no other."""
    async with opened(relay.config) as client:
        calls = [asyncio.ensure_future(client.raw("/readyz")) for _ in range(5)]
        await asyncio.sleep(0)
        calls[0].cancel()
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert results[1:] == [b"ok"] * 4
        assert relay.connections <= 2


async def test_a_server_without_it_is_spoken_to_as_before(fault_proxy: FaultProxy, namespace: str) -> None:
    """kube-apiserver can be told not to speak it, and not every proxy does."""
    async with opened(fault_proxy.config) as client:
        await client.apply(CONFIG_MAPS, config_map(namespace, "a", "b"))
        assert (await client.get(CONFIG_MAPS, "a", namespace))["data"] == {"v": "b"}
    without = ApiServer(extra={"disable-http2-serving": "true"})
    async with without as server, opened(config_from_kubeconfig(server.kubeconfig)) as client:
        assert await client.raw("/readyz") == b"ok"


async def test_a_server_that_sends_clients_away_is_followed() -> None:
    """Some servers say now and then that a connection ends, so that clients spread: what is under way goes on."""
    sending = ApiServer(extra={"goaway-chance": "0.02"})
    async with sending as server, Cutter(server) as relay, opened(relay.config) as client:
        watch = client.watch(CONFIG_MAPS, resource_version="0", idle=5.0)
        await anext(watch)
        for _ in range(400):
            assert await client.raw("/readyz") == b"ok"
        assert relay.connections > 1
        await client.create(CONFIG_MAPS, config_map("default", "last", "a"))
        async for event in watch:
            if msgspec.json.decode(event.object)["metadata"].get("name") == "last":
                break
        await watch.aclose()


async def test_a_server_that_takes_few_at_once_is_told() -> None:
    """What is too many is refused with the flag's name, and those before go on."""
    async with ApiServer(extra={"http2-max-streams-per-connection": 2}) as server:
        async with opened(config_from_kubeconfig(server.kubeconfig)) as client, contextlib.AsyncExitStack() as stack:
            await client.raw("/readyz")
            for _ in range(2):
                watch = client.watch(CONFIG_MAPS, resource_version="0")
                stack.push_async_callback(watch.aclose)
                await anext(watch)
            with pytest.raises(UnreachableError, match="raise its --http2-max-streams-per-connection"):
                await client.raw("/readyz")
        async with opened(config_from_kubeconfig(server.kubeconfig)) as client:
            assert await client.raw("/readyz") == b"ok"


@contextlib.asynccontextmanager
async def strange_server(behave: Any, directory: Path) -> AsyncIterator[ClusterConfig]:
    """A server that says it speaks HTTP/2."""
    pair = issue_ca(common_name="strange", now=datetime.now(UTC), lifetime=timedelta(days=1))
    file = directory / "pair.pem"
    await asyncio.to_thread(file.write_bytes, pair.certificate + pair.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    context.set_alpn_protocols(["h2"])
    tasks = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())
        with contextlib.suppress(OSError):
            await behave(reader, writer)
        writer.transport.abort()

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=context)
    try:
        yield ClusterConfig(server=f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}", insecure=True)
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def rubbish(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer what is no HTTP/2."""
    await reader.read(100)
    writer.write(b"\0" * 100)
    await reader.read()


async def gone(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    """Close as soon as the client has said something."""
    await reader.read(100)


def answering(*head: tuple[str, str]) -> Any:
    """Answer each request with this head, and as much of a body as is let through."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        h2 = H2Connection(H2Configuration(client_side=False, validate_outbound_headers=False))
        h2.initiate_connection()
        writer.write(h2.data_to_send())
        while data := await reader.read(65536):
            for event in h2.receive_data(data):
                if isinstance(event, RequestReceived):
                    h2.send_headers(event.stream_id, head)
            writer.write(h2.data_to_send())

    return answer


@pytest.mark.parametrize(
    ("behave", "sentence"),
    [
        (rubbish, "does not answer as an API server"),
        (gone, "cut the connection"),
        (answering((":status", "fine")), "does not answer as an API server"),
        (answering(("a", "b")), "does not answer as an API server"),
        (answering((":status", "200")), "did not answer within 1 s"),
        (lambda reader, _: reader.read(), "did not answer within 1 s"),
    ],
    ids=["rubbish", "gone", "no number", "no status", "no body", "nothing"],
)
async def test_a_server_that_makes_no_sense_is_told(tmp_path: Path, behave: Any, sentence: str) -> None:
    """In one sentence, within the limit, and nothing of it stays open."""
    async with strange_server(behave, tmp_path) as config, opened(config, timeout=1) as client:
        for _ in range(2):
            with pytest.raises(UnreachableError, match=sentence):
                await client.raw("/readyz")


async def test_who_takes_nothing_is_not_answered(tmp_path: Path) -> None:
    """A server that asks for answers without end and reads none of them gets no memory of ours."""
    sent = 0

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.read(100)
        h2 = H2Connection(H2Configuration(client_side=False))
        h2.initiate_connection()
        for _ in range(1000):
            h2.ping(b"12345678")
        pings = h2.data_to_send()
        writer.transport.pause_reading()  # type: ignore[attr-defined] # asyncio's own has it
        while True:
            writer.write(pings)
            await writer.drain()
            # Draining lets nothing else run while there is room, nor when the connection was lost just now.
            await asyncio.sleep(0)
            sent += 1000

    async with strange_server(flood, tmp_path) as config, opened(config, timeout=60) as client:
        call = asyncio.ensure_future(client.raw("/readyz"))
        seen = -1

        async def stands_still() -> bool:
            nonlocal seen
            before, seen = seen, sent
            await asyncio.sleep(0.2)
            return before == seen > 0

        await until(stands_still, "the server to be stopped")
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
