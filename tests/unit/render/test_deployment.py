"""The Deployment is exactly what the golden file shows: any change of it would roll every tenant."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from kamaji_core.api.tenant_control_plane import TenantControlPlane
from kamaji_core.certificates import SecretFacts
from kamaji_core.contracts import ControlPlaneParts, Flag, Mount, RestartOn, Volume
from kamaji_core.render import DeploymentInputs, deployment

GOLDEN = Path(__file__).parent / "golden" / "deployment-1.37.yaml"
MANIFEST: dict[str, Any] = {
    "metadata": {"name": "shop", "namespace": "team-a", "uid": "1-2-3"},
    "spec": {
        "controlPlane": {"deployment": {"replicas": 2}, "service": {"serviceType": "ClusterIP"}},
        "kubernetes": {"version": "v1.37.1", "kubelet": {}},
    },
}
PARTS = ControlPlaneParts(
    flags=(
        Flag(component="kube-apiserver", name="--paper-prefix", value="123"),
        Flag(component="kube-apiserver", name="--bare"),
    ),
    volumes=(Volume(name="paper", secret="shop-datastore-certificate", items={"ca.crt": "ca.crt"}),),
    mounts=(Mount(component="kube-apiserver", volume="paper", path="/paper"),),
    restart_on=(RestartOn(name="paper-ca", secret="shop-datastore-certificate", key="ca.crt"),),
)


def secret(suffix: str, **digests: str) -> SecretFacts:
    """A Secret of which only digests matter."""
    named = {name.replace("_", "."): value for name, value in digests.items()}
    return SecretFacts(namespace="team-a", name=f"shop-{suffix}", digests=named)


@pytest.fixture
def inputs() -> DeploymentInputs:
    """All that the golden file is made from."""
    secrets = {
        "ca": secret("ca", ca_crt="a" * 64),
        "sa-certificate": secret("sa-certificate", sa_key="b" * 64),
        "datastore-certificate": secret("datastore-certificate", ca_crt="c" * 64),
    }
    tenant = msgspec.convert(MANIFEST, TenantControlPlane)
    return DeploymentInputs(tenant=tenant, address="10.0.0.7", secrets=secrets, parts=(PARTS,))


def test_it_equals_the_golden_file(inputs: DeploymentInputs) -> None:
    """Run with UPDATE_GOLDEN=1 to accept a change; it rolls every tenant, so say so in the changelog."""
    rendered = yaml.safe_dump(deployment(inputs), sort_keys=False, width=110)
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text(rendered)
    assert rendered == GOLDEN.read_text()


def containers(inputs: DeploymentInputs) -> dict[str, dict[str, Any]]:
    """Containers by name."""
    return {item["name"]: item for item in deployment(inputs)["spec"]["template"]["spec"]["containers"]}


def test_a_plugins_parts_are_merged_into_the_component_that_they_name(inputs: DeploymentInputs) -> None:
    """Flags stand sorted among the others, a bare one without a value; nobody else gets the mount."""
    found = containers(inputs)
    arguments = found["kube-apiserver"]["args"]
    assert {"--paper-prefix=123", "--bare"} <= set(arguments)
    assert arguments == sorted(arguments)
    holders = [name for name, item in found.items() for mount in item["volumeMounts"] if mount["name"] == "paper"]
    assert holders == ["kube-apiserver"]


def test_every_mount_has_its_volume(inputs: DeploymentInputs) -> None:
    """A pod with a mount of no volume is refused."""
    volumes = {volume["name"] for volume in deployment(inputs)["spec"]["template"]["spec"]["volumes"]}
    mounts = {mount["name"] for item in containers(inputs).values() for mount in item["volumeMounts"]}
    assert mounts == volumes


def test_only_the_controller_manager_sees_the_authoritys_key(inputs: DeploymentInputs) -> None:
    """The API server is what tenants attack; it does not sign certificates."""
    volumes = deployment(inputs)["spec"]["template"]["spec"]["volumes"]
    with_key = [volume["name"] for volume in volumes if "ca.key" in str(volume)]
    assert with_key == ["controller-manager-pki"]
    holders = [
        name for name, item in containers(inputs).items() for mount in item["volumeMounts"] if mount["name"] in with_key
    ]
    assert holders == ["kube-controller-manager"]


def test_what_concerns_nodes_alone_rolls_nothing(inputs: DeploymentInputs) -> None:
    """Kubelets' settings and add-ons reach the tenant's cluster from inside."""
    manifest = msgspec.to_builtins(MANIFEST)
    manifest["spec"]["addons"] = {"coreDNS": {}}
    patch = {"op": "add", "path": "/maxPods", "value": 7}
    manifest["spec"]["kubernetes"]["kubelet"] = {"cgroupfs": "cgroupfs", "configurationJSONPatches": [patch]}
    tenant = msgspec.convert(manifest, TenantControlPlane)
    changed = DeploymentInputs(tenant=tenant, address=inputs.address, secrets=inputs.secrets, parts=inputs.parts)
    assert deployment(changed) == deployment(inputs)


def test_no_token_of_the_management_cluster_is_mounted(inputs: DeploymentInputs) -> None:
    """A tenant's control plane has no business there."""
    assert deployment(inputs)["spec"]["template"]["spec"]["automountServiceAccountToken"] is False


def test_images_follow_the_tenants_registry(inputs: DeploymentInputs) -> None:
    """Registry, name, version and suffix are joined as in Kamaji."""
    settings = {"registry": "registry.example.org/k8s", "apiServerImage": "api", "tagSuffix": "-hardened"}
    manifest = msgspec.to_builtins(MANIFEST)
    manifest["spec"]["controlPlane"]["deployment"]["registrySettings"] = settings
    tenant = msgspec.convert(manifest, TenantControlPlane)
    changed = DeploymentInputs(tenant=tenant, address=inputs.address, secrets=inputs.secrets, parts=inputs.parts)
    images = {name: item["image"] for name, item in containers(changed).items()}
    assert images["kube-apiserver"] == "registry.example.org/k8s/api:v1.37.1-hardened"
    assert images["kube-scheduler"] == "registry.example.org/k8s/kube-scheduler:v1.37.1-hardened"
