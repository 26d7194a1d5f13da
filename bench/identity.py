"""The operator's own user at the management cluster, so that the audit log tells its requests from everyone else's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from kamaji_core.pki import CertificateRequest, KeyPair, Usage, issue_certificate, kubeconfig
from kamaji_core.testing import write_private
from sandbox.places import API_URL, NAME

if TYPE_CHECKING:
    from pathlib import Path

USER = "kamaji-operator"
GROUP = "system:masters"
_LIFETIME = timedelta(days=1)


def write_kubeconfig(path: Path, *, ca: KeyPair, now: datetime | None = None) -> Path:
    """Issue a client certificate and write the kubeconfig that holds it, readable by its owner alone.

    Args:
        path: where to.
        ca: the management cluster's authority.
        now: when the certificate begins; the present when not given.
    """
    request = CertificateRequest(common_name=USER, usages=frozenset({Usage.CLIENT}), organizations=(GROUP,))
    client = issue_certificate(request, ca=ca, now=now or datetime.now(UTC), lifetime=_LIFETIME)
    content = kubeconfig(cluster=NAME, server=API_URL, ca=ca.certificate, user=USER, client=client)
    return write_private(path, content)
