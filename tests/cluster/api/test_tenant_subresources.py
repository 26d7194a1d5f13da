"""Status and scale of a TenantControlPlane, and what `kubectl get` shows, in a real kube-apiserver."""

import json
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from kamaji_core.api.conditions import MESSAGE_LIMIT, Condition, TenantCondition, TenantReason, set_condition
from kamaji_core.api.model import manifest
from kamaji_core.api.tenant_control_plane import TenantControlPlane, TenantControlPlaneStatus
from kamaji_core.kube import InvalidError, KubeClient
from kamaji_core.tenancy import TENANT_CONTROL_PLANES
from kamaji_core.testing import ApiServer, write_key_pair

pytestmark = pytest.mark.real

NAMESPACE = "default"
NAME = "subresources"
NOW = "2026-05-01T12:00:00Z"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


def secret(name: str) -> dict[str, str]:
    """A reference in a status."""
    return {"secretName": name, "lastUpdate": NOW, "checksum": "d41d8cd98f00b204e9800998ecf8427e"}


def conditions() -> tuple[Condition, ...]:
    """Every condition that a tenant has, with the longest message that there can be."""
    told: tuple[Condition, ...] = ()
    for kind in TenantCondition:
        told = set_condition(
            told,
            type=kind,
            status="False",
            reason=TenantReason.DATA_STORE_REFUSED,
            message="ä" * (MESSAGE_LIMIT + 1),
            observed_generation=1,
            now=datetime.now(UTC),
        )
    return told


STATUS: dict[str, Any] = {
    "observedGeneration": 1,
    "controlPlaneEndpoint": "10.0.0.7:6443",
    "conditions": [manifest(condition) for condition in conditions()],
    "storage": {
        "driver": "etcd",
        "dataStoreName": "silver",
        "config": {"secretName": "config", "checksum": "c"},
        "setup": {"schema": "s", "user": "u", "lastUpdate": NOW, "checksum": "c"},
        "certificate": secret("certificate"),
    },
    "certificates": {
        name: secret(name)
        for name in ("ca", "apiServer", "apiServerKubeletClient", "frontProxyCA", "frontProxyClient", "sa")
    },
    "kubeconfig": {name: secret(name) for name in ("admin", "controllerManager", "scheduler")},
    "kubeadmconfig": {"configmapName": "kubeadmconfig", "lastUpdate": NOW, "checksum": "c"},
    "kubernetesResources": {
        "version": {"version": "v1.37.1", "status": "Ready"},
        "deployment": {
            "availableReplicas": 2,
            "collisionCount": 0,
            "conditions": [
                {
                    "type": "Available",
                    "status": "True",
                    "lastUpdateTime": NOW,
                    "lastTransitionTime": NOW,
                    "reason": "MinimumReplicasAvailable",
                    "message": "Deployment has minimum availability.",
                }
            ],
            "observedGeneration": 1,
            "readyReplicas": 2,
            "replicas": 3,
            "terminatingReplicas": 0,
            "unavailableReplicas": 1,
            "updatedReplicas": 2,
            "selector": f"kamaji.clastix.io/name={NAME}",
            "name": NAME,
            "namespace": NAMESPACE,
            "lastUpdate": NOW,
        },
        "service": {
            "loadBalancer": {
                "ingress": [{"ip": "192.0.2.1", "ipMode": "VIP", "ports": [{"port": 6443, "protocol": "TCP"}]}]
            },
            "name": NAME,
            "namespace": NAMESPACE,
            "port": 6443,
        },
    },
}
"""Every field of the status that we write."""


@pytest.fixture
async def stored(client: KubeClient) -> AsyncIterator[KubeClient]:
    """A client of an API server that holds a tenant called `NAME`."""
    spec = {
        "controlPlane": {"service": {"serviceType": "ClusterIP"}},
        "kubernetes": {"version": "v1.37.1", "kubelet": {}},
    }
    metadata = {"name": NAME, "namespace": NAMESPACE}
    await client.create(TENANT_CONTROL_PLANES, {"metadata": metadata, "spec": spec})
    yield client
    await client.delete(TENANT_CONTROL_PLANES, NAME, NAMESPACE)


async def write_status(client: KubeClient, status: dict[str, Any]) -> dict[str, Any]:
    """Merge into the tenant's status."""
    return await client.merge_patch(TENANT_CONTROL_PLANES, NAME, {"status": status}, NAMESPACE, subresource="status")


