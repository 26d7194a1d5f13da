"""Ways into a tenant through a gateway: one host name for all, told apart by the gateway's listeners.

A gateway hands TLS through untouched, so a route says no more than which name goes to which port.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kamaji_core.render.owned import object_name, owned_metadata

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kamaji_core.api.tenant_control_plane import TenantControlPlane
    from kamaji_core.contracts import Route


def plugin_route(
    tenant: TenantControlPlane, wanted: Route, *, port: int, hostname: str, gateways: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Build the TLSRoute of a plugin's port.

    Args:
        tenant: whose.
        wanted: what the plugin asks for.
        port: number of the Service port that it names.
        hostname: of the tenant.
        gateways: `parentRefs` of the tenant's own route; each is entered at the listener of the port's name.
    """
    parents = [{**gateway, "sectionName": wanted.port_name, "port": port} for gateway in gateways]
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "TLSRoute",
        "metadata": owned_metadata(tenant, component=wanted.suffix, suffix=wanted.suffix),
        "spec": {
            "parentRefs": parents,
            "hostnames": [hostname],
            "rules": [{"backendRefs": [{"name": object_name(tenant), "port": port}]}],
        },
    }
