"""A store whose authority or login changes: each tenant is rolled once at most, and as few at a time as may start."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from kamaji_core.kube import DEPLOYMENTS, SECRETS
from kamaji_core.pki import CertificateRequest, Usage, issue_ca, issue_certificate, read_certificate
from kamaji_core.render.secret import encoded
from kamaji_core.tenancy import DATA_STORES, TENANT_CONTROL_PLANES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = [pytest.mark.real, pytest.mark.usefixtures("controller_manager")]
NAMES = ("one", "two", "three")
DAY = timedelta(days=1)


class Fleet:
    """Three tenants on a store whose Secret is the test's own."""

    def __init__(self, cluster: Any, namespace: str, until: Any) -> None:
        self.cluster = cluster
        self.namespace = namespace
        self.until = until

    async def change(self, **data: bytes) -> None:
        """Change keys of the store's Secret."""
        named = {name.replace("_", "."): content for name, content in data.items()}
        await self.cluster.client.merge_patch(SECRETS, "changing", {"data": encoded(named)}, "stores")

    async def generations(self) -> dict[str, int]:
        """How often each tenant's Deployment was written."""
        found = [await self.cluster.client.get(DEPLOYMENTS, name, self.namespace) for name in NAMES]
        return {one["metadata"]["name"]: one["metadata"]["generation"] for one in found}

    async def roll_out(self, name: str) -> None:
        """Play the Deployment controller: the pods of its present template are ready."""
        found = await self.cluster.client.get(DEPLOYMENTS, name, self.namespace)
        counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), 1)
        status = {"status": {"observedGeneration": found["metadata"]["generation"], **counts}}
        await self.cluster.client.merge_patch(DEPLOYMENTS, name, status, self.namespace, subresource="status")

    async def authorities(self) -> set[bytes]:
        """What the tenants' API servers would trust."""
        found = [
            await self.cluster.client.get(SECRETS, f"{name}-datastore-certificate", self.namespace) for name in NAMES
        ]
        return {one["data"]["ca.crt"].encode() for one in found}


@pytest.fixture
async def fleet(cluster: Any, namespace: str, until: Any) -> AsyncIterator[Fleet]:
    """They are Ready, and no operator runs."""
    store, fleet = cluster.store, Fleet(cluster, namespace, until)
    data = {"ca.crt": store.ca.certificate, "ca.key": store.ca.key}
    data |= {"tls.crt": store.root.certificate, "tls.key": store.root.key}
    secret = {"metadata": {"name": "changing", "namespace": "stores"}, "data": encoded(data)}
    await cluster.client.apply(SECRETS, secret, field_manager="test")

    def reference(key: str) -> dict[str, Any]:
        return {"secretReference": {"namespace": "stores", "name": "changing", "keyPath": key}}

    spec = (await cluster.client.get(DATA_STORES, "default"))["spec"]
    spec["tlsConfig"] = {
        "certificateAuthority": {"certificate": reference("ca.crt"), "privateKey": reference("ca.key")},
        "clientCertificate": {"certificate": reference("tls.crt"), "privateKey": reference("tls.key")},
    }
    await cluster.client.apply(DATA_STORES, {"metadata": {"name": "changing"}, "spec": spec}, field_manager="test")
    async with cluster.operator():
        for name in NAMES:
            await cluster.create_tenant(namespace, name, dataStore="changing")
        for name in NAMES:
            await cluster.play_node(namespace, name)
        for name in NAMES:
            await until(lambda name=name: cluster.ready(namespace, name), f"{name} to be Ready")
    yield fleet
    async with cluster.operator():
        for name in NAMES:
            await cluster.client.delete(TENANT_CONTROL_PLANES, name, namespace)
        await cluster.client.delete(DATA_STORES, "changing")

        async def is_gone() -> bool:
            return not await cluster.has(DATA_STORES, None, "changing")

        await until(is_gone, "the store to be gone")


@pytest.mark.usefixtures("alone")
async def test_another_authority_rolls_each_tenant_once_and_one_at_a_time(
    fleet: Fleet, cluster: Any, namespace: str, until: Any
) -> None:
    """The next one's pods change when the present one's are ready; the credentials of all are new before."""
    before = await fleet.generations()
    other = issue_ca(common_name="the next authority", now=datetime.now(UTC), lifetime=DAY)
    async with cluster.operator(boot_width=1) as operator:
        await until(operator.idle, "the operator to be idle")
        old = await fleet.authorities()
        # Both are trusted for a while, as when an authority is replaced without an interruption.
        await fleet.change(ca_crt=cluster.store.ca.certificate + other.certificate)

        async def all_have_it() -> bool:
            present = await fleet.authorities()
            return len(present) == 1 and present != old

        await until(all_have_it, "the credentials of all")
        rolled: list[str] = []
        while len(rolled) < len(NAMES):

            async def next_one(already: tuple[str, ...] = tuple(rolled)) -> bool:
                present = await fleet.generations()
                return len([name for name in NAMES if present[name] != before[name]]) == len(already) + 1

            await until(next_one, "the next one's pods to change")
            await until(operator.idle, "the operator to be idle")
            present = await fleet.generations()
            (one,) = [name for name in NAMES if present[name] != before[name] and name not in rolled]
            await fleet.roll_out(one)
            rolled.append(one)
        await until(operator.idle, "the operator to be idle")
    assert await fleet.generations() == {name: generation + 1 for name, generation in before.items()}


async def test_another_login_of_the_operators_rolls_nobody(
    fleet: Fleet, cluster: Any, namespace: str, until: Any
) -> None:
    """It is used at once, the tenants' credentials stay, and their pods with them."""
    before, old = await fleet.generations(), await fleet.authorities()
    request = CertificateRequest(
        common_name=read_certificate(cluster.store.root.certificate).common_name, usages=frozenset({Usage.CLIENT})
    )
    pair = issue_certificate(request, ca=cluster.store.ca, now=datetime.now(UTC), lifetime=DAY)
    async with cluster.operator() as operator:
        await until(operator.idle, "the operator to be idle")
        digest = operator.manager._stores.get("changing").view.content_digest
        await fleet.change(tls_crt=pair.certificate, tls_key=pair.key)

        def is_used() -> bool:
            state = operator.manager._stores.get("changing")
            return bool(state and state.ready and state.view and state.view.content_digest != digest)

        await until(is_used, "the new login")
        await until(operator.idle, "the operator to be idle")
    assert await fleet.generations() == before
    assert await fleet.authorities() == old