async def test_the_whole_status_is_stored_and_read_back(stored: KubeClient) -> None:
    """No field is pruned, none is filled in and none is lost in reading: an equal status is not written twice."""
    written = await write_status(stored, STATUS)
    assert written["status"] == STATUS
    assert written["metadata"]["generation"] == 1
    assert manifest(msgspec.convert(written, TenantControlPlane).status) == STATUS


async def test_writing_the_same_status_again_changes_nothing(stored: KubeClient) -> None:
    """What was read can be written as it is; the API server sees no difference."""
    before = await write_status(stored, STATUS)
    status = msgspec.convert(before["status"], TenantControlPlaneStatus)
    after = await write_status(stored, manifest(status))
    assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]


async def test_the_first_status_starts_as_provisioning(stored: KubeClient) -> None:
    """As with Kamaji, a status that tells of the version at all tells a state."""
    written = await write_status(stored, {"kubernetesResources": {"version": {}}})
    assert written["status"]["kubernetesResources"]["version"] == {"status": "Provisioning"}


@pytest.mark.parametrize(
    ("status", "field"),
    [
        ({"kubernetesResources": {"version": {"status": "Fine"}}}, "status.kubernetesResources.version.status"),
        ({"kubernetesResources": {"deployment": {"replicas": 1}}}, "status.kubernetesResources.deployment.selector"),
        ({"kubernetesResources": {"service": {"name": "a", "namespace": "b"}}}, "resources.service.port"),
        ({"conditions": [{"type": "Ready", "status": "True"}]}, "status.conditions[0].reason"),
        ({"conditions": [STATUS["conditions"][0]] * 2}, "Duplicate value"),
    ],
)
async def test_a_status_that_readers_cannot_trust_is_refused(
    stored: KubeClient, status: dict[str, Any], field: str
) -> None:
    """Enumerations, required fields and unique types hold in the status too."""
    with pytest.raises(InvalidError) as refusal:
        await write_status(stored, status)
    assert field.lower() in refusal.value.message.lower()


async def test_a_user_cannot_write_the_status_with_the_rest(stored: KubeClient) -> None:
    """A write outside of the subresource leaves the status alone."""
    changed = await stored.merge_patch(
        TENANT_CONTROL_PLANES, NAME, {"status": {"controlPlaneEndpoint": "192.0.2.66:6443"}}, NAMESPACE
    )
    assert "status" not in changed


async def test_scale_reads_and_writes_replicas(stored: KubeClient) -> None:
    """`kubectl scale tcp` works, also before there is a status and for a tenant that never named a number."""
    path = TENANT_CONTROL_PLANES.path(NAMESPACE, NAME, "scale")
    first = json.loads(await stored.raw(path))
    assert (first["spec"], first["status"]) == ({"replicas": 2}, {"replicas": 0})
    await write_status(stored, STATUS)
    seen = json.loads(await stored.raw(path))
    assert seen["status"] == {"replicas": 3, "selector": f"kamaji.clastix.io/name={NAME}"}
    await stored.merge_patch(TENANT_CONTROL_PLANES, NAME, {"spec": {"replicas": 0}}, NAMESPACE, subresource="scale")
    tenant = await stored.get(TENANT_CONTROL_PLANES, NAME, NAMESPACE, type=TenantControlPlane)
    assert tenant.spec.control_plane.deployment.replicas == 0


async def test_kubectl_get_shows_kamajis_columns(stored: KubeClient, definitions: ApiServer, tmp_path: Path) -> None:
    """The columns are filled from the specification and the status."""
    await write_status(stored, STATUS)
    files = write_key_pair(
        tmp_path, "admin", definitions.issue_client("admin", "system:masters"), ca=definitions.ca.certificate
    )
    context = ssl.create_default_context(cafile=str(files.ca))
    context.load_cert_chain(files.certificate, files.key)
    url = f"{definitions.url}{TENANT_CONTROL_PLANES.path(NAMESPACE, NAME)}"
    limit = aiohttp.ClientTimeout(total=10)
    async with (
        aiohttp.ClientSession(timeout=limit) as session,
        session.get(url, ssl=context, headers={"Accept": TABLE}) as answer,
    ):
        table = await answer.json()
    shown = dict(zip([column["name"] for column in table["columnDefinitions"]], table["rows"][0]["cells"], strict=True))
    assert shown.pop("Age")
    assert shown == {
        "Name": NAME,
        "Version": "v1.37.1",
        "Installed Version": "v1.37.1",
        "Status": "Ready",
        "Control-Plane endpoint": "10.0.0.7:6443",
        "Kubeconfig": "admin",
        "Datastore": "silver",
    }
