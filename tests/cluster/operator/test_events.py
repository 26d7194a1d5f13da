"""What happens to a tenant or a store is told in Events that kubectl finds, once, and in the words of the condition."""

from __future__ import annotations

from typing import Any

import pytest
from structlog.testing import capture_logs

from kamaji_core.kube import NAMESPACES, SECRETS
from kamaji_core.tenancy import DATA_STORES, TENANT_CONTROL_PLANES
from kamaji_core.testing import free_port

pytestmark = pytest.mark.real
VALIDATION = "kamaji.clastix.io/DataStoreValidation"


def said(events: list[dict[str, Any]]) -> list[tuple[str, str, str, int]]:
    """Type, reason, message and count of each Event."""
    return sorted((event["type"], event["reason"], event["message"], event["count"]) for event in events)


async def ready_tenant(cluster: Any, namespace: str, until: Any) -> dict[str, Any]:
    """Create a tenant that is Ready."""
    await cluster.create_tenant(namespace, "shop")
    await cluster.play_node(namespace, "shop")
    await until(lambda: cluster.ready(namespace, "shop"), "the tenant to be Ready")
    return dict(await cluster.tenant(namespace, "shop"))


async def test_a_ready_tenant_has_one_event(cluster: Any, namespace: str, until: Any) -> None:
    """Normal, named as kubectl looks for it, and from Kamaji."""
    async with cluster.operator() as operator:
        tenant = await ready_tenant(cluster, namespace, until)
        await until(operator.idle, "the operator to be idle")
    (event,) = await cluster.events(TENANT_CONTROL_PLANES, namespace, "shop")
    assert said([event]) == [("Normal", "Ready", "The control plane serves.", 1)]
    assert event["involvedObject"] == {
        "apiVersion": "kamaji.clastix.io/v1alpha1",
        "kind": "TenantControlPlane",
        "namespace": namespace,
        "name": "shop",
        "uid": tenant["metadata"]["uid"],
    }
    assert event["source"]["component"] == "kamaji"


async def test_a_restart_tells_nothing_again(cluster: Any, namespace: str, until: Any) -> None:
    """Neither of a tenant that is Ready nor of one that is not."""
    async with cluster.operator() as operator:
        await ready_tenant(cluster, namespace, until)
        await cluster.create_tenant(namespace, "lost", dataStore="absent")

        async def is_told() -> bool:
            return bool(await cluster.condition(namespace, "lost", "DataStoreReady"))

        await until(is_told, "the condition")
        await until(operator.idle, "the operator to be idle")
    async with cluster.operator() as operator:
        await until(operator.idle, "the operator to be idle after the restart")
    assert [write for write in operator.transport.writes if f"/{namespace}/" in write] == []
    for name in ("shop", "lost"):
        (event,) = await cluster.events(TENANT_CONTROL_PLANES, namespace, name)
        assert event["count"] == 1


async def test_an_unknown_store_warns_in_the_words_of_the_condition(cluster: Any, namespace: str, until: Any) -> None:
    """One Event, although two conditions say it."""
    async with cluster.operator() as operator:
        await cluster.create_tenant(namespace, "shop", dataStore="absent")

        async def is_told() -> bool:
            return bool(await cluster.condition(namespace, "shop", "DataStoreReady"))

        await until(is_told, "the condition")
        await until(operator.idle, "the operator to be idle")
    condition = await cluster.condition(namespace, "shop", "DataStoreReady")
    assert "'absent' does not exist" in condition["message"]
    events = await cluster.events(TENANT_CONTROL_PLANES, namespace, "shop")
    assert said(events) == [("Warning", "DataStoreMissing", condition["message"], 1)]


async def test_a_store_without_its_driver_warns_in_namespace_default(cluster: Any, until: Any) -> None:
    """Where Events of what has no namespace belong; again in the words of the condition."""
    spec = {**(await cluster.client.get(DATA_STORES, "default"))["spec"], "driver": "parchment"}
    await cluster.client.create(DATA_STORES, {"metadata": {"name": "parchment"}, "spec": spec})

    async def validation() -> dict[str, Any]:
        store = await cluster.client.get(DATA_STORES, "parchment")
        conditions = store.get("status", {}).get("conditions", [])
        return next((item for item in conditions if item["type"] == VALIDATION), {})

    async with cluster.operator() as operator:
        await until(validation, "the condition")
        await until(operator.idle, "the operator to be idle")
    async with cluster.operator() as operator:
        await until(operator.idle, "the operator to be idle after the restart")
    (event,) = await cluster.events(DATA_STORES, None, "parchment")
    assert said([event]) == [("Warning", "DriverNotFound", (await validation())["message"], 1)]
    assert event["metadata"]["namespace"] == "default"
    assert "namespace" not in event["involvedObject"]


