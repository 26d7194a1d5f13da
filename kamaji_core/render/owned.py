"""Metadata that every object of a tenant carries: Kamaji's three labels and a controller reference.

The reference lets Kubernetes collect what a deleted tenant leaves; the labels are what our watches select by.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kamaji_core.api import labels as wire

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kamaji_core.api.tenant_control_plane import TenantControlPlane


def object_name(tenant: TenantControlPlane, suffix: str = "") -> str:
    """Name of a tenant's object: the tenant's own, with a suffix where there are several of a kind."""
    return f"{tenant.metadata.name}-{suffix}" if suffix else tenant.metadata.name


def owned_metadata(
    tenant: TenantControlPlane,
    *,
    component: str,
    suffix: str = "",
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Metadata of one object.

    Args:
        tenant: its owner.
        component: value of the component label (Kamaji's handler name).
        suffix: of its name.
        labels: further ones; ours win.
        annotations: as given.
    """
    metadata: dict[str, Any] = {
        "name": object_name(tenant, suffix),
        "namespace": tenant.metadata.namespace,
        "labels": {
            **(labels or {}),
            wire.PROJECT_LABEL: wire.PROJECT,
            wire.NAME_LABEL: tenant.metadata.name,
            wire.COMPONENT_LABEL: component,
        },
        "ownerReferences": [
            {
                "apiVersion": wire.API_VERSION,
                "kind": "TenantControlPlane",
                "name": tenant.metadata.name,
                "uid": tenant.metadata.uid,
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ],
    }
    if annotations:
        metadata["annotations"] = dict(annotations)
    return metadata
