"""The Service in front of a tenant's API server, named like the tenant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kamaji_core.api import labels as wire
from kamaji_core.api.tenant_control_plane import ServiceType
from kamaji_core.render.owned import owned_metadata

if TYPE_CHECKING:
    from kamaji_core.api.tenant_control_plane import TenantControlPlane


def service(tenant: TenantControlPlane) -> dict[str, Any]:
    """Build the Service; its cluster IP is the API server's to choose."""
    wanted = tenant.spec.control_plane.service
    port = tenant.spec.network_profile.port
    entry: dict[str, Any] = {"name": "kube-apiserver", "protocol": "TCP", "port": port, "targetPort": port}
    if wanted.service_type == ServiceType.NODE_PORT:
        entry["nodePort"] = port  # the endpoint that nodes are told has one port
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
            "ports": [entry],
        },
    }
