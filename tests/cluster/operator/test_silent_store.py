"""A store that accepts connections and never answers is one store's trouble: the tenants of the others do not wait."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import pytest

from kamaji_core.kube import NotFoundError
from kamaji_core.tenancy import DATA_STORES, TENANT_CONTROL_PLANES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.real
NAMES = ("one", "two", "three", "four", "five")
SECONDS = 10.0
"""For five tenants; alone they take about two. The silent store's probe alone takes five."""


@contextlib.asynccontextmanager
async def silent_server() -> AsyncIterator[str]:
    """A server that takes every connection, reads and never writes; gives its address."""
    writers: list[asyncio.StreamWriter] = []
    ended = asyncio.Event()

    async def keep(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        while not ended.is_set() and await reader.read(4096):
            pass

    server = await asyncio.start_server(keep, "127.0.0.1", 0)
    try:
        host, port = server.sockets[0].getsockname()
        yield f"{host}:{port}"
    finally:
        ended.set()
        server.close()
        for writer in writers:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
        await server.wait_closed()


@pytest.fixture
async def silent(cluster: Any, request: pytest.FixtureRequest) -> AsyncIterator[str]:
    """DataStores at such a server, as many as the test's parameter says; gives its address.

    They come before the good one in every list, and are gone after the test, so that nobody goes on asking them.
    """
    names = [f"a-silent-{number}" for number in range(getattr(request, "param", 1))]
    async with silent_server() as address:
        spec = {**(await cluster.client.get(DATA_STORES, "default"))["spec"], "endpoints": [address]}
        for name in names:
            await cluster.client.create(DATA_STORES, {"metadata": {"name": name}, "spec": spec})
        yield address
        for name in names:
            await cluster.client.delete(DATA_STORES, name)
            with contextlib.suppress(NotFoundError):
                await cluster.client.merge_patch(DATA_STORES, name, {"metadata": {"finalizers": None}})


async def become_ready(cluster: Any, namespace: str, until: Any) -> None:
    """Create the five, play their nodes, and wait until all are Ready."""
    for name in NAMES:
        await cluster.create_tenant(namespace, name)
    for name in NAMES:
        await cluster.play_node(namespace, name)
    for name in NAMES:
        await until(lambda name=name: cluster.ready(namespace, name), f"{name} to be Ready")


async def test_the_tenants_of_a_good_store_do_not_wait(cluster: Any, namespace: str, until: Any, silent: str) -> None:
    """They become Ready within seconds; the one on the silent store says what is wrong, and where."""
    async with cluster.operator() as operator:
        await cluster.create_tenant(namespace, "mute", dataStore="a-silent-0")
        async with asyncio.timeout(SECONDS):
            await become_ready(cluster, namespace, until)

        async def says_why() -> bool:
            condition = await cluster.condition(namespace, "mute", "DataStoreReady")
            return condition.get("reason") == "DataStoreNotReady" and silent in condition["message"]

        await until(says_why, "the sentence")
        await until(operator.idle, "the operator to be idle")
    condition = await cluster.condition(namespace, "mute", "DataStoreReady")
    assert condition["status"] == "False"
    assert condition["message"].startswith("The DataStore 'a-silent-0' is not ready: ")
    messages = [event["message"] for event in await cluster.events(TENANT_CONTROL_PLANES, namespace, "mute")]
    assert condition["message"] in messages


@pytest.mark.parametrize("silent", [6], indirect=True)
async def test_not_even_when_many_stores_are_silent(cluster: Any, namespace: str, until: Any, silent: str) -> None:
    """Each of them takes five seconds to look at, and none of these is the good one's."""
    async with cluster.operator():
        async with asyncio.timeout(SECONDS):
            await become_ready(cluster, namespace, until)


async def test_what_runs_is_not_held_up_either(cluster: Any, namespace: str, until: Any, silent: str) -> None:
    """A tenant of the good store is put to sleep while the other is asked again and again."""
    async with cluster.operator():
        await cluster.create_tenant(namespace, "shop")
        await cluster.play_node(namespace, "shop")
        await until(lambda: cluster.ready(namespace, "shop"), "the tenant to be Ready")
        await cluster.create_tenant(namespace, "mute", dataStore="a-silent-0")
        async with asyncio.timeout(SECONDS):
            scale = {"spec": {"controlPlane": {"deployment": {"replicas": 0}}}}
            await cluster.client.merge_patch(TENANT_CONTROL_PLANES, "shop", scale, namespace)

            async def sleeps() -> bool:
                status = (await cluster.tenant(namespace, "shop"))["status"]
                return bool(status["kubernetesResources"]["version"]["status"] == "Sleeping")

            await until(sleeps, "the tenant to sleep")
