"""What a driver wants beside the control plane is accepted by a real API server, kept, and gone with the tenant."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from kamaji_core.api import labels as wire
from kamaji_core.contracts import (
    Capability,
    Container,
    ControlPlaneParts,
    EnvironmentVariable,
    HealthCheck,
    Mount,
    RestartOn,
    Volume,
    VolumeClaim,
)
from kamaji_core.kube import DEPLOYMENTS, PERSISTENT_VOLUME_CLAIMS, SECRETS
from kamaji_core.tenancy import TENANT_CONTROL_PLANES
from kamaji_datastore_etcd.driver import EtcdDriver
from kamaji_datastore_etcd.session import EtcdSession

if TYPE_CHECKING:
    from kamaji_core.contracts import Claim, Credentials, SecretReferences

pytestmark = pytest.mark.real

original_parts = EtcdDriver.parts


def with_a_sidecar(driver: EtcdDriver, store: Any, tenant: Any, claim: Any, *, secrets: SecretReferences) -> Any:
    """The driver's own parts and one of each other kind."""
    parts = original_parts(driver, store, tenant, claim, secrets=secrets)
    return replace(
        parts,
        containers=(
            Container(
                name="clerk",
                image="example.org/clerk:1",
                command=("/bin/clerk",),
                environment=(EnvironmentVariable(name="LOGIN", secret=secrets.config, key="DB_USER"),),
                requests={"cpu": "10m", "memory": "40Mi"},
                health=HealthCheck(path="/healthz", port=8080),
            ),
        ),
        claims=(VolumeClaim(suffix="ledger", size="1Gi"),),
        volumes=(
            *parts.volumes,
            Volume(name="desk", medium="Memory"),
            Volume(name="ledger", claim="ledger"),
            Volume(name="seal", secret=secrets.credentials, mode=0o400),
        ),
        mounts=(
            *parts.mounts,
            Mount(component="clerk", volume="desk", path="/run/desk", read_only=False),
            Mount(component="clerk", volume="ledger", path="/ledger", read_only=False),
            Mount(component="clerk", volume="seal", path="/seal"),
            Mount(component="kube-apiserver", volume="desk", path="/run/desk"),
        ),
        restart_on=(*parts.restart_on, RestartOn(name="login", secret=secrets.config, key="DB_PASSWORD")),
    )


