"""Secrets with generated material: created once, replaced only with a precondition, never applied."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from kamaji_core.api import labels as wire
from kamaji_core.certificates import checksum
from kamaji_core.render.owned import owned_metadata

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kamaji_core.api.tenant_control_plane import TenantControlPlane

LIFECYCLES: Mapping[str, str] = {
    "api-server-certificate": "x509",
    "api-server-kubelet-client-certificate": "x509",
    "front-proxy-client-certificate": "x509",
    "datastore-certificate": "x509",
    "admin-kubeconfig": "kubeconfig",
    "controller-manager-kubeconfig": "kubeconfig",
    "scheduler-kubeconfig": "kubeconfig",
}
"""Value of Kamaji's certificate lifecycle label by suffix; what is not here has none."""


def secret(
    tenant: TenantControlPlane,
    *,
    suffix: str,
    data: Mapping[str, bytes],
    annotations: Mapping[str, str] | None = None,
    lifecycle: str = "",
    kind: str = "Opaque",
) -> dict[str, Any]:
    """Build a Secret.

    Args:
        tenant: its owner.
        suffix: of its name, also its component.
        data: its content, not yet encoded.
        annotations: beside Kamaji's checksum of the content.
        lifecycle: value of the certificate lifecycle label; empty for that of the suffix, if it has one.
        kind: the Secret's type.
    """
    lifecycle = lifecycle or LIFECYCLES.get(suffix, "")
    labels = {wire.CERTIFICATE_LIFECYCLE_LABEL: lifecycle} if lifecycle else {}
    metadata = owned_metadata(
        tenant,
        component=suffix,
        suffix=suffix,
        labels=labels,
        annotations={**(annotations or {}), wire.CHECKSUM_ANNOTATION: checksum(data)},
    )
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": kind, "data": encoded(data)}


def encoded(data: Mapping[str, bytes]) -> dict[str, str]:
    """Encode a Secret's data, in the order of its keys."""
    return {key: base64.b64encode(value).decode() for key, value in sorted(data.items())}
