"""What a joining machine reads first: `cluster-info`, which anybody may see, and `kubeadm-config`."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import yaml

from kamaji_core.api.versions import parse_version
from kamaji_core.soot.bootstrap.access import BOOTSTRAPPERS, NODES, PUBLIC, SYSTEM, group, readable, user

if TYPE_CHECKING:
    from kamaji_core.api.tenant_control_plane import TenantControlPlane

NEW_FORMAT_SINCE = 31
"""Minor whose kubeadm reads `kubeadm.k8s.io/v1beta4`; older ones know v1beta3 only."""


def cluster_info(*, endpoint: str, ca_cert: bytes) -> tuple[dict[str, Any], ...]:
    """Where the API server is and which authority it is verified with; signed by the bootstrap signer with each token.

    Args:
        endpoint: `host:port` for nodes.
        ca_cert: of the tenant's authority, PEM.
    """
    authority = base64.b64encode(ca_cert).decode()
    kubeconfig = {
        "apiVersion": "v1",
        "clusters": [
            {"cluster": {"certificate-authority-data": authority, "server": f"https://{endpoint}"}, "name": ""}
        ],
        "contexts": None,
        "current-context": "",
        "kind": "Config",
        "users": None,
    }
    name = "cluster-info"
    return (
        config_map(PUBLIC, name, {"kubeconfig": document(kubeconfig)}),
        *readable(PUBLIC, "kubeadm:bootstrap-signer-clusterinfo", name, user("system:anonymous")),
    )


def kubeadm_config(tenant: TenantControlPlane, *, endpoint: str) -> tuple[dict[str, Any], ...]:
    """The cluster's configuration in the format that the tenant's own kubeadm reads.

    Where the data lies is left out: it concerns no machine that joins, and kubeadm completes it.

    Args:
        tenant: whose.
        endpoint: `host:port` for nodes.
    """
    version, profile = parse_version(tenant.spec.kubernetes.version), tenant.spec.network_profile
    networking = {
        "dnsDomain": profile.cluster_domain,
        "podSubnet": ",".join(profile.pod_networks),
        "serviceSubnet": ",".join(profile.service_networks),
    }
    configuration: dict[str, Any] = {
        "apiServer": {"certSANs": list(profile.cert_sans)} if profile.cert_sans else {},
        "apiVersion": "kubeadm.k8s.io/v1beta3",
        "certificatesDir": "/etc/kubernetes/pki",
        "clusterName": tenant.metadata.name,
        "controlPlaneEndpoint": endpoint,
        "controllerManager": {},
        "dns": {},
        "imageRepository": tenant.spec.control_plane.deployment.registry_settings.registry,
        "kind": "ClusterConfiguration",
        "kubernetesVersion": str(version),
        "networking": {name: value for name, value in networking.items() if value},
        "scheduler": {},
    }
    if version.minor >= NEW_FORMAT_SINCE:
        configuration |= {
            "apiVersion": "kubeadm.k8s.io/v1beta4",
            "caCertificateValidityPeriod": "87600h0m0s",
            "certificateValidityPeriod": "8760h0m0s",
            "encryptionAlgorithm": "RSA-2048",
            "proxy": {},
        }
    name = "kubeadm-config"
    return (
        config_map(SYSTEM, name, {"ClusterConfiguration": document(configuration)}),
        *readable(SYSTEM, "kubeadm:nodes-kubeadm-config", name, group(BOOTSTRAPPERS), group(NODES)),
    )


def config_map(namespace: str, name: str, data: dict[str, str]) -> dict[str, Any]:
    """A ConfigMap."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}, "data": data}


def document(content: dict[str, Any]) -> str:
    """YAML with sorted keys, as kubeadm writes it."""
    text: str = yaml.dump(content, Dumper=_DUMPER)
    return text


# The C twin of SafeDumper, where there is one, writes the same five times as fast.
_DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
