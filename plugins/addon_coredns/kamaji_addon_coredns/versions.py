"""Which CoreDNS goes with which Kubernetes: what kubeadm of that minor installs."""

from __future__ import annotations

BY_MINOR = {
    30: "v1.11.1",
    31: "v1.11.3",
    32: "v1.11.3",
    33: "v1.12.0",
    34: "v1.12.1",
    35: "v1.13.1",
    36: "v1.14.2",
    37: "v1.14.6",
}


def version_for(kubernetes: str) -> str:
    """Give the version of CoreDNS for a version of Kubernetes such as `v1.37.1`; the newest known one not above it."""
    minor = int(kubernetes.split(".")[1])
    return BY_MINOR[max((known for known in BY_MINOR if known <= minor), default=min(BY_MINOR))]
