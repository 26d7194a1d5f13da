"""Deletion ends, in whatever order things go, and leaves nothing that could have been removed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from kamaji_core.kube import CONFIG_MAPS, DEPLOYMENTS, NAMESPACES, SECRETS, SERVICES
from kamaji_core.tenancy import DATA_STORES, TENANT_CONTROL_PLANES
from kamaji_core.tenant import deletion

pytestmark = [pytest.mark.real, pytest.mark.usefixtures("controller_manager")]


class Ended:
    """One tenant whose end is watched."""

    def __init__(self, cluster: Any, namespace: str, until: Any) -> None:
        self.cluster = cluster
        self.namespace = namespace
        self.until = until
        self.schema = ""

    async def create(self, **spec: Any) -> None:
        """A tenant that is Ready, with a key of its own in the store."""
        await self.cluster.create_tenant(self.namespace, "shop", **spec)
        await self.cluster.play_node(self.namespace, "shop")
        await self.until(lambda: self.cluster.ready(self.namespace, "shop"), "the tenant to be Ready")
        await self.remember()
        self.cluster.etcdctl("put", f"/{self.schema}/registry/something", "of the tenant's")

    async def remember(self) -> None:
        """Note what the tenant is called at the store."""
        tenant = await self.cluster.tenant(self.namespace, "shop")
        self.schema = tenant["metadata"]["uid"].replace("-", "")

    async def delete(self) -> None:
        """Ask for the end."""
        await self.cluster.client.delete(TENANT_CONTROL_PLANES, "shop", self.namespace)

    async def is_gone(self) -> bool:
        """Whether the tenant's object is gone."""
        return not await self.cluster.has(TENANT_CONTROL_PLANES, self.namespace, "shop")

    async def leaves_nothing(self) -> None:
        """No object of the tenant, no key, user or role."""
        await self.until(self.is_gone, "the tenant to be gone")
        assert self.at_the_store() == []

        async def collected() -> bool:
            kinds = (SECRETS, SERVICES, DEPLOYMENTS, CONFIG_MAPS)
            selector = "kamaji.clastix.io/project=kamaji"
            found = [await self.cluster.client.list(kind, self.namespace, label_selector=selector) for kind in kinds]
            return not any(listing.items for listing in found)

        await self.until(collected, "its objects to be collected")

    def at_the_store(self) -> list[str]:
        """What the store still holds of the tenant."""
        found = {
            "user": self.cluster.etcdctl("user", "list"),
            "role": self.cluster.etcdctl("role", "list"),
            "key": self.cluster.etcdctl("get", "--prefix", "", "--keys-only"),
        }
        return [what for what, names in found.items() if self.schema in names]

    async def deleting(self) -> dict[str, Any]:
        """The condition that tells what is waited for."""
        return dict(await self.cluster.condition(self.namespace, "shop", "Deleting"))


@pytest.fixture
def tenant(cluster: Any, namespace: str, until: Any) -> Ended:
    """A tenant to be created."""
    return Ended(cluster, namespace, until)


@pytest.fixture
async def own_store(cluster: Any, request: pytest.FixtureRequest) -> str:
    """A DataStore of the test's own on the common server, with a Secret of its own."""
    name = f"own-{abs(hash(request.node.name)) % 10**8}"
    secret = await cluster.client.get(SECRETS, "etcd-certs", "stores")
    copy = {"metadata": {"name": name, "namespace": "stores"}, "data": secret["data"]}
    await cluster.client.create(SECRETS, copy)
    spec = (await cluster.client.get(DATA_STORES, "default"))["spec"]
    for part in spec["tlsConfig"].values():
        for reference in part.values():
            reference["secretReference"]["name"] = name
    await cluster.client.create(DATA_STORES, {"metadata": {"name": name}, "spec": spec})
    return name


async def test_in_order(tenant: Ended) -> None:
    """The ordinary end."""
    async with tenant.cluster.operator():
        await tenant.create()
        await tenant.delete()
        await tenant.leaves_nothing()


async def test_twice(tenant: Ended) -> None:
    """A second request changes nothing."""
    async with tenant.cluster.operator():
        await tenant.create()
        await tenant.delete()
        if not await tenant.is_gone():
            await tenant.delete()
        await tenant.leaves_nothing()


async def test_while_it_is_created(tenant: Ended) -> None:
    """As soon as the object is accepted."""
    async with tenant.cluster.operator():
        await tenant.cluster.create_tenant(tenant.namespace, "shop")
        await tenant.remember()
        await tenant.delete()
        await tenant.leaves_nothing()


async def test_while_it_is_paused(tenant: Ended) -> None:
    """Deletion goes on."""
    async with tenant.cluster.operator():
        await tenant.create()
        patch = {"metadata": {"annotations": {"kamaji.clastix.io/paused": ""}}}
        await tenant.cluster.client.merge_patch(TENANT_CONTROL_PLANES, "shop", patch, tenant.namespace)
        await tenant.delete()
        await tenant.leaves_nothing()


