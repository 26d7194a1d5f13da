"""A tenant's share of a real store is measured, and made again when somebody has changed it by hand."""

from __future__ import annotations

from typing import Any

import pytest

from kamaji_core import manager as manager_module
from kamaji_core.datastore import samples as samples_module
from kamaji_core.kube import DEPLOYMENTS
from kamaji_core.tenancy import TENANT_CONTROL_PLANES

pytestmark = pytest.mark.real


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shares are looked at about every second."""
    monkeypatch.setattr(manager_module, "INTERVAL_SECONDS", 1.0)
    monkeypatch.setattr(manager_module, "FIRST_SAMPLE_SECONDS", 1.0)
    monkeypatch.setattr(samples_module, "INTERVAL_SECONDS", 1.0)
    monkeypatch.setattr(samples_module, "RETRY_SECONDS", 1.0)


async def figures(operator: Any, namespace: str) -> dict[str, float]:
    """The metrics of the tenant's share."""
    labels = f'{{datastore_name="default",tcp_name="shop",tcp_namespace="{namespace}"}}'
    found = {}
    for line in (await operator.manager._render_metrics()).decode().splitlines():
        name, _, value = line.rpartition(" ")
        if name.startswith("kamaji_tenant_datastore_") and namespace in name:
            assert all(label in name for label in labels.strip("{}").split(","))
            found[name.partition("{")[0]] = float(value)
    return found


async def shop(cluster: Any, namespace: str, until: Any) -> str:
    """A tenant that is Ready; gives the name of its schema, its role and its user."""
    await cluster.create_tenant(namespace, "shop")
    await cluster.play_node(namespace, "shop")
    await until(lambda: cluster.ready(namespace, "shop"), "the tenant to be Ready")
    setup = (await cluster.tenant(namespace, "shop"))["status"]["storage"]["setup"]
    return str(setup["schema"])


async def test_a_share_is_measured(cluster: Any, namespace: str, until: Any) -> None:
    """Keys and bytes, as they are at the store; they go with the tenant."""
    async with cluster.operator() as operator:
        schema = await shop(cluster, namespace, until)
        for number in range(3):
            cluster.etcdctl("put", f"/{schema}/key-{number}", "x" * 100)

        async def has_keys() -> bool:
            return (await figures(operator, namespace)).get("kamaji_tenant_datastore_keys") == 3

        await until(has_keys, "the keys to be counted")
        assert (await figures(operator, namespace))["kamaji_tenant_datastore_bytes"] > 300
        await cluster.client.delete(DEPLOYMENTS, "shop", namespace)
        await cluster.client.merge_patch(TENANT_CONTROL_PLANES, "shop", {"metadata": {"finalizers": None}}, namespace)
        await cluster.client.delete(TENANT_CONTROL_PLANES, "shop", namespace)

        async def has_none() -> bool:
            return await figures(operator, namespace) == {}

        await until(has_none, "the figures to go")


async def test_rights_that_were_taken_by_hand_are_told_and_given_again(
    cluster: Any, namespace: str, until: Any
) -> None:
    """One Event of the tenant; its Deployment is not touched and its conditions stay true."""
    async with cluster.operator() as operator:
        role = await shop(cluster, namespace, until)
        before = await cluster.client.get(DEPLOYMENTS, "shop", namespace)
        cluster.etcdctl("role", "delete", role)

        async def is_back() -> bool:
            return role in cluster.etcdctl("role", "list").split()

        await until(is_back, "the role")
        assert role in cluster.etcdctl("user", "get", role)

        async def told() -> list[dict[str, Any]]:
            events = await cluster.events(TENANT_CONTROL_PLANES, namespace, "shop")
            return [event for event in events if event["reason"] == "DataStoreShareChanged"]

        await until(told, "the Event")
        await until(operator.idle, "the operator to be idle")
    (event,) = await told()
    assert event["type"] == "Warning"
    assert event["message"].startswith("Its share of the DataStore 'default' is not as it was made: ")
    after = await cluster.client.get(DEPLOYMENTS, "shop", namespace)
    assert after["metadata"]["generation"] == before["metadata"]["generation"]
    assert await cluster.ready(namespace, "shop")
