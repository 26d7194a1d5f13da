"""What plugins want signed, as material like any other: judged, renewed and made anew by the same checks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kamaji_core.certificates.material import (
    CA,
    ControlPlaneNames,
    KubeconfigUser,
    KubeconfigWanted,
    LeafWanted,
    MaterialSpec,
)
from kamaji_core.pki import CertificateRequest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kamaji_core.contracts import Certificate, ControlPlaneParts, Kubeconfig

LEAF_FILE = "tls"
"""Base name of a plugin's certificate in its Secret, whose type is Kubernetes' own for such."""


def plugin_material(parts: Iterable[ControlPlaneParts], names: ControlPlaneNames) -> Iterator[MaterialSpec]:
    """List what plugins' parts want signed.

    Args:
        parts: of the tenant's pods.
        names: that its kubeconfigs depend on.
    """
    for part in parts:
        yield from (_certificate(one) for one in part.certificates)
        yield from (_kubeconfig(one, names) for one in part.kubeconfigs)


def _certificate(wanted: Certificate) -> LeafWanted:
    request = CertificateRequest(
        common_name=wanted.common_name,
        organizations=wanted.organizations,
        usages=wanted.usages,
        names=wanted.names,
    )
    return LeafWanted(suffix=wanted.suffix, authority=CA, file=LEAF_FILE, request=request)


def _kubeconfig(wanted: Kubeconfig, names: ControlPlaneNames) -> KubeconfigWanted:
    host = "127.0.0.1" if wanted.server == "loopback" else f"{names.tenant}.{names.namespace}.svc"
    user = KubeconfigUser(
        name=wanted.user,
        organizations=wanted.organizations,
        servers={wanted.key: f"https://{host}:{names.port}"},
    )
    return KubeconfigWanted(suffix=wanted.suffix, authority=CA, cluster="kubernetes", users=(user,))
