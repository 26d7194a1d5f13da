"""Where a tenant's API server is reached, and the names that follow from it.

Rules are Kamaji's: a declared address wins, then the Service's own; the serving certificate holds every name under
which a client inside or outside of the management cluster may come.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any

from kamaji_core.certificates import ControlPlaneNames

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kamaji_core.api.tenant_control_plane import TenantControlPlane

KAMAJI_SERVICE_DOMAIN = "svc.cluster.local"
"""Kamaji fixes the management cluster's domain; kept, since existing certificates hold it."""


def assigned_address(tenant: TenantControlPlane, service: Mapping[str, Any] | None) -> str | None:
    """The management-side address of the API server, or None while the Service has none.

    Args:
        tenant: whose.
        service: the live Service.
    """
    if tenant.spec.network_profile.address:
        return tenant.spec.network_profile.address
    if service is None:
        return None
    spec = service.get("spec", {})
    if spec.get("type") == "LoadBalancer":
        ingress = service.get("status", {}).get("loadBalancer", {}).get("ingress") or []
        addresses = [entry["ip"] for entry in ingress if entry.get("ip")]
        return addresses[0] if addresses else None
    if spec.get("type") == "ClusterIP" and spec.get("clusterIP") not in {None, "", "None"}:
        return str(spec["clusterIP"])
    return None


def endpoint(address: str, port: int) -> str:
    """Join host and port, with brackets around an IPv6 address."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def control_plane_names(tenant: TenantControlPlane, service: Mapping[str, Any] | None) -> ControlPlaneNames:
    """Collect what certificates and kubeconfigs depend on."""
    profile = tenant.spec.network_profile
    address = assigned_address(tenant, service)
    names: frozenset[str] = frozenset()
    if address is not None:
        names = frozenset(_server_names(tenant, address))
    return ControlPlaneNames(
        tenant=tenant.metadata.name,
        namespace=tenant.metadata.namespace,
        endpoint=None if address is None else endpoint(profile.advertise_address or address, profile.port),
        port=profile.port,
        server_names=names,
    )


def _server_names(tenant: TenantControlPlane, address: str) -> list[str]:
    name, namespace = tenant.metadata.name, tenant.metadata.namespace
    profile = tenant.spec.network_profile
    service_network = ipaddress.ip_network(profile.service_networks[0], strict=False)
    names = [
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        f"kubernetes.default.svc.{profile.cluster_domain}",
        "localhost",
        "127.0.0.1",
        name,
        f"{name}.{namespace}.svc",
        f"{name}.{namespace}.{KAMAJI_SERVICE_DOMAIN}",
        str(service_network.network_address + 1),
        address,
        *profile.cert_sans,
    ]
    if profile.advertise_address:
        names.append(profile.advertise_address)
    return names
