"""What the operator made once and plans no more goes by itself, and nothing else does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kamaji_core.kube import CONFIG_MAPS, DEPLOYMENTS, SECRETS, Resource

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = pytest.mark.real
LABELS = {"kamaji.clastix.io/project": "kamaji", "kamaji.clastix.io/name": "shop"}


class Shop:
    """A tenant and what lies beside it."""

    def __init__(self, cluster: Any, namespace: str, until: Any, operator: Any) -> None:
        self.cluster = cluster
        self.namespace = namespace
        self.until = until
        self.operator = operator

    async def create(self) -> None:
        """A tenant whose pods are not rolled out yet."""
        await self.cluster.create_tenant(self.namespace, "shop")
        await self.until(lambda: self.cluster.reported(self.namespace, "shop"), "the tenant")

    async def roll_out(self) -> None:
        """Its pods run."""
        await self.cluster.play_node(self.namespace, "shop")
        await self.until(lambda: self.cluster.ready(self.namespace, "shop"), "the tenant to be Ready")

    async def owner(self, name: str = "shop") -> dict[str, Any]:
        """A reference to a tenant as the one that controls."""
        tenant = await self.cluster.tenant(self.namespace, name)
        return {
            "apiVersion": tenant["apiVersion"],
            "kind": tenant["kind"],
            "name": name,
            "uid": tenant["metadata"]["uid"],
            "controller": True,
        }

    async def put(
        self,
        resource: Resource,
        name: str,
        *owners: Mapping[str, Any],
        labels: Mapping[str, str] | None = None,
    ) -> None:
        """Create an object with our labels."""
        metadata = {
            "name": name,
            "namespace": self.namespace,
            "labels": LABELS if labels is None else labels,
            "ownerReferences": list(owners),
        }
        await self.cluster.client.create(resource, {"metadata": metadata})

    async def has(self, resource: Resource, name: str) -> bool:
        """Whether it is there."""
        return bool(await self.cluster.has(resource, self.namespace, name))

    async def goes(self, resource: Resource, name: str) -> None:
        """Wait until it is gone."""

        async def is_gone() -> bool:
            return not await self.has(resource, name)

        await self.until(is_gone, f"{resource.kind} {name} to be gone")

    async def marker_goes(self) -> None:
        """Wait for a pass that has seen everything that was put before: it removes what is put now."""
        await self.put(SECRETS, "shop-marker", await self.owner())
        await self.goes(SECRETS, "shop-marker")
        await self.until(self.operator.idle, "the operator to be idle")


async def test_what_is_ours_and_not_planned_goes_once_the_pods_run(cluster: Any, namespace: str, until: Any) -> None:
    """And not before: pods of an older template may still mount it."""
    async with cluster.operator() as operator:
        shop = Shop(cluster, namespace, until, operator)
        await shop.create()
        for resource in (SECRETS, CONFIG_MAPS):
            await shop.put(resource, "shop-of-old", await shop.owner())

        def is_seen() -> bool:
            caches = (operator.manager._secrets, operator.manager._config_maps)
            return all((namespace, "shop-of-old") in cache.store for cache in caches)

        await until(is_seen, "the operator to see them")
        await until(operator.idle, "the operator to be idle")
        assert await shop.has(SECRETS, "shop-of-old")
        assert await shop.has(CONFIG_MAPS, "shop-of-old")
        await shop.roll_out()
        await shop.goes(SECRETS, "shop-of-old")
        await shop.goes(CONFIG_MAPS, "shop-of-old")
        await until(operator.idle, "the operator to be idle")
        deletions = [write for write in operator.transport.writes if write.startswith("DELETE")]
        assert sorted(deletions) == [
            f"DELETE /api/v1/namespaces/{namespace}/configmaps/shop-of-old",
            f"DELETE /api/v1/namespaces/{namespace}/secrets/shop-of-old",
        ]


async def test_what_was_left_while_the_operator_was_down_goes(cluster: Any, namespace: str, until: Any) -> None:
    """It is found by the first list."""
    async with cluster.operator() as operator:
        shop = Shop(cluster, namespace, until, operator)
        await shop.create()
        await shop.roll_out()
    await shop.put(SECRETS, "shop-of-old", await shop.owner())
    async with cluster.operator():
        await shop.goes(SECRETS, "shop-of-old")


async def test_what_is_somebody_elses_stays(cluster: Any, namespace: str, until: Any) -> None:
    """Without an owner, with one that does not control, of another tenant, or without our labels."""
    async with cluster.operator() as operator:
        shop = Shop(cluster, namespace, until, operator)
        await shop.create()
        await shop.roll_out()
        await cluster.create_tenant(namespace, "other")
        await until(lambda: cluster.reported(namespace, "other"), "the other tenant")
        own = await shop.owner()
        await shop.put(SECRETS, "shop-without-owner")
        await shop.put(CONFIG_MAPS, "shop-without-owner")
        await shop.put(SECRETS, "shop-not-controlled", {**own, "controller": False})
        await shop.put(SECRETS, "shop-of-another", await shop.owner("other"))
        await shop.put(SECRETS, "shop-without-labels", own, labels={})
        await shop.marker_goes()
        for name in ("shop-without-owner", "shop-not-controlled", "shop-of-another", "shop-without-labels"):
            assert await shop.has(SECRETS, name)
        assert await shop.has(CONFIG_MAPS, "shop-without-owner")


async def test_what_the_pods_mount_stays(cluster: Any, namespace: str, until: Any) -> None:
    """Another field manager adds a volume to our Deployment: it is theirs, and its Secret is needed while it is."""
    async with cluster.operator() as operator:
        shop = Shop(cluster, namespace, until, operator)
        await shop.create()
        await shop.roll_out()
        volumes = [{"name": "theirs", "secret": {"secretName": "shop-mounted", "optional": True}}]
        metadata = {"name": "shop", "namespace": namespace}
        template = {"spec": {"template": {"spec": {"volumes": volumes}}}}
        await cluster.client.apply(DEPLOYMENTS, {"metadata": metadata, **template}, field_manager="somebody")
        await shop.put(SECRETS, "shop-mounted", await shop.owner())
        live = await cluster.client.get(DEPLOYMENTS, "shop", namespace)
        status = {**live["status"], "observedGeneration": live["metadata"]["generation"]}
        await cluster.client.merge_patch(DEPLOYMENTS, "shop", {"status": status}, namespace, subresource="status")
        await shop.marker_goes()
        assert await shop.has(SECRETS, "shop-mounted")
        live = await cluster.client.get(DEPLOYMENTS, "shop", namespace)
        assert "theirs" in [volume["name"] for volume in live["spec"]["template"]["spec"]["volumes"]]
        await cluster.client.apply(DEPLOYMENTS, {"metadata": metadata}, field_manager="somebody")
        live = await cluster.client.get(DEPLOYMENTS, "shop", namespace)
        status = {**live["status"], "observedGeneration": live["metadata"]["generation"]}
        await cluster.client.merge_patch(DEPLOYMENTS, "shop", {"status": status}, namespace, subresource="status")
        await shop.goes(SECRETS, "shop-mounted")