@pytest.fixture
def sidecars(monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver that wants more than flags and files."""
    monkeypatch.setattr(EtcdDriver, "parts", with_a_sidecar)


async def test_it_is_made_and_the_second_pass_writes_nothing(
    cluster: Any, namespace: str, until: Any, sidecars: None
) -> None:
    """The claim before its pods can wait for it, the container as a native sidecar."""
    async with cluster.operator() as operator:
        await cluster.create_tenant(namespace, "shop")
        await cluster.play_node(namespace, "shop")
        await until(lambda: cluster.ready(namespace, "shop"), "the tenant to be Ready")
        claim = await cluster.client.get(PERSISTENT_VOLUME_CLAIMS, "shop-ledger", namespace)
        assert claim["spec"]["resources"]["requests"]["storage"] == "1Gi"
        pod = (await cluster.client.get(DEPLOYMENTS, "shop", namespace))["spec"]["template"]["spec"]
        (sidecar,) = pod["initContainers"]
        assert sidecar["restartPolicy"] == "Always"
        assert sidecar["env"][0]["valueFrom"]["secretKeyRef"]["name"] == "shop-datastore-config"
        await until(operator.idle, "the operator to be idle")
        before = list(operator.transport.writes)
        operator.manager.wake((namespace, "shop"))
        await until(operator.idle, "the operator to be idle")
        assert operator.transport.writes == before


async def test_a_claim_is_no_stray_and_goes_with_its_tenant(
    cluster: Any, namespace: str, until: Any, monkeypatch: pytest.MonkeyPatch, controller_manager: None
) -> None:
    """A driver that wants it no more must not cost anybody data; the tenant's end does."""
    with monkeypatch.context() as patch:
        patch.setattr(EtcdDriver, "parts", with_a_sidecar)
        async with cluster.operator():
            await cluster.create_tenant(namespace, "shop")
            await cluster.play_node(namespace, "shop")
            await until(lambda: cluster.ready(namespace, "shop"), "the tenant to be Ready")
    async with cluster.operator() as operator:
        await until(operator.idle, "the operator to be idle")
        assert await cluster.has(PERSISTENT_VOLUME_CLAIMS, namespace, "shop-ledger")
        await cluster.client.delete(TENANT_CONTROL_PLANES, "shop", namespace)

        # Nothing collects a claim that no volume controller releases: that it is being deleted is what we ask for.
        async def collected() -> bool:
            if not await cluster.has(PERSISTENT_VOLUME_CLAIMS, namespace, "shop-ledger"):
                return True
            claim = await cluster.client.get(PERSISTENT_VOLUME_CLAIMS, "shop-ledger", namespace)
            return "deletionTimestamp" in claim["metadata"]

        await until(collected, "the claim to be collected")


async def test_what_a_pod_cannot_be_made_of_is_told(
    cluster: Any, namespace: str, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plugin is named and what is wrong with its parts; nothing is made."""
    wrong = ControlPlaneParts(mounts=(Mount(component="kube-apiserver", volume="nowhere", path="/x"),))
    monkeypatch.setattr(EtcdDriver, "parts", lambda *_, **__: wrong)

    async def told() -> bool:
        condition = await cluster.condition(namespace, "shop", "ControlPlaneAvailable")
        return "it mounts the volume 'nowhere', which is not there" in condition.get("message", "")

    async with cluster.operator():
        await cluster.create_tenant(namespace, "shop")
        await until(told, "the condition")
        assert not await cluster.has(DEPLOYMENTS, namespace, "shop")


async def test_more_replicas_than_a_store_bears_are_refused(
    cluster: Any, namespace: str, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pods that run are left as they are, and their Deployment replaces them one after the other."""
    monkeypatch.setattr(EtcdDriver, "CAPABILITIES", frozenset({Capability.MANY_TENANTS}))

    async def told() -> bool:
        condition = await cluster.condition(namespace, "shop", "ControlPlaneAvailable")
        return "2 API servers cannot work on one share" in condition.get("message", "")

    async with cluster.operator():
        await cluster.create_tenant(namespace, "shop")
        await cluster.play_node(namespace, "shop")
        await until(lambda: cluster.ready(namespace, "shop"), "the tenant to be Ready")
        patch = {"spec": {"controlPlane": {"deployment": {"replicas": 2}}}}
        await cluster.client.merge_patch(TENANT_CONTROL_PLANES, "shop", patch, namespace)
        await until(told, "the condition")
        live = await cluster.client.get(DEPLOYMENTS, "shop", namespace)
        assert live["spec"]["replicas"] == 1
        assert live["spec"]["strategy"]["type"] == "Recreate"


async def test_an_earlier_login_is_ended_after_the_rollout(
    cluster: Any, namespace: str, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked for by the Secret's annotation: new login, told to the store, one rollout, then the earlier one ends."""
    settled: list[str] = []
    original_issue = EtcdDriver.issue

    def issue(driver: EtcdDriver, store: Any, claim: Claim, *, current: Any, now: Any, renew: bool = False) -> Any:
        issued = original_issue(driver, store, claim, current=current, now=now, renew=renew)
        kept = current.password if current and not renew else ("first" if current is None else "second")
        return replace(issued, password=kept)

    async def settle(_: EtcdSession, claim: Claim, credentials: Credentials) -> None:
        settled.append(str(credentials.password))

    monkeypatch.setattr(EtcdDriver, "issue", issue)
    monkeypatch.setattr(EtcdDriver, "parts", with_a_sidecar)
    monkeypatch.setattr(EtcdSession, "settle", settle)

    async def config() -> dict[str, Any]:
        return dict((await cluster.client.get(SECRETS, "shop-datastore-config", namespace))["metadata"]["annotations"])

    async def rolling() -> bool:
        return bool((await cluster.client.get(DEPLOYMENTS, "shop", namespace))["metadata"]["generation"] == 2)

    async def is_settled() -> bool:
        return bool(settled) and wire.UNSETTLED_ANNOTATION not in await config()

    async with cluster.operator() as operator:
        await cluster.create_tenant(namespace, "shop")
        await cluster.play_node(namespace, "shop")
        await until(lambda: cluster.ready(namespace, "shop"), "the tenant to be Ready")
        asked = {"metadata": {"annotations": {wire.ROTATE_ANNOTATION: ""}}}
        await cluster.client.merge_patch(SECRETS, "shop-datastore-config", asked, namespace)
        await until(rolling, "the rollout")
        await until(operator.idle, "the operator to be idle")
        assert not settled
        assert wire.UNSETTLED_ANNOTATION in await config()
        progress = {
            "type": "Progressing",
            "status": "True",
            "reason": "NewReplicaSetAvailable",
            "lastUpdateTime": "2020-01-01T00:00:00Z",
            "lastTransitionTime": "2020-01-01T00:00:00Z",
        }
        done = {
            "observedGeneration": 2,
            "replicas": 1,
            "updatedReplicas": 1,
            "readyReplicas": 1,
            "availableReplicas": 1,
            "conditions": [progress],
        }
        await cluster.client.merge_patch(DEPLOYMENTS, "shop", {"status": done}, namespace, subresource="status")
        await until(is_settled, "the earlier login to end")
        assert settled == ["second"]
