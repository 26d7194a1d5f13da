"""What a tenant that vanished left at its store is told and counted; one that ended in order leaves nothing to tell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kamaji_core import manager as manager_module
from kamaji_core.api import labels as wire
from kamaji_core.datastore import orphans as orphans_module
from kamaji_core.kube import DEPLOYMENTS
from kamaji_core.tenancy import DATA_STORES, TENANT_CONTROL_PLANES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.real


class Lost:
    """A tenant whose end nobody sees to."""

    def __init__(self, cluster: Any, namespace: str, until: Any) -> None:
        self.cluster = cluster
        self.namespace = namespace
        self.until = until
        self.uid = ""

    @property
    def schema(self) -> str:
        """What its schema, its role and its user are called."""
        return self.uid.replace("-", "")

    async def create(self) -> None:
        """A tenant that is Ready."""
        await self.cluster.create_tenant(self.namespace, "shop")
        self.uid = (await self.cluster.tenant(self.namespace, "shop"))["metadata"]["uid"]
        await self.cluster.play_node(self.namespace, "shop")
        await self.until(lambda: self.cluster.ready(self.namespace, "shop"), "the tenant to be Ready")

    async def delete(self) -> None:
        """Ask for the end."""
        await self.cluster.client.delete(TENANT_CONTROL_PLANES, "shop", self.namespace)

    async def release_by_hand(self) -> None:
        """Remove its finalizers, as impatient administrators do."""
        patch = {"metadata": {"finalizers": None}}
        await self.cluster.client.merge_patch(TENANT_CONTROL_PLANES, "shop", patch, self.namespace)

    async def is_gone(self) -> bool:
        """Whether the object is."""
        return not await self.cluster.has(TENANT_CONTROL_PLANES, self.namespace, "shop")

    async def told(self) -> list[dict[str, Any]]:
        """The Events of its DataStore that name it."""
        events = await self.cluster.events(DATA_STORES, None, "default")
        return [event for event in events if self.uid in event["message"]]

    def has_claim(self) -> bool:
        """Whether the store still has the record of whose it is."""
        return f"kamaji.clastix.io/claims/{self.schema}" in self.cluster.etcdctl(
            "get", "--keys-only", "--prefix", "kamaji.clastix.io/claims/"
        )

    def forget(self) -> None:
        """Take everything of it from the store, as the Event asks an administrator to."""
        if self.schema in self.cluster.etcdctl("user", "list").split():
            self.cluster.etcdctl("user", "delete", self.schema)
        if self.schema in self.cluster.etcdctl("role", "list").split():
            self.cluster.etcdctl("role", "delete", self.schema)
        self.cluster.etcdctl("del", "--prefix", f"/{self.schema}/")
        for kind in ("claims", "users"):
            self.cluster.etcdctl("del", f"kamaji.clastix.io/{kind}/{self.schema}")


@pytest.fixture
async def lost(cluster: Any, namespace: str, until: Any, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Lost]:
    """A tenant to be lost; stores are asked soon, and nothing of it stays at the store after the test."""
    monkeypatch.setattr(manager_module, "FIRST_ORPHANS_SECONDS", 1.0)
    monkeypatch.setattr(manager_module, "VANISHED_DELAY_SECONDS", 0.2)
    monkeypatch.setattr(orphans_module, "RETRY_SECONDS", 1.0)
    lost = Lost(cluster, namespace, until)
    yield lost
    lost.forget()


async def counted(operator: Any) -> float | None:
    """The metric of the default store."""
    lines = (await operator.manager._render_metrics()).decode().splitlines()
    start = 'kamaji_datastore_orphaned_claims{datastore_name="default"} '
    return next((float(line.removeprefix(start)) for line in lines if line.startswith(start)), None)


async def test_one_that_vanished_while_the_operator_was_down(lost: Lost) -> None:
    """Its claim stays; a Warning of the DataStore says all that finds it, and how many there are is measured."""
    async with lost.cluster.operator():
        await lost.create()
    await lost.release_by_hand()
    await lost.delete()
    assert await lost.is_gone()
    async with lost.cluster.operator() as operator:
        await lost.until(lost.told, "the Event")
        assert lost.has_claim()
        before = await counted(operator)
        assert before
        lost.forget()
        await operator.manager._orphans.look("default")
        assert await counted(operator) == before - 1
    (event,) = await lost.told()
    assert (event["type"], event["reason"], event["count"]) == ("Warning", "OrphanedClaim", 1)
    assert event["metadata"]["namespace"] == "default"
    for words in (f"Schema '{lost.schema}'", f"user '{lost.schema}'", f"{lost.namespace}/shop", f"UID {lost.uid}"):
        assert words in event["message"]


async def test_one_that_vanishes_under_the_operators_eyes(lost: Lost) -> None:
    """While it waits for pods that do not end: somebody takes the finalizer away."""
    async with lost.cluster.operator() as operator:
        await lost.create()
        patch = {"metadata": {"finalizers": ["example.org/never-ends"]}}
        await lost.cluster.client.merge_patch(DEPLOYMENTS, "shop", patch, lost.namespace)
        await lost.delete()

        async def waits() -> bool:
            condition = await lost.cluster.condition(lost.namespace, "shop", "Deleting")
            return condition.get("reason") == "WaitingForPods"

        await lost.until(waits, "the deletion to wait")
        assert not await lost.told()
        await lost.release_by_hand()
        await lost.until(lost.is_gone, "the tenant to be gone")
        await lost.until(lost.told, "the Event")
        assert lost.has_claim()
        assert await counted(operator)
    patch = {"metadata": {"finalizers": None}}
    await lost.cluster.client.merge_patch(DEPLOYMENTS, "shop", patch, lost.namespace)
    (event,) = await lost.told()
    assert (event["type"], event["reason"]) == ("Warning", "OrphanedClaim")


@pytest.mark.usefixtures("controller_manager")
async def test_an_ordinary_end_is_not_told(lost: Lost) -> None:
    """Nothing is left, so that nothing is found, however soon the store is asked."""
    async with lost.cluster.operator() as operator:
        await lost.create()
        await operator.manager._orphans.look("default")
        before = await counted(operator)
        await lost.delete()
        await lost.until(lost.is_gone, "the tenant to be gone")
        await operator.manager._orphans.look("default")
        assert not lost.has_claim()
        assert await counted(operator) == before
        assert operator.manager._released == set()
    assert await lost.told() == []


async def test_a_tenant_on_its_way_out_is_no_orphan(lost: Lost) -> None:
    """Its claim is told when its object is gone, and not before: somebody else's finalizer keeps it."""
    async with lost.cluster.operator() as operator:
        await lost.create()
        patch = {"metadata": {"annotations": {wire.PAUSED_ANNOTATION: ""}, "finalizers": ["example.org/stays"]}}
        await lost.cluster.client.merge_patch(TENANT_CONTROL_PLANES, "shop", patch, lost.namespace)
        await lost.delete()
        await lost.until(operator.idle, "the operator to be idle")
        await operator.manager._orphans.look("default")
        assert not await lost.is_gone()
        assert await lost.told() == []
        await lost.release_by_hand()
        await lost.until(lost.told, "the Event")
    assert lost.has_claim()


async def test_a_restart_tells_of_the_same_orphan_again(lost: Lost) -> None:
    """Events live for an hour, and whoever restarts it looks at them; within one run it is told once."""
    async with lost.cluster.operator():
        await lost.create()
    await lost.release_by_hand()
    await lost.delete()
    for events in (1, 2):
        async with lost.cluster.operator() as operator:

            async def are_told(events: int = events) -> bool:
                return len(await lost.told()) == events

            await lost.until(are_told, f"Event {events}")
            await operator.manager._orphans.look("default")
        assert len(await lost.told()) == events
        assert {event["count"] for event in await lost.told()} == {1}
