"""Plugins' containers, volumes and claims become what Kubernetes wants, and roll nothing that does not use them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from kamaji_core.api.tenant_control_plane import TenantControlPlane
from kamaji_core.certificates import SecretFacts
from kamaji_core.contracts import (
    Container,
    ControlPlaneParts,
    EnvironmentVariable,
    Flag,
    HealthCheck,
    Mount,
    RestartOn,
    Volume,
    VolumeClaim,
)
from kamaji_core.render import DeploymentInputs, deployment, inputs_digest, volume_claim

MANIFEST: dict[str, Any] = {
    "metadata": {"name": "shop", "namespace": "team-a", "uid": "1-2-3"},
    "spec": {
        "controlPlane": {"deployment": {"replicas": 1}, "service": {"serviceType": "ClusterIP"}},
        "kubernetes": {"version": "v1.37.1", "kubelet": {}},
    },
}
TENANT = msgspec.convert(MANIFEST, TenantControlPlane)
CLAIM = VolumeClaim(suffix="data", size="1Gi", storage_class="fast")
PARTS = ControlPlaneParts(
    flags=(Flag(component="kube-apiserver", name="--etcd-servers", value="unix:///run/paper/socket"),),
    containers=(
        Container(
            name="paper",
            image="example.org/paper:1",
            command=("/bin/paper", "--listen=/run/paper/socket"),
            environment=(
                EnvironmentVariable(name="PAPER_LEVEL", value="info"),
                EnvironmentVariable(name="PAPER_LOGIN", secret="shop-datastore-config", key="PAPER_LOGIN"),
            ),
            requests={"cpu": "10m"},
            health=HealthCheck(path="/healthz", port=8080),
        ),
    ),
    claims=(CLAIM,),
    volumes=(
        Volume(name="paper-socket", medium="Memory"),
        Volume(name="paper-scratch"),
        Volume(name="paper-files", secret="shop-datastore-certificate", mode=0o400),
        Volume(name="paper-data", claim="data"),
    ),
    mounts=(
        Mount(component="kube-apiserver", volume="paper-socket", path="/run/paper"),
        Mount(component="paper", volume="paper-socket", path="/run/paper", read_only=False),
        Mount(component="paper", volume="paper-data", path="/data", read_only=False),
    ),
    restart_on=(RestartOn(name="paper-login", secret="shop-datastore-config", key="PAPER_LOGIN"),),
)


def secret(suffix: str, **digests: str) -> SecretFacts:
    """A Secret of which only digests matter."""
    return SecretFacts(namespace="team-a", name=f"shop-{suffix}", digests=digests)


@pytest.fixture
def inputs() -> DeploymentInputs:
    """A tenant with a store that wants one of everything."""
    secrets = {
        "ca": secret("ca", **{"ca.crt": "a" * 64}),
        "sa-certificate": secret("sa-certificate", **{"sa.key": "b" * 64}),
        "datastore-config": secret("datastore-config", PAPER_LOGIN="c" * 64),
    }
    return DeploymentInputs(tenant=TENANT, address="10.0.0.7", secrets=secrets, parts=(PARTS,), many_replicas=False)


def pod(inputs: DeploymentInputs) -> Any:
    """The pod's specification."""
    return deployment(inputs)["spec"]["template"]["spec"]


def test_a_container_is_a_native_sidecar(inputs: DeploymentInputs) -> None:
    """It starts before the API server and ends after it."""
    spec = pod(inputs)
    (sidecar,) = spec["initContainers"]
    assert sidecar["restartPolicy"] == "Always"
    assert sidecar["command"] == ["/bin/paper", "--listen=/run/paper/socket"]
    assert sidecar["resources"] == {"requests": {"cpu": "10m"}, "limits": {}}
    assert sidecar["startupProbe"]["httpGet"] == {"path": "/healthz", "port": 8080, "scheme": "HTTP"}
    assert [one["name"] for one in sidecar["volumeMounts"]] == ["paper-socket", "paper-data"]
    assert "paper" not in {one["name"] for one in spec["containers"]}


def test_an_old_management_cluster_gets_an_ordinary_container(inputs: DeploymentInputs) -> None:
    """Before Kubernetes 1.29 an init container that goes on running would keep the pod from starting."""
    spec = pod(replace(inputs, native_sidecars=False))
    assert "initContainers" not in spec
    assert next(one["name"] for one in spec["containers"]) == "paper"
    assert "restartPolicy" not in spec["containers"][0]


