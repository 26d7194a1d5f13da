"""Where a Deployment's rollout stands: whether new pods run, and since when no earlier pod does.

An earlier login at the store may be ended only when nothing runs with it. A pod that ends is no longer counted among
the replicas, yet its API server still answers what was under way.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

MARGIN = timedelta(seconds=5)
"""For the clocks of the management cluster and the kubelet's last step."""


def is_rolled_out(deployment: Mapping[str, Any]) -> bool:
    """Whether all of its pods that are not ending are of the present template."""
    status = deployment.get("status", {})
    counts = {status.get(name, 0) for name in ("replicas", "updatedReplicas")}
    return deployment["metadata"].get("generation") == status.get("observedGeneration") and len(counts) == 1


def earlier_pods_end(deployment: Mapping[str, Any]) -> datetime | None:
    """Tell from when on no pod of an earlier template runs; None while an event of the Deployment must be waited for.

    The Deployment itself tells of pods that end from Kubernetes 1.35 on; before, they are given their grace period.
    """
    status = deployment.get("status", {})
    if not is_rolled_out(deployment) or status.get("terminatingReplicas"):
        return None
    conditions: list[dict[str, Any]] = status.get("conditions") or []
    progressing = next((one for one in conditions if one.get("type") == "Progressing"), {})
    if status.get("replicas", 0) and progressing.get("reason") != "NewReplicaSetAvailable":
        return None
    moved = progressing.get("lastUpdateTime")
    moment = datetime.fromisoformat(moved) if moved else datetime.fromisoformat("1970-01-01T00:00:00+00:00")
    if "terminatingReplicas" in status:
        return moment
    grace = deployment["spec"].get("template", {}).get("spec", {}).get("terminationGracePeriodSeconds", 30)
    return moment + timedelta(seconds=grace) + MARGIN
