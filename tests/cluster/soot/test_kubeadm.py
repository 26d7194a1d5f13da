"""Our bootstrap objects are those of the real `kubeadm init`; what differs is listed here, with its reason."""

from __future__ import annotations

import base64
import subprocess
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import yaml

from kamaji_core.api.tenant_control_plane import TenantControlPlane
from kamaji_core.kube import CONFIG_MAPS, KubeClient, config_from_kubeconfig
from kamaji_core.soot.bootstrap import bootstrap_objects
from kamaji_core.soot.kinds import CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, ROLE_BINDINGS, ROLES, Kinds
from kamaji_core.testing import ApiServer, program

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.real

PHASES = (
    ("upload-config", "kubeadm"),
    ("upload-config", "kubelet"),
    ("bootstrap-token",),
)

ZERO = ("0s", "0", "", 0, {}, None, [])
"""Values that mean a default, which kubeadm writes because Go does and we leave out."""

EXPLAINED = frozenset(
    {
        # Where the data lies concerns no machine that joins, and is each tenant's store's own business.
        "etcd",
    }
)
"""Fields of kubeadm's documents that ours lack."""


def told(value: Any) -> Any:
    """A document without what means nothing."""
    if isinstance(value, dict):
        inner = {key: told(one) for key, one in value.items() if key not in EXPLAINED}
        return {key: one for key, one in inner.items() if one not in ZERO}
    return [told(one) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", ["kubeadm", "kubeadm-1.36"])
async def test_the_same_as_kubeadms(tmp_path: Path, name: str) -> None:
    """Every object of every phase, field by field, for the newest minor and the one before."""
    version = kubeadm(name, "version", "--output=short").strip()
    with ApiServer() as server:
        endpoint = server.url.removeprefix("https://")
        (tmp_path / "admin.conf").write_bytes(server.kubeconfig)
        configuration = tmp_path / "kubeadm.yaml"
        documents = [
            {
                "apiVersion": "kubeadm.k8s.io/v1beta4",
                "kind": "InitConfiguration",
                "bootstrapTokens": [{"token": "abcdef.0123456789abcdef"}],
                "nodeRegistration": {"criSocket": "unix:///run/none.sock", "name": "node"},
            },
            {
                "apiVersion": "kubeadm.k8s.io/v1beta4",
                "kind": "ClusterConfiguration",
                "clusterName": "shop",
                "controlPlaneEndpoint": endpoint,
                "kubernetesVersion": version,
                "networking": {"serviceSubnet": "10.0.0.0/24", "podSubnet": "10.244.0.0/16"},
            },
        ]
        configuration.write_text(yaml.safe_dump_all(documents))
        for phase in PHASES:
            paths = (f"--config={configuration}", f"--kubeconfig={tmp_path / 'admin.conf'}")
            kubeadm(name, "init", "phase", *phase, *paths)
        await compare(server, endpoint, version)


def kubeadm(name: str, *arguments: str) -> str:
    """Run a real kubeadm; gives what it prints."""
    command = [str(program(name)), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


async def compare(server: ApiServer, endpoint: str, version: str) -> None:
    """Compare all that we plan for a version with what is there."""
    raw = {
        "metadata": {"name": "shop", "namespace": "team", "uid": "u"},
        "spec": {
            "controlPlane": {"service": {"serviceType": "ClusterIP"}},
            "kubernetes": {"version": version, "kubelet": {}},
            "networkProfile": {"serviceCidrs": ["10.0.0.0/24"]},
        },
    }
    tenant = msgspec.convert(raw, TenantControlPlane)
    wanted = bootstrap_objects(tenant, endpoint=endpoint, ca_cert=server.ca.certificate)
    async with KubeClient(config_from_kubeconfig(server.kubeconfig)) as client:
        kinds = Kinds(client)
        for one in wanted:
            ours = dict(one.manifest)
            resource = await kinds.resource(ours["apiVersion"], ours["kind"])
            name, namespace = ours["metadata"]["name"], ours["metadata"].get("namespace")
            if name == "kubeadm:cluster-admins":  # kubeadm makes it on the way to its admin.conf, not in a phase
                continue
            theirs = await client.get(resource, name, namespace)
            assert content(ours) == content(theirs), name
        planned = {(one.manifest["kind"], one.manifest["metadata"]["name"]) for one in wanted}
        for resource in (CONFIG_MAPS, ROLES, ROLE_BINDINGS, CLUSTER_ROLES, CLUSTER_ROLE_BINDINGS):
            listing = await client.list(resource)
            names = {msgspec.json.decode(item)["metadata"]["name"] for item in listing.items}
            made = {name for name in names if name.startswith("kubeadm") or name in {"kubelet-config", "cluster-info"}}
            assert {(resource.kind, name) for name in made} <= planned


def content(one: dict[str, Any]) -> Any:
    """What an object says, without what the server adds and without our label."""
    body = {key: value for key, value in one.items() if key not in {"apiVersion", "kind", "metadata"}}
    if "data" in body:
        body["data"] = {key: told(yaml.safe_load(value)) for key, value in body["data"].items() if "jws" not in key}
        for document in body["data"].values():
            for cluster in document.get("clusters") or ():
                authority = cluster["cluster"]["certificate-authority-data"]
                cluster["cluster"]["certificate-authority-data"] = base64.b64decode(authority)
    if "rules" in body:
        body["rules"] = [{key: sorted(value) for key, value in rule.items()} for rule in body["rules"]]
    if "subjects" in body:
        body["subjects"] = sorted(body["subjects"], key=lambda one: one["name"])
    return told(body)