def test_that_sidecars_are_learned_is_another_revision_of_the_same_inputs(inputs: DeploymentInputs) -> None:
    """So that an upgrade of the management cluster rolls no tenant."""
    older = replace(inputs, native_sidecars=False)
    assert inputs.renderer != older.renderer
    assert inputs_digest(inputs) == inputs_digest(older)


def test_a_secret_value_stands_by_reference_only(inputs: DeploymentInputs) -> None:
    """Others may read pods who may not read Secrets."""
    (sidecar,) = pod(inputs)["initContainers"]
    reference = {"secretKeyRef": {"name": "shop-datastore-config", "key": "PAPER_LOGIN"}}
    assert sidecar["env"] == [
        {"name": "PAPER_LEVEL", "value": "info"},
        {"name": "PAPER_LOGIN", "valueFrom": reference},
    ]


def test_each_kind_of_volume(inputs: DeploymentInputs) -> None:
    """In memory, on the node's disk, files that only their owner reads, and a claimed one."""
    volumes = {one["name"]: one for one in pod(inputs)["volumes"] if one["name"].startswith("paper")}
    assert volumes == {
        "paper-socket": {"name": "paper-socket", "emptyDir": {"medium": "Memory"}},
        "paper-scratch": {"name": "paper-scratch", "emptyDir": {}},
        "paper-files": {
            "name": "paper-files",
            "secret": {"secretName": "shop-datastore-certificate", "defaultMode": 0o400},
        },
        "paper-data": {"name": "paper-data", "persistentVolumeClaim": {"claimName": "shop-data"}},
    }


def test_a_claim_belongs_to_the_tenant() -> None:
    """So that it goes with it."""
    built = volume_claim(TENANT, CLAIM)
    assert built["metadata"]["name"] == "shop-data"
    assert built["metadata"]["ownerReferences"][0]["uid"] == "1-2-3"
    assert built["spec"] == {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Gi"}},
        "storageClassName": "fast",
    }


def test_a_claims_group_becomes_the_pods(inputs: DeploymentInputs) -> None:
    """A container that does not run as root could not write to it otherwise."""
    assert "securityContext" not in pod(inputs)
    parts = replace(PARTS, claims=(replace(CLAIM, group=65534),))
    grouped = pod(replace(inputs, parts=(parts,)))
    assert grouped["securityContext"] == {"fsGroup": 65534, "fsGroupChangePolicy": "OnRootMismatch"}


def test_pods_that_cannot_work_side_by_side_follow_each_other(inputs: DeploymentInputs) -> None:
    """Two API servers on one file would ruin it."""
    assert deployment(inputs)["spec"]["strategy"] == {"type": "Recreate"}
    beside = deployment(replace(inputs, many_replicas=True))
    assert beside["spec"]["strategy"]["type"] == "RollingUpdate"


def test_another_login_rolls_the_pods(inputs: DeploymentInputs) -> None:
    """A program that reads its login once has to start again."""
    changed = {**inputs.secrets, "datastore-config": secret("datastore-config", PAPER_LOGIN="d" * 64)}
    assert inputs_digest(replace(inputs, secrets=changed)) != inputs_digest(inputs)


def test_a_claims_size_is_no_other_pod(inputs: DeploymentInputs) -> None:
    """A claim is made once; its group is the pod's."""
    larger = replace(PARTS, claims=(replace(CLAIM, size="2Gi"),))
    assert inputs_digest(replace(inputs, parts=(larger,))) == inputs_digest(inputs)
    grouped = replace(PARTS, claims=(replace(CLAIM, group=65534),))
    assert inputs_digest(replace(inputs, parts=(grouped,))) != inputs_digest(inputs)


def test_what_a_plugin_does_not_set_is_not_in_the_digest(inputs: DeploymentInputs) -> None:
    """A field that the contract gets some day must not roll every tenant."""
    bare = ControlPlaneParts(volumes=(Volume(name="paper", secret="shop-datastore-certificate"),))
    said = ControlPlaneParts(
        volumes=(Volume(name="paper", secret="shop-datastore-certificate", items={}, mode=None, claim=""),)
    )
    assert inputs_digest(replace(inputs, parts=(bare,))) == inputs_digest(replace(inputs, parts=(said,)))
