"""What kubeadm leaves in a new cluster, planned for one tenant."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
import yaml

from kamaji_core.api.tenant_control_plane import TenantControlPlane
from kamaji_core.soot.bootstrap import KubeletPatchError, bootstrap_objects

ENDPOINT = "10.96.0.7:6443"


def tenant(**spec: Any) -> TenantControlPlane:
    """A tenant of 1.37 unless something else is asked."""
    kubernetes = {"version": spec.pop("version", "v1.37.1"), "kubelet": spec.pop("kubelet", {})}
    raw = {
        "metadata": {"name": "shop", "namespace": "team", "uid": "u"},
        "spec": {
            "controlPlane": {"service": {"serviceType": "ClusterIP"}},
            "kubernetes": kubernetes,
            **spec,
        },
    }
    return msgspec.convert(raw, TenantControlPlane)


def planned(one: TenantControlPlane) -> dict[str, dict[str, Any]]:
    """Manifests by kind and name."""
    objects = bootstrap_objects(one, endpoint=ENDPOINT, ca_cert=b"PEM")
    named = {f"{o.manifest['kind']}/{o.manifest['metadata']['name']}": dict(o.manifest) for o in objects}
    assert len(named) == len(objects)
    return named


def document(manifest: dict[str, Any], key: str) -> Any:
    """YAML inside a ConfigMap."""
    return yaml.safe_load(manifest["data"][key])


def kubelet(*patches: dict[str, Any], **spec: Any) -> dict[str, Any]:
    """The kubelet's configuration with patches on it."""
    found = planned(tenant(kubelet={"configurationJSONPatches": list(patches)}, **spec))
    result: dict[str, Any] = document(found["ConfigMap/kubelet-config"], "kubelet")
    return result


@pytest.mark.parametrize(
    ("version", "format_"),
    [("v1.30.0", "v1beta3"), ("v1.31.0", "v1beta4"), ("v1.37.1", "v1beta4")],
)
def test_the_tenants_kubeadm_reads_its_configuration(version: str, format_: str) -> None:
    """The format is one that the tenant's minor knows, and holds nothing that it would refuse."""
    found = document(planned(tenant(version=version))["ConfigMap/kubeadm-config"], "ClusterConfiguration")
    assert found["apiVersion"] == f"kubeadm.k8s.io/{format_}"
    assert found["kubernetesVersion"] == version
    assert found["controlPlaneEndpoint"] == ENDPOINT
    assert ("encryptionAlgorithm" in found) == (format_ == "v1beta4")
    assert found["networking"] == {
        "dnsDomain": "cluster.local",
        "podSubnet": "10.244.0.0/16",
        "serviceSubnet": "10.96.0.0/16",
    }


def test_cluster_info_names_server_and_authority() -> None:
    """Anybody can read where the server is and what it is verified with."""
    found = planned(tenant())
    cluster = document(found["ConfigMap/cluster-info"], "kubeconfig")["clusters"][0]["cluster"]
    assert cluster == {"certificate-authority-data": "UEVN", "server": f"https://{ENDPOINT}"}
    assert found["RoleBinding/kubeadm:bootstrap-signer-clusterinfo"]["subjects"] == [
        {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "system:anonymous"}
    ]


def test_the_plan_is_the_same_each_time() -> None:
    """Pure and stable, so that a second pass finds nothing to write."""
    assert planned(tenant()) == planned(tenant())


def test_kubelets_get_the_clusters_dns() -> None:
    """The tenth address of each Service network, unless the specification names others."""
    assert kubelet()["clusterDNS"] == ["10.96.0.10"]
    profile = {"serviceCidrs": ["10.1.0.0/16", "fd00::/108"]}
    assert kubelet(networkProfile=profile)["clusterDNS"] == ["10.1.0.10", "fd00::10"]
    assert kubelet(networkProfile={"dnsServiceIPs": ["10.96.0.53"]})["clusterDNS"] == ["10.96.0.53"]


@pytest.mark.parametrize(
    ("patch", "path", "value"),
    [
        ({"op": "replace", "path": "/cgroupDriver", "value": "cgroupfs"}, ["cgroupDriver"], "cgroupfs"),
        ({"op": "replace", "path": "/maxPods", "value": 200}, ["maxPods"], 200),
        ({"op": "add", "path": "/featureGates/A", "value": True}, ["featureGates", "A"], True),
        ({"op": "add", "path": "/featureGates", "value": {"A": False}}, ["featureGates", "A"], False),
        (
            {"op": "replace", "path": "/evictionHard/memory.available", "value": "1Gi"},
            ["evictionHard", "memory.available"],
            "1Gi",
        ),
        (
            {"op": "replace", "path": "/evictionHard/memory.available", "value": "1Gi"},
            ["evictionHard", "nodefs.available"],
            "10%",
        ),
        ({"op": "add", "path": "/clusterDNS/-", "value": "1.1.1.1"}, ["clusterDNS", 1], "1.1.1.1"),
        ({"op": "add", "path": "/a~1b", "value": 1}, ["a/b"], 1),
        ({"op": "copy", "from": "/clusterDomain", "path": "/x"}, ["x"], "cluster.local"),
        ({"op": "add", "path": "/failCgroupV1", "value": False}, ["failCgroupV1"], False),
    ],
)
def test_patches_apply(patch: dict[str, Any], path: list[Any], value: Any) -> None:
    """As RFC 6902 says, and as if every default were there to be replaced."""
    found: Any = kubelet(patch)
    for part in path:
        found = found[part]
    assert found == value


def test_removing_what_is_not_there_is_no_error() -> None:
    """It is the kubelet's default already."""
    assert kubelet({"op": "remove", "path": "/maxPods"}) == kubelet()
    assert "staticPodPath" not in kubelet({"op": "remove", "path": "/staticPodPath"})


@pytest.mark.parametrize(
    "patch",
    [
        {"op": "test", "path": "/clusterDomain", "value": "other"},
        {"op": "add", "path": "clusterDomain", "value": 1},
        {"op": "add", "path": "/clusterDNS/7", "value": 1},
        {"op": "move", "path": "/a"},
        {"op": "replace", "path": "/clusterDNS/x/y", "value": 1},
        {"op": "replace", "path": "", "value": "text"},
    ],
)
def test_a_patch_that_cannot_be_applied_is_named(patch: dict[str, Any]) -> None:
    """One sentence that says which one and what to do."""
    with pytest.raises(KubeletPatchError, match=r"configurationJSONPatches\[0\] .* cannot be applied, .*: correct or"):
        kubelet(patch)


def test_the_cgroup_driver() -> None:
    """Kubeadm's, unless the deprecated field says otherwise; a patch wins over it."""
    assert kubelet()["cgroupDriver"] == "systemd"
    found = planned(tenant(kubelet={"cgroupfs": "cgroupfs"}))
    assert document(found["ConfigMap/kubelet-config"], "kubelet")["cgroupDriver"] == "cgroupfs"
