"""A tenant's life against real servers: it comes, nothing more is written, and it goes without a trace."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from kamaji_core.certificates import AUTHORITIES, issue_authority, secret_data
from kamaji_core.kube import CONFIG_MAPS, DEPLOYMENTS, SECRETS, SERVICES, KubeClient, config_from_kubeconfig
from kamaji_core.render.secret import encoded
from kamaji_core.tenancy import TENANT_CONTROL_PLANES

pytestmark = pytest.mark.real


async def test_a_tenant_becomes_ready(cluster: Any, namespace: str, until: Any) -> None:
    """With every object that its control plane needs, and the status at Kamaji's paths."""
    async with cluster.operator():
        await cluster.create_tenant(namespace, "shop")
        await cluster.play_node(namespace, "shop")
        await until(lambda: cluster.ready(namespace, "shop"), "the tenant to be Ready")
        status = (await cluster.tenant(namespace, "shop"))["status"]
    assert status["kubernetesResources"]["version"] == {"status": "Ready", "version": "v1.37.1"}
    assert status["observedGeneration"] == 1
    assert {condition["type"]: condition["status"] for condition in status["conditions"]} == {
        "DataStoreReady": "True",
        "MaterialReady": "True",
        "EndpointReady": "True",
        "ControlPlaneAvailable": "True",
        "Ready": "True",
    }
    service = await cluster.client.get(SERVICES, "shop", namespace)
    assert status["controlPlaneEndpoint"] == f"{service['spec']['clusterIP']}:6443"


async def test_its_share_of_the_store_is_set_up(cluster: Any, namespace: str, until: Any) -> None:
    """A user and a role of its own, seen by etcd's own client."""
    async with cluster.operator():
        await cluster.create_tenant(namespace, "shop")
        await until(lambda: cluster.reported(namespace, "shop"), "the first report")
        setup = (await cluster.tenant(namespace, "shop"))["status"]["storage"]["setup"]
    assert setup["user"] in cluster.etcdctl("user", "list").split()
    assert f"[/{setup['schema']}/, /{setup['schema']}0)" in cluster.etcdctl("role", "get", setup["schema"])


async def test_a_second_pass_writes_nothing(cluster: Any, namespace: str, until: Any) -> None:
    """Neither at once nor after a restart, when everything in memory is gone."""
    async with cluster.operator() as operator:
        await cluster.create_tenant(namespace, "shop")
        await cluster.play_node(namespace, "shop")
        await until(lambda: cluster.ready(namespace, "shop"), "the tenant to be Ready")
        await until(operator.idle, "the operator to be idle")
        operator.transport.requests.clear()
        operator.manager.wake((namespace, "shop"))
        await until(operator.idle, "the second pass")
        assert [request.path for request in operator.transport.requests if f"/{namespace}/" in request.path] == []
    async with cluster.operator() as operator:
        await until(operator.idle, "the first passes after the restart")
        assert [write for write in operator.transport.writes if f"/{namespace}/" in write] == []


async def test_a_tenant_costs_few_writes(cluster: Any, namespace: str, until: Any) -> None:
    """Fourteen objects, one metadata patch, at most five status patches; one Event, which tells that it is Ready."""
    async with cluster.operator() as operator:
        await cluster.create_tenant(namespace, "shop")
        await cluster.play_node(namespace, "shop")
        await until(lambda: cluster.ready(namespace, "shop"), "the tenant to be Ready")
        await until(operator.idle, "the operator to be idle")
    writes = [write for write in operator.transport.writes if f"/{namespace}/" in write]
    events = [write for write in writes if "/events" in write]
    writes = [write for write in writes if write not in events]
    status = [write for write in writes if write.endswith("/status?fieldManager=kamaji") or "/status" in write]
    metadata = [write for write in writes if "/tenantcontrolplanes/" in write and write not in status]
    assert len(status) <= 5
    assert len(metadata) == 1
    assert len(writes) - len(status) - len(metadata) == 14
    assert len(events) == 1


async def test_what_somebody_changed_comes_back(cluster: Any, namespace: str, until: Any) -> None:
    """A field of ours is put back; a field of theirs stays."""
    async with cluster.operator():
        await cluster.create_tenant(namespace, "shop")
        await until(lambda: cluster.reported(namespace, "shop"), "the first report")
        patch = {"metadata": {"labels": {"theirs": "stays"}}, "spec": {"replicas": 7}}
        await cluster.client.merge_patch(DEPLOYMENTS, "shop", patch, namespace)

        async def is_back() -> bool:
            live = await cluster.client.get(DEPLOYMENTS, "shop", namespace)
            return bool(live["spec"]["replicas"] == 1 and live["metadata"]["labels"]["theirs"] == "stays")

        await until(is_back, "the replicas to be put back")


