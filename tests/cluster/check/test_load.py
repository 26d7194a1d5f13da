"""The load on a real API server: everything it promises is found in the figures."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest

from kamaji_core.check import LoadSettings
from kamaji_core.check import load as load_module
from kamaji_core.check.load import NAMESPACE, run_load
from kamaji_core.check.watching import Watching
from kamaji_core.kube import CONFIG_MAPS, NAMESPACES, KubeClient, config_from_kubeconfig
from kamaji_core.testing import Cut, FaultProxy, Refuse, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from kamaji_core.testing import ApiServer

pytestmark = pytest.mark.real
SMALL = LoadSettings(seconds=1, writers=4, objects=700)


@pytest.fixture
async def client(api_server: ApiServer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[KubeClient]:
    """An administrator's; where nobody removes namespaces, each test has a namespace of its own."""
    async with KubeClient(config_from_kubeconfig(api_server.kubeconfig)) as client:
        yield client


@pytest.fixture(autouse=True)
def namespace(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """One of the test's own: nobody removes them here."""
    name = f"{NAMESPACE}-{request.node.name.removeprefix('test_').replace('_', '-')}"[:63].strip("-")
    monkeypatch.setattr(load_module, "NAMESPACE", name)
    return name


def silent(_sentence: str) -> None:
    """Nobody listens."""


async def test_a_real_server_gives_all_figures(client: KubeClient) -> None:
    """Writes, lists of all objects, every event, no error."""
    told: list[str] = []
    figures = await run_load([client], SMALL, progress=told.append)
    assert (figures.errors, figures.first_errors) == (0, ())
    assert figures.writes_per_second > 1
    assert 0 < figures.write_p50 <= figures.write_p99 < 5
    assert figures.objects >= 700
    assert min(figures.paged_list, figures.whole_list, figures.change_p99) > 0
    changed = min(figures.objects, load_module.MOST_CHANGED)
    assert figures.events_expected == figures.objects + 2 * changed == figures.events_delivered
    assert not figures.compaction_waited
    assert any("writers" in sentence for sentence in told)


async def test_compaction_is_waited_for_no_longer_than_said(
    client: KubeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that has not compacted yet, within the limit of the test."""
    monkeypatch.setattr(load_module, "COMPACTION_SECONDS", 0.5)
    monkeypatch.setattr(load_module, "COMPACTION_LOOK_SECONDS", 0.1)
    figures = await run_load([client], LoadSettings(seconds=1, writers=2, objects=1, compaction=True), progress=silent)
    assert (figures.compaction_waited, figures.compacted_after) == (True, None)


@pytest.fixture
async def proxy(api_server: ApiServer) -> AsyncIterator[FaultProxy]:
    """Faults between the load and the server."""
    async with FaultProxy(api_server.kubeconfig) as proxy:
        yield proxy


async def test_requests_that_fail_are_counted_and_promise_nothing(proxy: FaultProxy) -> None:
    """Five creations are refused: five errors, and no event is waited for in vain."""
    proxy.add(Refuse(500), verbs={"create"}, path="*/configmaps", times=5)
    async with KubeClient(proxy.config) as client:
        figures = await run_load([client], LoadSettings(seconds=1, writers=2, objects=20), progress=silent)
    assert figures.errors == 5
    assert len(figures.first_errors) == 3
    assert figures.events_delivered == figures.events_expected


async def test_a_watch_that_is_cut_goes_on_where_it_was(proxy: FaultProxy, namespace: str) -> None:
    """Nothing is lost by a connection."""
    proxy.add(Cut(1), verbs={"watch"}, path=f"*/{namespace}/configmaps", times=1)
    async with KubeClient(proxy.config) as client:
        figures = await run_load([client], LoadSettings(seconds=1, writers=2, objects=20), progress=silent)
    assert proxy.count(verbs={"watch"}, path=f"*/{namespace}/configmaps") >= 2
    assert figures.events_delivered == figures.events_expected > 0


async def test_an_event_that_never_comes_is_missed(client: KubeClient, namespace: str) -> None:
    """A promise that no event keeps shows in the figures, and is waited for in bounds."""
    await client.create(NAMESPACES, {"metadata": {"name": namespace}})
    start = (await client.list(CONFIG_MAPS, namespace)).resource_version
    async with Watching(client, namespace, start) as watching:
        made = await client.create(CONFIG_MAPS, {"metadata": {"name": "a", "namespace": namespace}})
        watching.expect("a", made["metadata"]["resourceVersion"])
        watching.expect("b", "1")
        await watching.until_all(0.5)
        assert (watching.delivered, watching.expected) == (1, 2)


async def test_an_interrupted_load_leaves_no_task(client: KubeClient) -> None:
    """Writers and the watch end with it."""
    before = asyncio.all_tasks()
    told: list[str] = []
    load = asyncio.create_task(run_load([client], LoadSettings(seconds=60), progress=told.append))
    await until(lambda: told, "writers to write", load)
    load.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await load
    assert asyncio.all_tasks() - before == set()
