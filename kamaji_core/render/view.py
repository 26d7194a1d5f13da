"""What plugins may know of a tenant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kamaji_core.api.model import manifest
from kamaji_core.api.versions import parse_version
from kamaji_core.contracts import TenantNetworks, TenantView

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kamaji_core.api.tenant_control_plane import TenantControlPlane


def tenant_view(
    tenant: TenantControlPlane, *, endpoint: str, ca_cert: bytes, secret_names: Mapping[str, str]
) -> TenantView:
    """Show a tenant, whose version can be read, to plugins.

    Args:
        tenant: as it is.
        endpoint: `host:port` for its nodes; empty before there is one.
        ca_cert: of its authority, PEM; empty before there is one.
        secret_names: of its Secrets by suffix.
    """
    return TenantView(
        namespace=tenant.metadata.namespace,
        name=tenant.metadata.name,
        uid=tenant.metadata.uid,
        version=str(parse_version(tenant.spec.kubernetes.version)),
        replicas=tenant.spec.control_plane.deployment.replicas,
        generation=tenant.metadata.generation,
        spec=manifest(tenant.spec),
        endpoint=endpoint,
        networks=_networks(tenant),
        ca_cert=ca_cert,
        secret_names=secret_names,
        phase=str(tenant.status.kubernetes_resources.version.status or ""),
    )


def _networks(tenant: TenantControlPlane) -> TenantNetworks:
    profile = tenant.spec.network_profile
    try:
        dns_addresses = profile.dns_addresses
    except ValueError:  # its condition says so
        dns_addresses = ()
    return TenantNetworks(
        cluster_domain=profile.cluster_domain,
        services=profile.service_networks,
        pods=profile.pod_networks,
        dns_addresses=dns_addresses,
    )
