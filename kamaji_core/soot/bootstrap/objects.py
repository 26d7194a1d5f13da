"""All bootstrap objects of a tenant, in the order in which they are made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kamaji_core.contracts import TenantObject
from kamaji_core.soot.bootstrap.access import access_objects
from kamaji_core.soot.bootstrap.cluster import cluster_info, kubeadm_config
from kamaji_core.soot.bootstrap.kubelet import kubelet_config

if TYPE_CHECKING:
    from kamaji_core.api.tenant_control_plane import TenantControlPlane

WATCHED = frozenset({"ConfigMap"})
"""Kinds that are put back within a second: without them no machine joins. Rules are looked at every ten minutes."""


def bootstrap_objects(tenant: TenantControlPlane, *, endpoint: str, ca_cert: bytes) -> tuple[TenantObject, ...]:
    """Plan them: access first, so that whoever finds a ConfigMap may read it.

    Args:
        tenant: whose.
        endpoint: `host:port` of the API server for nodes.
        ca_cert: of the tenant's authority, PEM.

    Raises:
        KubeletPatchError: when a patch of the kubelet's configuration cannot be applied.
        ValueError: when the Service networks are unusable.
    """
    manifests = (
        *access_objects(),
        *kubeadm_config(tenant, endpoint=endpoint),
        *kubelet_config(tenant),
        *cluster_info(endpoint=endpoint, ca_cert=ca_cert),
    )
    return tuple(TenantObject(manifest=one, watch=one["kind"] in WATCHED) for one in manifests)
