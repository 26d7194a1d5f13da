"""What cannot be carried out is told in one sentence, in the condition and in an Event, and nothing is made in vain."""

from __future__ import annotations

from typing import Any

import pytest

from kamaji_core.kube import CONFIG_MAPS, DEPLOYMENTS, SECRETS, SERVICES, InvalidError
from kamaji_core.tenancy import DATA_STORES, TENANT_CONTROL_PLANES

pytestmark = pytest.mark.real
AVAILABLE, STORE = "ControlPlaneAvailable", "DataStoreReady"


async def told(cluster: Any, namespace: str, until: Any, kind: str, reason: str) -> str:
    """Wait for the condition's reason and give its sentence."""

    async def is_told() -> bool:
        return bool((await cluster.condition(namespace, "shop", kind)).get("reason") == reason)

    await until(is_told, f"{kind} to tell {reason}")
    return str((await cluster.condition(namespace, "shop", kind))["message"])


async def warnings(cluster: Any, namespace: str) -> list[tuple[str, str]]:
    """Reasons and sentences of the tenant's Warnings."""
    events = await cluster.events(TENANT_CONTROL_PLANES, namespace, "shop")
    return [(event["reason"], event["message"]) for event in events if event["type"] == "Warning"]


NEVER = [
    ({"dataStore": "absent"}, STORE, "DataStoreMissing", ["'absent' does not exist", "create it or correct"]),
    ({"dataStore": ""}, STORE, "DataStoreMissing", ["spec.dataStore names no DataStore"]),
    (
        {"kubernetes": {"version": "v1.20.0", "kubelet": {}}},
        AVAILABLE,
        "SpecificationInvalid",
        ["spec.kubernetes.version", "v1.20.0 is not supported", "v1.30 to v1.37"],
    ),
    (
        {"kubernetes": {"version": "v1.99.0", "kubelet": {}}},
        AVAILABLE,
        "SpecificationInvalid",
        ["v1.99.0 is not supported", "v1.30 to v1.37"],
    ),
    (
        {"networkProfile": {"serviceCidrs": ["10.96.0.0/16"], "dnsServiceIPs": ["10.1.0.10"]}},
        AVAILABLE,
        "SpecificationInvalid",
        ["spec.networkProfile.dnsServiceIPs", "10.1.0.10 lies in none of the Service networks"],
    ),
]


@pytest.mark.parametrize(
    ("spec", "kind", "reason", "words"), NEVER, ids=["no-store", "no-name", "too-old", "too-new", "dns-elsewhere"]
)
async def test_nothing_is_made_for_what_can_never_run(
    cluster: Any, namespace: str, until: Any, spec: dict[str, Any], kind: str, reason: str, words: list[str]
) -> None:
    """Not even a finalizer; the sentence names the field and the remedy, and stands in exactly one Event."""
    async with cluster.operator() as operator:
        await cluster.create_tenant(namespace, "shop", **spec)
        sentence = await told(cluster, namespace, until, kind, reason)
        await until(operator.idle, "the operator to be idle")
    assert [word for word in words if word not in sentence] == []
    assert await warnings(cluster, namespace) == [(reason, sentence)]
    tenant = await cluster.tenant(namespace, "shop")
    assert "finalizers" not in tenant["metadata"]
    for resource in (SECRETS, SERVICES, CONFIG_MAPS, DEPLOYMENTS):
        listing = await cluster.client.list(resource, namespace)
        names = [cluster.decode(item)["metadata"]["name"] for item in listing.items]
        assert [name for name in names if name.startswith("shop")] == []
    assert (await cluster.condition(namespace, "shop", "Ready"))["status"] == "False"


async def test_what_is_corrected_goes_on(cluster: Any, namespace: str, until: Any) -> None:
    """By itself, as if it had been right from the beginning."""
    async with cluster.operator():
        await cluster.create_tenant(namespace, "shop", kubernetes={"version": "v1.20.0", "kubelet": {}})
        await told(cluster, namespace, until, AVAILABLE, "SpecificationInvalid")
        patch = {"spec": {"kubernetes": {"version": "v1.37.1"}}}
        await cluster.client.merge_patch(TENANT_CONTROL_PLANES, "shop", patch, namespace)
        await cluster.play_node(namespace, "shop")
        await until(lambda: cluster.ready(namespace, "shop"), "the tenant to be Ready")