async def test_while_it_sleeps(tenant: Ended) -> None:
    """With no pods there is nothing to wait for."""
    async with tenant.cluster.operator():
        await tenant.create()
        patch = {"spec": {"controlPlane": {"deployment": {"replicas": 0}}}}
        await tenant.cluster.client.merge_patch(TENANT_CONTROL_PLANES, "shop", patch, tenant.namespace)

        async def sleeps() -> bool:
            status = (await tenant.cluster.tenant(tenant.namespace, "shop"))["status"]
            return bool(status["kubernetesResources"]["version"]["status"] == "Sleeping")

        await tenant.until(sleeps, "the tenant to sleep")
        await tenant.delete()
        await tenant.leaves_nothing()


async def test_while_the_operator_is_down(tenant: Ended) -> None:
    """The next one carries it out."""
    async with tenant.cluster.operator():
        await tenant.create()
    await tenant.delete()
    assert not await tenant.is_gone()
    async with tenant.cluster.operator():
        await tenant.leaves_nothing()


async def test_after_its_secrets(tenant: Ended) -> None:
    """The names at the store are known from the status."""
    async with tenant.cluster.operator():
        await tenant.create()
    for suffix in ("datastore-config", "datastore-certificate", "ca"):
        await tenant.cluster.client.delete(SECRETS, f"shop-{suffix}", tenant.namespace)
    await tenant.delete()
    async with tenant.cluster.operator():
        await tenant.leaves_nothing()


async def test_with_its_namespace(tenant: Ended) -> None:
    """Nothing can be created there any more, and nothing has to be."""
    async with tenant.cluster.operator():
        await tenant.create()
        await tenant.cluster.client.delete(NAMESPACES, tenant.namespace)
        await tenant.leaves_nothing()

        async def namespace_is_gone() -> bool:
            return not await tenant.cluster.has(NAMESPACES, None, tenant.namespace)

        await tenant.until(namespace_is_gone, "the namespace to be gone")


async def test_while_the_stores_server_is_down(tenant: Ended) -> None:
    """It waits and says so; when the server is back, nothing is left."""
    async with tenant.cluster.operator():
        await tenant.create()
        tenant.cluster.store.stop()
        try:
            await tenant.delete()

            async def waits() -> bool:
                return (await tenant.deleting()).get("reason") == "DataStoreUnreachable"

            await tenant.until(waits, "the condition")
            assert "kamaji.clastix.io/abandon-data" in (await tenant.deleting())["message"]
        finally:
            tenant.cluster.store.start()
        await tenant.leaves_nothing()


async def test_abandoning_what_cannot_be_reached(tenant: Ended) -> None:
    """The annotation releases the tenant; its data stays where it is."""
    async with tenant.cluster.operator():
        await tenant.create()
        tenant.cluster.store.stop()
        try:
            patch = {"metadata": {"annotations": {"kamaji.clastix.io/abandon-data": "true"}}}
            await tenant.cluster.client.merge_patch(TENANT_CONTROL_PLANES, "shop", patch, tenant.namespace)
            await tenant.delete()
            await tenant.until(tenant.is_gone, "the tenant to be gone")
        finally:
            tenant.cluster.store.start()
    assert "key" in tenant.at_the_store()


async def test_after_the_stores_secret(tenant: Ended, own_store: str) -> None:
    """Nobody can log in to clean up: the tenant is released, its data stays."""
    async with tenant.cluster.operator():
        await tenant.create(dataStore=own_store)
    await tenant.cluster.client.delete(SECRETS, own_store, "stores")
    await tenant.delete()
    async with tenant.cluster.operator():
        await tenant.until(tenant.is_gone, "the tenant to be gone")
    assert tenant.at_the_store() == ["user", "role", "key"]


async def test_after_the_datastore(tenant: Ended, own_store: str) -> None:
    """Somebody took its finalizer away: the tenant is released, its data stays."""
    async with tenant.cluster.operator():
        await tenant.create(dataStore=own_store)
    client = tenant.cluster.client
    await client.delete(DATA_STORES, own_store)
    await client.merge_patch(DATA_STORES, own_store, {"metadata": {"finalizers": None}})
    await tenant.delete()
    async with tenant.cluster.operator():
        await tenant.until(tenant.is_gone, "the tenant to be gone")
    assert tenant.at_the_store() == ["user", "role", "key"]


async def test_with_pods_that_do_not_end(tenant: Ended, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a node that is lost: the access is revoked, so after a limit the data is removed all the same."""
    monkeypatch.setattr(deletion, "POD_LIMIT", timedelta(seconds=2))
    monkeypatch.setattr(deletion, "LOOK_AGAIN_SECONDS", 0.5)
    async with tenant.cluster.operator():
        await tenant.create()
        patch = {"metadata": {"finalizers": ["example.org/never-ends"]}}
        await tenant.cluster.client.merge_patch(DEPLOYMENTS, "shop", patch, tenant.namespace)
        await tenant.delete()
        await tenant.until(tenant.is_gone, "the tenant to be gone")
        assert tenant.at_the_store() == []
    await tenant.cluster.client.merge_patch(DEPLOYMENTS, "shop", {"metadata": {"finalizers": None}}, tenant.namespace)
