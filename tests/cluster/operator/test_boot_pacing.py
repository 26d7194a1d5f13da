"""Few tenants start at once: the others wait, say so once, and start when their turn comes."""

from __future__ import annotations

from typing import Any

import pytest

from kamaji_core.kube import DEPLOYMENTS
from kamaji_core.tenancy import TENANT_CONTROL_PLANES

pytestmark = pytest.mark.real
NAMES = ("one", "two", "three")


@pytest.mark.usefixtures("alone")
async def test_one_starts_at_a_time(cluster: Any, namespace: str, until: Any) -> None:
    """Each Deployment is written once, at its turn, and a waiting tenant's status is not written as it moves up."""
    async with cluster.operator(boot_width=1) as operator:
        for name in NAMES:
            await cluster.create_tenant(namespace, name)

        async def waiting() -> set[str]:
            conditions = {name: await cluster.condition(namespace, name, "Ready") for name in NAMES}
            return {name for name, condition in conditions.items() if condition.get("reason") == "Queued"}

        async def two_wait() -> bool:
            return len(await waiting()) == 2

        await until(two_wait, "two tenants to wait")
        for left in (2, 1, 0):
            others = [name for name in NAMES if name not in await waiting()]
            (started,) = [name for name in others if not await cluster.ready(namespace, name)]
            await cluster.play_node(namespace, started)
            await until(lambda name=started: cluster.ready(namespace, name), f"{started} to be Ready")

            async def moved_up(left: int = left) -> bool:
                return len(await waiting()) == max(left - 1, 0)

            await until(moved_up, "the next to start")
        await until(operator.idle, "the operator to be idle")
        for name in NAMES:
            deployment = await cluster.client.get(DEPLOYMENTS, name, namespace)
            assert deployment["metadata"]["generation"] == 1
            path = f"/{namespace}/tenantcontrolplanes/{name}/status"
            assert len([write for write in operator.transport.writes if path in write]) <= 5


@pytest.mark.usefixtures("alone", "controller_manager")
async def test_a_tenant_deleted_while_it_waits_goes(cluster: Any, namespace: str, until: Any) -> None:
    """It frees its wish; nothing of it ever started."""
    async with cluster.operator(boot_width=1):
        await cluster.create_tenant(namespace, "first")
        await until(lambda: cluster.has(DEPLOYMENTS, namespace, "first"), "the first to start")
        await cluster.create_tenant(namespace, "second")

        async def waits() -> bool:
            return (await cluster.condition(namespace, "second", "Ready")).get("reason") == "Queued"

        await until(waits, "the second to wait")
        await cluster.client.delete(TENANT_CONTROL_PLANES, "second", namespace)

        async def is_gone() -> bool:
            return not await cluster.has(TENANT_CONTROL_PLANES, namespace, "second")

        await until(is_gone, "the second to be gone")
        await cluster.play_node(namespace, "first")
        await until(lambda: cluster.ready(namespace, "first"), "the first to be Ready")
