"""The kubeadm configuration of a tenant, kept in a ConfigMap as Kamaji keeps it.

Its two values are JSON of kubeadm's internal (not versioned) types, hence the Go field names.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from kamaji_core.api.versions import parse_version
from kamaji_core.render.endpoint import endpoint
from kamaji_core.render.owned import owned_metadata

if TYPE_CHECKING:
    from kamaji_core.api.tenant_control_plane import TenantControlPlane

COMPONENT = "kubeadmconfig"


def kubeadm_config_map(tenant: TenantControlPlane, *, address: str) -> dict[str, Any]:
    """Build the ConfigMap.

    Args:
        tenant: whose configuration it is.
        address: the management-side address of the API server.
    """
    cluster = _cluster_configuration(tenant, address)
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": owned_metadata(tenant, component=COMPONENT, suffix=COMPONENT),
        "data": {
            "InitConfiguration": _line(_init_configuration(tenant, address)),
            "ClusterConfiguration": _line(cluster),
        },
    }


def _init_configuration(tenant: TenantControlPlane, address: str) -> dict[str, Any]:
    return {
        "NodeRegistration": {"Name": "node"},
        "LocalAPIEndpoint": {
            "AdvertiseAddress": address,
            "BindPort": tenant.spec.network_profile.port,
        },
    }


def _cluster_configuration(tenant: TenantControlPlane, address: str) -> dict[str, Any]:
    profile = tenant.spec.network_profile
    return {
        "Networking": {
            "ServiceSubnet": ",".join(profile.service_networks),
            "PodSubnet": ",".join(profile.pod_networks),
            "DNSDomain": profile.cluster_domain,
        },
        "KubernetesVersion": str(parse_version(tenant.spec.kubernetes.version)),
        "ControlPlaneEndpoint": endpoint(profile.advertise_address or address, profile.port),
        "APIServer": {"CertSANs": list(profile.cert_sans)},
        "CertificatesDir": "/etc/kubernetes/pki",
        "ImageRepository": tenant.spec.control_plane.deployment.registry_settings.registry,
        "ClusterName": tenant.metadata.name,
    }


def _line(value: dict[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":")) + "\n"
