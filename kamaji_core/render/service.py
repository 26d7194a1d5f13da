"""The Service in front of a tenant's API server, named like the tenant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kamaji_core.api import labels as wire
from kamaji_core.api.tenant_control_plane import ServiceType
from kamaji_core.render.owned import owned_metadata

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kamaji_core.api.tenant_control_plane import TenantControlPlane
    from kamaji_core.contracts import ServicePort


def service(tenant: TenantControlPlane, ports: Iterable[ServicePort] = ()) -> dict[str, Any]:
    """Build the Service; its cluster IP is the API server's to choose.

    Args:
        tenant: whose.
        ports: what plugins want beside the API server's.
    """
    wanted = tenant.spec.control_plane.service
    port = tenant.spec.network_profile.port
    entries: list[dict[str, Any]] = [{"name": "kube-apiserver", "protocol": "TCP", "port": port, "targetPort": port}]
    for other in ports:
        entry = {"name": other.name, "protocol": "TCP", "port": other.port, "targetPort": other.port}
        entries.append({**entry, **({"appProtocol": other.app_protocol} if other.app_protocol else {})})
    if wanted.service_type == ServiceType.NODE_PORT:
        for entry in entries:
            entry["nodePort"] = entry["port"]  # what nodes are told has one port
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": owned_metadata(
            tenant,
            component="service",
            labels=wanted.additional_metadata.labels,
            annotations=wanted.additional_metadata.annotations,
        ),
        "spec": {
            "type": wanted.service_type,
            "selector": {wire.NAME_LABEL: tenant.metadata.name},
            "ports": entries,
        },
    }