async def running(cluster: Any, namespace: str, until: Any, version: str, store: str = "default") -> dict[str, Any]:
    """A tenant that is Ready at a version, as its Deployment."""
    await cluster.create_tenant(namespace, "shop", kubernetes={"version": version, "kubelet": {}}, dataStore=store)
    await cluster.play_node(namespace, "shop")
    await until(lambda: cluster.ready(namespace, "shop"), "the tenant to be Ready")
    return dict(await cluster.client.get(DEPLOYMENTS, "shop", namespace))


HELD = [
    ("v1.36.2", "v1.36.1", ["v1.36.1 is older than v1.36.2, which runs", "set v1.36.2"]),
    ("v1.36.2", "v1.35.9", ["a control plane cannot go back"]),
    ("v1.35.1", "v1.37.1", ["v1.37.1 leaves out a minor version after v1.35.1", "go to v1.36 first"]),
    ("v1.37.1", "v1.38.0", ["v1.38.0 is not supported", "v1.30 to v1.37"]),
]


@pytest.mark.parametrize(("runs", "wanted", "words"), HELD, ids=["older-patch", "older-minor", "skipped", "too-new"])
async def test_a_version_that_cannot_be_reached_leaves_what_runs(
    cluster: Any, namespace: str, until: Any, runs: str, wanted: str, words: list[str]
) -> None:
    """The pods stay as they are and serve; one Warning says why, in the words of the condition."""
    async with cluster.operator() as operator:
        before = await running(cluster, namespace, until, runs)
        patch = {"spec": {"kubernetes": {"version": wanted}}}
        await cluster.client.merge_patch(TENANT_CONTROL_PLANES, "shop", patch, namespace)
        sentence = await told(cluster, namespace, until, AVAILABLE, "SpecificationInvalid")
        await until(operator.idle, "the operator to be idle")
        after = await cluster.client.get(DEPLOYMENTS, "shop", namespace)
    assert [word for word in words if word not in sentence] == []
    assert ("SpecificationInvalid", sentence) in await warnings(cluster, namespace)
    assert (after["metadata"]["generation"], after["spec"]) == (before["metadata"]["generation"], before["spec"])
    assert (await cluster.condition(namespace, "shop", AVAILABLE))["status"] == "True"
    status = (await cluster.tenant(namespace, "shop"))["status"]
    assert status["kubernetesResources"]["version"]["version"] == runs


async def test_moving_to_another_store_is_refused(cluster: Any, namespace: str, until: Any) -> None:
    """A tenant on the operator's default store names another one: its data stays where it is, and its pods go on."""
    spec = (await cluster.client.get(DATA_STORES, "default"))["spec"]
    await cluster.client.create(DATA_STORES, {"metadata": {"name": "second"}, "spec": spec})
    async with cluster.operator(default_store="default") as operator:
        before = await running(cluster, namespace, until, "v1.37.1", store="")
        patch = {"spec": {"dataStore": "second"}}
        await cluster.client.merge_patch(TENANT_CONTROL_PLANES, "shop", patch, namespace)
        sentence = await told(cluster, namespace, until, STORE, "DataStoreChanged")
        await until(operator.idle, "the operator to be idle")
        after = await cluster.client.get(DEPLOYMENTS, "shop", namespace)
    assert "The data is in the DataStore 'default'; moving it to 'second' is not supported" in sentence
    assert await warnings(cluster, namespace) == [("DataStoreChanged", sentence)]
    assert (after["metadata"]["generation"], after["spec"]) == (before["metadata"]["generation"], before["spec"])
    status = (await cluster.tenant(namespace, "shop"))["status"]
    assert status["storage"]["dataStoreName"] == "default"


async def test_the_api_server_refuses_a_move(cluster: Any, namespace: str) -> None:
    """Once a store is named, in a sentence that says what would be lost."""
    await cluster.create_tenant(namespace, "shop")
    patch = {"spec": {"dataStore": "second"}}
    with pytest.raises(InvalidError, match="the tenant would start empty on another store; set it back"):
        await cluster.client.merge_patch(TENANT_CONTROL_PLANES, "shop", patch, namespace)
    await cluster.client.delete(TENANT_CONTROL_PLANES, "shop", namespace)  # or the next operator would make it
