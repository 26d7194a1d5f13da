"""Which konnectivity goes with which Kubernetes: its minors follow Kubernetes'.

Servers are counted by Leases, so that another number of replicas is no rollout; before 0.31 there was no such thing,
and the protocol between a server and its agents is older than that.
"""

from __future__ import annotations

import re

BY_MINOR = {31: "v0.31.4", 34: "v0.34.0", 36: "v0.36.0"}
OLDEST = (0, 31)
_VERSION = re.compile(r"v?(\d+)\.(\d+)\.")


def version_for(kubernetes: str) -> str:
    """Give the version for one of Kubernetes such as `v1.37.1`: the newest known one not above it."""
    minor = int(kubernetes.split(".")[1])
    return BY_MINOR[max((known for known in BY_MINOR if known <= minor), default=min(BY_MINOR))]


def is_too_old(version: str) -> bool:
    """Whether a tag names a version that cannot count servers by Leases; a tag that names none is believed."""
    match = _VERSION.match(version)
    return match is not None and (int(match[1]), int(match[2])) < OLDEST
