"""An informer of a real server knows what is there, and finds back to it after a restart and after a cut connection."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from kamaji_core.kube import (
    CONFIG_MAPS,
    Informer,
    Key,
    KubeClient,
    Supervisor,
    WorkQueue,
    config_from_kubeconfig,
    run_workers,
)
from kamaji_core.testing import ApiServer
from tests.cluster.kube.conftest import Cutter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

pytestmark = pytest.mark.real

Change = tuple[Key, Any, Any]


def config_map(namespace: str, name: str, value: str) -> dict[str, Any]:
    """A ConfigMap with a label."""
    metadata = {"namespace": namespace, "name": name, "labels": {"followed": "yes"}}
    return {"metadata": metadata, "data": {"v": value}}


def value_of(raw: msgspec.Raw) -> str:
    """What is kept of it."""
    value: str = msgspec.json.decode(raw)["data"]["v"]
    return value


class Follower:
    """An informer and what it reported."""

    def __init__(self, client: KubeClient, namespace: str) -> None:
        self.changes: list[Change] = []
        self.changed = asyncio.Event()
        self.informer: Informer[str] = Informer(
            client,
            CONFIG_MAPS,
            decode=value_of,
            on_change=self.note,
            label_selector="followed=yes",
            namespace=namespace,
        )

    def note(self, key: Key, before: str | None, after: str | None) -> None:
        """Remember a change."""
        self.changes.append((key, before, after))
        self.changed.set()

    @property
    def known(self) -> dict[str, str]:
        """Values by name."""
        return {name: value for (_, name), value in self.informer.store.items()}

    async def until(self, condition: Callable[[], bool], seconds: float = 30) -> None:
        """Wait until something holds, and fail when it does not in time."""
        async with asyncio.timeout(seconds):
            while not condition():
                self.changed.clear()
                await self.changed.wait()


@contextlib.asynccontextmanager
async def following(client: KubeClient, namespace: str) -> AsyncIterator[Follower]:
    """Run an informer."""
    follower = Follower(client, namespace)
    task = asyncio.ensure_future(follower.informer.run())
    try:
        async with asyncio.timeout(30):
            await follower.informer.synced.wait()
        yield follower
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_what_is_and_what_comes(client: KubeClient, namespace: str) -> None:
    """Present objects, then creations, changes and deletions are known and reported once each."""
    await client.create(CONFIG_MAPS, config_map(namespace, "a", "1"))
    async with following(client, namespace) as follower:
        assert follower.known == {"a": "1"}
        await client.create(CONFIG_MAPS, config_map(namespace, "b", "1"))
        await client.merge_patch(CONFIG_MAPS, "a", {"data": {"v": "2"}}, namespace)
        await client.delete(CONFIG_MAPS, "b", namespace)
        await follower.until(lambda: len(follower.changes) == 4)
    a, b = (namespace, "a"), (namespace, "b")
    assert follower.changes == [(a, None, "1"), (b, None, "1"), (a, "1", "2"), (b, "1", None)]


async def test_losing_the_label_is_being_gone(client: KubeClient, namespace: str) -> None:
    """An object that no longer fits the selection leaves the store."""
    await client.create(CONFIG_MAPS, config_map(namespace, "a", "1"))
    async with following(client, namespace) as follower:
        await client.merge_patch(CONFIG_MAPS, "a", {"metadata": {"labels": None}}, namespace)
        await follower.until(lambda: follower.known == {})


async def test_own_writes_are_there_at_once(client: KubeClient, namespace: str) -> None:
    """Each answer that is folded in is seen by the next line, is never taken back, and is reported once."""
    async with following(client, namespace) as follower:
        for number in range(50):
            follower.informer.put(await client.apply(CONFIG_MAPS, config_map(namespace, "a", str(number))))
            assert follower.known == {"a": str(number)}
        await client.delete(CONFIG_MAPS, "a", namespace)
        await follower.until(lambda: follower.known == {})
    values = [after for _, _, after in follower.changes]
    assert values == [*map(str, range(50)), None]


async def test_many_writers_and_no_step_back(client: KubeClient, namespace: str) -> None:
    """While two write the same object, one of them folding in its answers, the versions reported only grow."""
    versions: list[int] = []
    changed = asyncio.Event()

    def note(_key: Key, _before: int | None, after: int | None) -> None:
        versions.append(after or 0)
        changed.set()

    def version_of(raw: msgspec.Raw) -> int:
        return int(msgspec.json.decode(raw)["metadata"]["resourceVersion"])

    informer = Informer[int](
        client,
        CONFIG_MAPS,
        decode=version_of,
        on_change=note,
        namespace=namespace,
    )
    await client.create(CONFIG_MAPS, config_map(namespace, "a", "0"))

    async def write(name: str, *, fold: bool) -> None:
        for number in range(40):
            answer = await client.merge_patch(CONFIG_MAPS, "a", {"data": {name: str(number)}}, namespace)
            if fold:
                informer.put(answer)

    task = asyncio.ensure_future(informer.run())
    await informer.synced.wait()
    await asyncio.gather(write("x", fold=True), write("y", fold=False))
    last = version_of(msgspec.Raw(msgspec.json.encode(await client.get(CONFIG_MAPS, "a", namespace))))
    async with asyncio.timeout(10):
        while versions[-1] != last:
            changed.clear()
            await changed.wait()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert versions == sorted(set(versions))


async def test_a_restart_is_survived() -> None:
    """After a restart, what changed and what was deleted before the watch was back is found, nothing twice."""
    async with ApiServer() as server, KubeClient(config_from_kubeconfig(server.kubeconfig)) as client:
        for name in ("stays", "changes", "goes"):
            await client.create(CONFIG_MAPS, config_map("default", name, "1"))
        async with following(client, "default") as follower:
            follower.changes.clear()
            await asyncio.to_thread(server.stop)
            await asyncio.to_thread(server.start)
            # Most of this happens while the informer waits for its next attempt.
            await client.delete(CONFIG_MAPS, "goes", "default")
            await client.merge_patch(CONFIG_MAPS, "changes", {"data": {"v": "2"}}, "default")
            await client.create(CONFIG_MAPS, config_map("default", "comes", "1"))
            await follower.until(lambda: follower.known == {"stays": "1", "changes": "2", "comes": "1"})
            follower.changes.sort(key=str)
            assert follower.changes == [
                (("default", "changes"), "1", "2"),
                (("default", "comes"), None, "1"),
                (("default", "goes"), "1", None),
            ]
            await client.delete(CONFIG_MAPS, "comes", "default")
            await follower.until(lambda: "comes" not in follower.known)


async def test_cut_connections_are_survived(api_server: ApiServer, client: KubeClient, namespace: str) -> None:
    """With every connection reset again and again, each change is known within seconds and reported once."""
    async with Cutter(api_server) as cutter, KubeClient(cutter.config) as cut_client:
        async with following(cut_client, namespace) as follower:
            for number in range(5):
                cutter.cut()
                await client.apply(CONFIG_MAPS, config_map(namespace, "a", str(number)))
                await follower.until(lambda n=number: follower.known == {"a": str(n)})
        assert cutter.connections > 5
    assert [after for _, _, after in follower.changes] == ["0", "1", "2", "3", "4"]


async def test_the_whole_chain(client: KubeClient, namespace: str) -> None:
    """Supervisor, informer, queue and workers together bring an object to what is wanted, and then rest."""
    queue: WorkQueue[Key] = WorkQueue()
    passes = 0
    rested = asyncio.Event()
    informer = Informer[str](
        client,
        CONFIG_MAPS,
        decode=value_of,
        on_change=lambda key, _before, _after: queue.add(key),
        label_selector="followed=yes",
        namespace=namespace,
    )

    async def handle(key: Key) -> None:
        nonlocal passes
        passes += 1
        if informer.store.get(key) not in (None, "wanted"):
            informer.put(await client.apply(CONFIG_MAPS, config_map(*key, "wanted")))
        if sorted(informer.store.values()) == ["wanted"] * 3:
            rested.set()

    async with Supervisor() as supervisor:
        supervisor.start("informer", informer.run)
        supervisor.start("workers", lambda: run_workers(queue, handle, workers=2))
        for name in ("a", "b", "c"):
            await client.create(CONFIG_MAPS, config_map(namespace, name, "other"))
        async with asyncio.timeout(20):
            await rested.wait()
        seen = await client.list(CONFIG_MAPS, namespace)
    assert {msgspec.json.decode(item)["data"]["v"] for item in seen.items} == {"wanted"}
    assert passes <= 9
