"""A watch tells of every change from its version on, and of its own end as what it is."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from kamaji_core.kube import CONFIG_MAPS, GoneError, KubeClient, UnreachableError, config_from_kubeconfig
from kamaji_core.testing import ApiServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from kamaji_core.kube import ClusterConfig

pytestmark = pytest.mark.real


@pytest.fixture
async def client(config: ClusterConfig, connect: Any) -> AsyncIterator[KubeClient]:
    """An administrator's client, over each transport."""
    async with connect(config) as client:
        yield client


def config_map(namespace: str, name: str = "a", **data: str) -> dict[str, Any]:
    """A ConfigMap."""
    return {"metadata": {"namespace": namespace, "name": name}, "data": data}


async def test_every_change_in_order(client: KubeClient, namespace: str) -> None:
    """Creation, change and deletion arrive with the object; the deletion with a version of its own."""
    start = (await client.list(CONFIG_MAPS, namespace)).resource_version
    await client.create(CONFIG_MAPS, config_map(namespace, k="1"))
    changed = await client.merge_patch(CONFIG_MAPS, "a", {"data": {"k": "2"}}, namespace)
    await client.delete(CONFIG_MAPS, "a", namespace)
    seen: list[tuple[str, str, int]] = []
    async with (
        asyncio.timeout(10),
        contextlib.aclosing(client.watch(CONFIG_MAPS, namespace, resource_version=start)) as events,
    ):
        async for event in events:
            obj = msgspec.json.decode(event.object)
            seen.append((event.type, obj["data"]["k"], int(obj["metadata"]["resourceVersion"])))
            if event.type == "DELETED":
                break
    assert [entry[:2] for entry in seen] == [("ADDED", "1"), ("MODIFIED", "2"), ("DELETED", "2")]
    versions = [entry[2] for entry in seen]
    assert versions == sorted(set(versions))
    assert versions[1] == int(changed["metadata"]["resourceVersion"])


async def test_an_object_that_leaves_the_selection(client: KubeClient, namespace: str) -> None:
    """Losing its label is a deletion to a watch by label, at the version of that change."""
    start = (await client.list(CONFIG_MAPS, namespace)).resource_version
    obj = config_map(namespace)
    obj["metadata"]["labels"] = {"a": "b"}
    await client.create(CONFIG_MAPS, obj)
    relabelled = await client.merge_patch(CONFIG_MAPS, "a", {"metadata": {"labels": None}}, namespace)
    watch = client.watch(CONFIG_MAPS, namespace, resource_version=start, label_selector="a=b")
    async with asyncio.timeout(10), contextlib.aclosing(watch) as events:
        assert (await anext(events)).type == "ADDED"
        left = await anext(events)
    assert left.type == "DELETED"
    version = msgspec.json.decode(left.object)["metadata"]["resourceVersion"]
    assert version == relabelled["metadata"]["resourceVersion"]


async def test_a_large_object_is_one_event(client: KubeClient, namespace: str) -> None:
    """An object near etcd's limit arrives whole."""
    start = (await client.list(CONFIG_MAPS, namespace)).resource_version
    await client.create(CONFIG_MAPS, config_map(namespace, k="x" * 1_000_000))
    async with (
        asyncio.timeout(10),
        contextlib.aclosing(client.watch(CONFIG_MAPS, namespace, resource_version=start)) as events,
    ):
        event = await anext(events)
    assert len(msgspec.json.decode(event.object)["data"]["k"]) == 1_000_000


async def test_a_version_that_is_not_kept(connect: Any) -> None:
    """A restarted server knows nothing from before its start: a version from then is gone."""
    async with ApiServer() as server, connect(config_from_kubeconfig(server.kubeconfig)) as client:
        start = (await client.list(CONFIG_MAPS)).resource_version
        await client.create(CONFIG_MAPS, config_map("default"))
        await client.delete(CONFIG_MAPS, "a", "default")
        await asyncio.to_thread(server.stop)
        await asyncio.to_thread(server.start)
        watch = client.watch(CONFIG_MAPS, resource_version=start)
        with pytest.raises(GoneError):
            async with asyncio.timeout(10), contextlib.aclosing(watch) as events:
                await anext(events)


async def test_waiting_is_cancelled_at_once(client: KubeClient, namespace: str) -> None:
    """A watch that waits for events ends when its task is cancelled."""
    start = (await client.list(CONFIG_MAPS, namespace)).resource_version

    async def wait() -> None:
        async with contextlib.aclosing(client.watch(CONFIG_MAPS, namespace, resource_version=start)) as events:
            async for _ in events:
                pass

    task = asyncio.ensure_future(wait())
    await client.raw("/readyz")  # the watch has been sent by then
    task.cancel()
    async with asyncio.timeout(2):
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_a_stopped_server_is_unreachable(connect: Any) -> None:
    """A server that ends takes its watches with it, and refuses what comes after, in a sentence that names it."""
    async with ApiServer() as server, connect(config_from_kubeconfig(server.kubeconfig)) as client:
        start = (await client.list(CONFIG_MAPS)).resource_version
        watch = client.watch(CONFIG_MAPS, resource_version=start)
        waiting = asyncio.ensure_future(anext(watch, None))
        await client.raw("/readyz")
        await asyncio.to_thread(server.stop)
        async with asyncio.timeout(10):
            with contextlib.suppress(UnreachableError):  # a server that ends in order just closes
                assert await waiting is None
        with pytest.raises(UnreachableError, match=f"no connection to {server.url}: .*refused"):
            await client.list(CONFIG_MAPS)
        await watch.aclose()


async def test_a_paused_server_is_a_time_out(connect: Any) -> None:
    """A server that hangs while its connections stay open is unreachable after the limit, and recovers."""
    async with ApiServer() as server, connect(config_from_kubeconfig(server.kubeconfig), timeout=1) as client:
        start = (await client.list(CONFIG_MAPS)).resource_version
        server.process.pause()
        try:
            with pytest.raises(UnreachableError, match="did not answer within 1 s"):
                await client.list(CONFIG_MAPS)
            with pytest.raises(UnreachableError):
                await anext(client.watch(CONFIG_MAPS, resource_version=start))
        finally:
            server.process.resume()
        async with asyncio.timeout(20):
            while True:
                with contextlib.suppress(UnreachableError):
                    await client.list(CONFIG_MAPS)
                    break
