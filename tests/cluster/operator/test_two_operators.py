"""Of two operators one works; the other takes over within seconds, and neither writes while somebody else may lead."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest

from kamaji_core.kube import LEASES, LeaseSettings
from kamaji_core.tenancy import DATA_STORES, TENANT_CONTROL_PLANES

pytestmark = pytest.mark.real


@pytest.fixture
def lease(namespace: str) -> LeaseSettings:
    """A Lease of the test's own, which is quick to run out."""
    return LeaseSettings(namespace="default", name=namespace, duration=4, give_up=3, retry=0.5)


def outside(writes: list[str]) -> list[str]:
    """Writes but those of the Lease."""
    return [write for write in writes if "/leases" not in write]


async def holder(cluster: Any, lease: LeaseSettings) -> str:
    """Who holds the Lease; empty for nobody."""
    found = await cluster.client.get(LEASES, lease.name, lease.namespace)
    return str(found["spec"].get("holderIdentity") or "")


async def settled_tenant(cluster: Any, namespace: str, until: Any) -> None:
    """A tenant that is Ready, and a store that has told who uses it."""
    await cluster.create_tenant(namespace, "shop")
    await cluster.play_node(namespace, "shop")
    await until(lambda: cluster.ready(namespace, "shop"), "the tenant to be Ready")

    async def is_told() -> bool:
        store = await cluster.client.get(DATA_STORES, "default")
        return f"{namespace}/shop" in store["status"].get("usedBy", ())

    await until(is_told, "the store to tell who uses it")


async def test_a_standby_only_looks(cluster: Any, namespace: str, until: Any, lease: LeaseSettings) -> None:
    """It has every object in its caches and writes nothing, not even the Lease."""
    async with cluster.operator(lease=lease) as first, cluster.operator(standby=True, lease=lease) as second:
        await settled_tenant(cluster, namespace, until)
        await until(lambda: (namespace, "shop") in second.manager._deployments.store, "the standby to see it all")
        await until(first.idle, "the operator to be idle")
        assert (first.manager.working, second.manager.working) == (True, False)
        assert second.manager.ready
        assert second.transport.writes == []
        assert await holder(cluster, lease) == first.manager._identity
    assert await holder(cluster, lease) == ""


async def test_the_next_one_takes_over_within_seconds(
    cluster: Any, namespace: str, until: Any, lease: LeaseSettings
) -> None:
    """The first leaves its Lease; the second finds nothing to do, writes the Lease and tells that it leads."""
    async with contextlib.AsyncExitStack() as stack:
        first = await stack.enter_async_context(cluster.operator(lease=lease))
        async with cluster.operator(standby=True, lease=lease) as second:
            await settled_tenant(cluster, namespace, until)
            await until(first.idle, "the operator to be idle")
            await stack.aclose()
            assert not first.manager.working
            ended = len(first.transport.writes)
            async with asyncio.timeout(3):
                await until(lambda: second.manager.working, "the second to work")
            assert await holder(cluster, lease) == second.manager._identity
            await until(second.idle, "the second to be idle")
            await until(lambda: outside(second.transport.writes), "the Event")
            # What it does now is what the first did.
            patch = {"spec": {"kubernetes": {"version": "v1.37.2"}}}
            assert outside(second.transport.writes) == ["POST /api/v1/namespaces/default/events"]
            await cluster.client.merge_patch(TENANT_CONTROL_PLANES, "shop", patch, namespace)
            await until(lambda: any(f"/{namespace}/deployments/" in one for one in second.transport.writes), "its work")
            assert len(first.transport.writes) == ended


async def test_who_loses_the_lease_writes_nothing_until_it_leads_again(
    cluster: Any, namespace: str, until: Any, lease: LeaseSettings
) -> None:
    """Somebody else's name is written into it; a tenant that is created then waits for a leader."""
    async with cluster.operator(lease=lease) as operator:
        await until(operator.idle, "the operator to be idle")
        taken = {"spec": {"holderIdentity": "somebody-else", "leaseDurationSeconds": 4}}
        await cluster.client.merge_patch(LEASES, lease.name, taken, lease.namespace)
        await until(lambda: not operator.manager.working, "the operator to stop working")
        operator.transport.requests.clear()
        await cluster.create_tenant(namespace, "shop")
        await until(lambda: (namespace, "shop") in operator.manager._tenants.store, "the operator to see the tenant")
        assert operator.manager.ready
        assert operator.transport.writes == []
        assert await holder(cluster, lease) == "somebody-else"
        # That one never renews: after the Lease's duration it is ours again, and only then the tenant is worked on.
        await until(lambda: cluster.reported(namespace, "shop"), "the tenant to be made")
        assert "/leases/" in operator.transport.writes[0]
        assert await holder(cluster, lease) == operator.manager._identity


async def test_nothing_is_forgotten_between_two_terms(
    cluster: Any, namespace: str, until: Any, lease: LeaseSettings
) -> None:
    """What changed while nobody led is found when somebody leads; what did not change is not written."""
    async with cluster.operator(lease=lease) as operator:
        await settled_tenant(cluster, namespace, until)
        await until(operator.idle, "the operator to be idle")
        for round_ in (1, 2):
            taken = {"spec": {"holderIdentity": f"somebody-else-{round_}", "leaseDurationSeconds": 4}}
            await cluster.client.merge_patch(LEASES, lease.name, taken, lease.namespace)
            await until(lambda: not operator.manager.working, "the operator to stop working")
            operator.transport.requests.clear()
            await until(lambda: operator.manager.working, "the operator to lead again")
            await until(operator.idle, "the operator to be idle again")
            assert [one for one in outside(operator.transport.writes) if "/events" not in one] == []
        assert await cluster.ready(namespace, "shop")
