"""A store says how many of its tenants may start at once; the others' tenants do not wait for them."""

from __future__ import annotations

from typing import Any

import pytest

from kamaji_core.kube import DEPLOYMENTS
from kamaji_core.tenancy import DATA_STORES

pytestmark = pytest.mark.real
WIDTH = "kamaji.clastix.io/max-concurrent-boots"


@pytest.fixture
async def narrow(cluster: Any, namespace: str) -> str:
    """A DataStore whose tenants start one after the other."""
    spec = (await cluster.client.get(DATA_STORES, "default"))["spec"]
    metadata = {"name": namespace, "annotations": {WIDTH: "1"}}
    await cluster.client.create(DATA_STORES, {"metadata": metadata, "spec": spec})
    return namespace


async def starts(cluster: Any, namespace: str, name: str) -> bool:
    """Whether its pods may start."""
    return bool(await cluster.has(DEPLOYMENTS, namespace, name))


async def waits(cluster: Any, namespace: str, name: str) -> bool:
    """Whether it says that it waits for its turn."""
    return bool((await cluster.condition(namespace, name, "Ready")).get("reason") == "Queued")


async def test_a_narrow_store_holds_up_its_own_tenants_alone(
    cluster: Any, namespace: str, until: Any, narrow: str
) -> None:
    """The second waits, a third on another store starts at once; when the first is Ready, the second starts."""
    async with cluster.operator() as operator:
        await cluster.create_tenant(namespace, "first", dataStore=narrow)
        await until(lambda: starts(cluster, namespace, "first"), "the first to start")
        await cluster.create_tenant(namespace, "second", dataStore=narrow)
        await until(lambda: waits(cluster, namespace, "second"), "the second to wait")
        await cluster.create_tenant(namespace, "elsewhere")
        await until(lambda: starts(cluster, namespace, "elsewhere"), "the third to start")
        await until(operator.idle, "the operator to be idle")
        assert not await starts(cluster, namespace, "second")
        await cluster.play_node(namespace, "first")
        await until(lambda: starts(cluster, namespace, "second"), "the second to start")


@pytest.mark.parametrize("width", ["2", None, "many"], ids=["wider", "gone", "unreadable"])
async def test_a_wider_store_lets_more_start_at_once(
    cluster: Any, namespace: str, until: Any, narrow: str, width: str | None
) -> None:
    """As soon as somebody says so; what cannot be understood is no limit."""
    async with cluster.operator():
        await cluster.create_tenant(namespace, "first", dataStore=narrow)
        await until(lambda: starts(cluster, namespace, "first"), "the first to start")
        await cluster.create_tenant(namespace, "second", dataStore=narrow)
        await until(lambda: waits(cluster, namespace, "second"), "the second to wait")
        patch = {"metadata": {"annotations": {WIDTH: width}}}
        await cluster.client.merge_patch(DATA_STORES, narrow, patch)
        await until(lambda: starts(cluster, namespace, "second"), "the second to start")


async def test_pods_that_start_already_count_after_a_restart(
    cluster: Any, namespace: str, until: Any, narrow: str
) -> None:
    """The next operator counts them for their store, too."""
    async with cluster.operator():
        await cluster.create_tenant(namespace, "first", dataStore=narrow)
        await until(lambda: starts(cluster, namespace, "first"), "the first to start")
    async with cluster.operator():
        await cluster.create_tenant(namespace, "second", dataStore=narrow)
        await until(lambda: waits(cluster, namespace, "second"), "the second to wait")
        await cluster.play_node(namespace, "first")
        await until(lambda: starts(cluster, namespace, "second"), "the second to start")