async def test_a_store_that_is_well_again_says_so(cluster: Any, until: Any) -> None:
    """One Warning when it fails, one Normal Event when it recovers, none when it was well from the beginning."""
    spec = (await cluster.client.get(DATA_STORES, "default"))["spec"]
    await cluster.client.create(DATA_STORES, {"metadata": {"name": "turning"}, "spec": spec})

    async def is_ready(value: bool) -> bool:  # noqa: FBT001 - read aloud at the call
        return (await cluster.client.get(DATA_STORES, "turning")).get("status", {}).get("ready") is value

    async with cluster.operator():
        await until(lambda: is_ready(True), "the store to be ready")
        nobody = {"spec": {"endpoints": [f"127.0.0.1:{free_port()}"]}}
        await cluster.client.merge_patch(DATA_STORES, "turning", nobody)
        await until(lambda: is_ready(False), "the store to fail")
        await cluster.client.merge_patch(DATA_STORES, "turning", {"spec": {"endpoints": spec["endpoints"]}})
        await until(lambda: is_ready(True), "the store to be ready again")
    events = await cluster.events(DATA_STORES, None, "turning")
    assert [(kind, reason) for kind, reason, _, _ in said(events)] == [
        ("Normal", "DataStoreIsValid"),
        ("Warning", "LoginFailed"),
    ]


async def test_a_renewal_is_told(cluster: Any, namespace: str, until: Any) -> None:
    """By the Secret's name, when it was asked for and done."""
    async with cluster.operator() as operator:
        await ready_tenant(cluster, namespace, until)
        name = "shop-api-server-certificate"
        patch = {"metadata": {"annotations": {"certs.kamaji.clastix.io/rotate": ""}}}
        await cluster.client.merge_patch(SECRETS, name, patch, namespace)

        async def is_done() -> bool:
            secret = await cluster.client.get(SECRETS, name, namespace)
            return bool(secret["metadata"]["annotations"]["certs.kamaji.clastix.io/rotate"])

        await until(is_done, "the rotation")
        await until(operator.idle, "the operator to be idle")
    assert said(await cluster.events(TENANT_CONTROL_PLANES, namespace, "shop")) == [
        ("Normal", "Ready", "The control plane serves.", 1),
        ("Normal", "Renewed", "Renewed shop-api-server-certificate.", 1),
    ]


async def test_a_rollout_is_told(cluster: Any, namespace: str, until: Any) -> None:
    """With what changes in the pods; then that the tenant is not Ready, and is again."""
    async with cluster.operator() as operator:
        await ready_tenant(cluster, namespace, until)
        patch = {"spec": {"kubernetes": {"version": "v1.37.2"}}}
        await cluster.client.merge_patch(TENANT_CONTROL_PLANES, "shop", patch, namespace)

        async def rolls() -> bool:
            return any(
                event["reason"] == "RollingOut"
                for event in await cluster.events(TENANT_CONTROL_PLANES, namespace, "shop")
            )

        await until(rolls, "the Event")
        await until(operator.idle, "the operator to be idle")
    (message,) = [
        event["message"]
        for event in await cluster.events(TENANT_CONTROL_PLANES, namespace, "shop")
        if event["reason"] == "RollingOut"
    ]
    assert message.startswith("The pods change in spec.template")


async def is_gone(cluster: Any, namespace: str) -> bool:
    """Whether the whole namespace is."""
    return not await cluster.has(NAMESPACES, None, namespace)


@pytest.mark.usefixtures("controller_manager")
async def test_a_namespace_on_its_way_out_is_told_nothing(cluster: Any, namespace: str, until: Any) -> None:
    """Its store is down, which would be told anywhere else: that the Event is refused is no trouble of ours."""
    with capture_logs() as logs:
        async with cluster.operator() as operator:
            uid = (await ready_tenant(cluster, namespace, until))["metadata"]["uid"]
            await until(operator.idle, "the operator to be idle")
            cluster.store.stop()
            try:
                await cluster.client.delete(NAMESPACES, namespace)

                async def waits() -> bool:
                    condition = await cluster.condition(namespace, "shop", "Deleting")
                    return condition.get("reason") == "DataStoreUnreachable"

                await until(waits, "the condition")
                path = f"POST /api/v1/namespaces/{namespace}/events"
                await until(lambda: path in operator.transport.writes, "the Event to be tried")
            finally:
                cluster.store.start()
            await until(lambda: is_gone(cluster, namespace), "the namespace to be gone")
    told = [entry for entry in logs if entry["log_level"] in {"warning", "error"}]
    assert [entry for entry in told if "dropped an event" in entry["event"]] == []
    assert await cluster.events_of(uid, namespace) == []


@pytest.mark.usefixtures("controller_manager")
async def test_the_end_of_a_namespace_is_no_error(cluster: Any, namespace: str, until: Any) -> None:
    """What cannot be made there any more need not be made: nobody has to be called at night."""
    with capture_logs() as logs:
        async with cluster.operator() as operator:
            await ready_tenant(cluster, namespace, until)
            await until(operator.idle, "the operator to be idle")
            await cluster.client.delete(NAMESPACES, namespace)
            await until(lambda: is_gone(cluster, namespace), "the namespace to be gone")
    assert [entry for entry in logs if entry["log_level"] == "error"] == []
