"""Who uses a store is told in time and in few writes; a store whose driver is not installed stops nothing that runs."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from kamaji_core.kube import DEPLOYMENTS, SECRETS
from kamaji_core.tenancy import DATA_STORES, TENANT_CONTROL_PLANES

pytestmark = pytest.mark.real
TENANTS = 24


async def create(cluster: Any, name: str, **changes: Any) -> None:
    """Create a DataStore like the default one, with some fields changed."""
    spec = {**(await cluster.client.get(DATA_STORES, "default"))["spec"], **changes}
    await cluster.client.create(DATA_STORES, {"metadata": {"name": name}, "spec": spec})


async def users(cluster: Any, name: str) -> list[str]:
    """Who uses a store, as its status tells."""
    store = await cluster.client.get(DATA_STORES, name)
    return list(store.get("status", {}).get("usedBy", []))


async def test_its_users_are_written_once_a_second_at_most(cluster: Any, namespace: str, until: Any) -> None:
    """However many come and go; at the end all of them are told."""
    async with cluster.operator(tenant_workers=2) as operator:
        await create(cluster, "busy")
        clock = asyncio.get_running_loop().time
        began = clock()
        names = [f"shop-{number:02}" for number in range(TENANTS)]
        for name in names:
            await cluster.create_tenant(namespace, name, dataStore="busy")

        async def all_told() -> bool:
            return await users(cluster, "busy") == [f"{namespace}/{name}" for name in names]

        await until(all_told, "all users to be told")
        writes = [write for write in operator.transport.writes if write.endswith("/datastores/busy/status")]
        assert 1 <= len(writes) <= clock() - began + 2  # its first state, and the first users at once


async def told_of(cluster: Any, namespace: str, kind: str) -> tuple[str, str]:
    """Status and message of a condition of the tenant."""
    condition = await cluster.condition(namespace, "shop", kind)
    return condition.get("status", ""), condition.get("message", "")


@pytest.mark.usefixtures("controller_manager")
async def test_a_driver_that_was_uninstalled_stops_nothing_that_runs(
    cluster: Any, namespace: str, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is said on both, the pods stay as they are, and a deletion says what it waits for; with it, all goes on."""
    missing = "No installed plugin brings the driver 'etcd'"
    async with cluster.operator():
        await create(cluster, "bereft")
        await cluster.create_tenant(namespace, "shop", dataStore="bereft")
        await cluster.play_node(namespace, "shop")
        await until(lambda: cluster.ready(namespace, "shop"), "the tenant to be Ready")
    before = await cluster.client.get(DEPLOYMENTS, "shop", namespace)
    with monkeypatch.context() as without:
        without.setenv("KAMAJI_DISABLED_PLUGINS", "datastore-etcd")
        async with cluster.operator() as operator:

            async def is_said() -> bool:
                status, message = await told_of(cluster, namespace, "DataStoreReady")
                return status == "False" and missing in message

            await until(is_said, "the tenant to say it")
            await until(operator.idle, "the operator to be idle")
            assert (await told_of(cluster, namespace, "ControlPlaneAvailable"))[0] == "True"
            after = await cluster.client.get(DEPLOYMENTS, "shop", namespace)
            assert after["metadata"]["generation"] == before["metadata"]["generation"]
            assert (await users(cluster, "bereft")) == [f"{namespace}/shop"]
            await cluster.client.delete(SECRETS, "shop-scheduler-kubeconfig", namespace)
            await until(lambda: cluster.has(SECRETS, namespace, "shop-scheduler-kubeconfig"), "a new certificate")
            await cluster.client.delete(TENANT_CONTROL_PLANES, "shop", namespace)

            async def waits() -> bool:
                _, message = await told_of(cluster, namespace, "Deleting")
                return missing in message

            await until(waits, "the deletion to say what it waits for")
            await cluster.client.delete(DATA_STORES, "bereft")
    async with cluster.operator():

        async def are_gone() -> bool:
            left = await cluster.has(TENANT_CONTROL_PLANES, namespace, "shop")
            return not left and not await cluster.has(DATA_STORES, None, "bereft")

        await until(are_gone, "both to be gone")


@pytest.mark.usefixtures("controller_manager")
@pytest.mark.parametrize("broken", [{"driver": "papyrus"}, {"endpoints": ["127.0.0.1:1"]}], ids=["driver", "server"])
async def test_a_store_without_users_goes_whatever_is_wrong_with_it(
    cluster: Any, namespace: str, until: Any, broken: dict[str, Any]
) -> None:
    """Nothing of it is needed for its end."""
    name = f"broken-{next(iter(broken))}"
    async with cluster.operator() as operator:
        await create(cluster, name, **broken)
        await until(operator.idle, "the store to be looked at")
        await cluster.client.delete(DATA_STORES, name)

        async def is_gone() -> bool:
            return not await cluster.has(DATA_STORES, None, name)

        await until(is_gone, "the store to be gone")