async def test_a_deleted_leaf_is_made_again(cluster: Any, namespace: str, until: Any) -> None:
    """The authority stays as it was."""
    async with cluster.operator():
        await cluster.create_tenant(namespace, "shop")
        await until(lambda: cluster.reported(namespace, "shop"), "the first report")
        before = await cluster.client.get(SECRETS, "shop-ca", namespace)
        await cluster.client.delete(SECRETS, "shop-api-server-certificate", namespace)
        await until(lambda: cluster.has(SECRETS, namespace, "shop-api-server-certificate"), "the certificate")
        after = await cluster.client.get(SECRETS, "shop-ca", namespace)
    assert before == after


async def test_a_users_own_authority_is_adopted(cluster: Any, namespace: str, until: Any) -> None:
    """Also without any label; its content is not touched."""
    data = encoded(issue_authority(AUTHORITIES["ca"], now=datetime.now(UTC)))
    await cluster.client.create(SECRETS, {"metadata": {"name": "shop-ca", "namespace": namespace}, "data": data})
    async with cluster.operator():
        await cluster.create_tenant(namespace, "shop")
        await until(lambda: cluster.reported(namespace, "shop"), "the first report")
    assert (await cluster.client.get(SECRETS, "shop-ca", namespace))["data"] == data


@pytest.mark.usefixtures("controller_manager")
async def test_a_deleted_tenant_leaves_nothing(cluster: Any, namespace: str, until: Any) -> None:
    """No object in its namespace, no key, user or role at the store, and no finalizer that blocks."""
    async with cluster.operator():
        await cluster.create_tenant(namespace, "shop")
        await cluster.play_node(namespace, "shop")
        await until(lambda: cluster.ready(namespace, "shop"), "the tenant to be Ready")
        schema = (await cluster.tenant(namespace, "shop"))["status"]["storage"]["setup"]["schema"]
        cluster.etcdctl("put", f"/{schema}/registry/something", "of the tenant's")
        await cluster.client.delete(TENANT_CONTROL_PLANES, "shop", namespace)

        async def is_gone() -> bool:
            return not await cluster.has(TENANT_CONTROL_PLANES, namespace, "shop")

        await until(is_gone, "the tenant to be gone")
    assert schema not in cluster.etcdctl("user", "list")
    assert schema not in cluster.etcdctl("role", "list")
    assert schema not in cluster.etcdctl("get", "--prefix", "", "--keys-only")

    async def nothing_left() -> bool:
        found = [await cluster.client.list(kind, namespace) for kind in (SECRETS, SERVICES, DEPLOYMENTS)]
        maps = await cluster.client.list(CONFIG_MAPS, namespace, label_selector="kamaji.clastix.io/project=kamaji")
        return not any(listing.items for listing in [*found, maps])

    await until(nothing_left, "everything to be collected")


async def test_an_unknown_store_is_told_and_nothing_is_made(cluster: Any, namespace: str, until: Any) -> None:
    """Not even a finalizer; as soon as the store is there, the tenant goes on by itself."""
    async with cluster.operator():
        await cluster.create_tenant(namespace, "shop", dataStore="absent")

        async def is_told() -> bool:
            condition = await cluster.condition(namespace, "shop", "DataStoreReady")
            return condition.get("reason") == "DataStoreMissing" and "'absent' does not exist" in condition["message"]

        await until(is_told, "the condition")
        tenant = await cluster.tenant(namespace, "shop")
    assert "finalizers" not in tenant["metadata"]
    assert not await cluster.has(SERVICES, namespace, "shop")


async def test_the_tenants_kubeconfig_is_read_by_a_client(cluster: Any, namespace: str, until: Any) -> None:
    """What a user downloads is complete; whether the server answers is for tests with nodes."""
    async with cluster.operator():
        await cluster.create_tenant(namespace, "shop")
        await until(lambda: cluster.has(SECRETS, namespace, "shop-admin-kubeconfig"), "the kubeconfig")
    secret = await cluster.client.get(SECRETS, "shop-admin-kubeconfig", namespace)
    config = config_from_kubeconfig(secret_data(secret)["admin.conf"])
    async with KubeClient(config):
        assert config.server.startswith("https://10.0.0.")
