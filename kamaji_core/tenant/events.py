"""What is told of a tenant in Events: the sentences of its conditions when they turn, and what was done to it.

Pure. A condition that only waits for the next step is not news, so that a new tenant costs two or three Events.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from kamaji_core.api.conditions import TenantCondition, TenantReason
from kamaji_core.contracts import TenantEvent
from kamaji_core.tenant.plan import Apply, ReplaceSecret, Scale

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from kamaji_core.api.conditions import Condition
    from kamaji_core.api.tenant_control_plane import TenantControlPlane
    from kamaji_core.kube import EventType
    from kamaji_core.tenant.plan import Change


class Said(NamedTuple):
    """One Event about a tenant."""

    type: EventType
    reason: str
    message: str


ROUTINE = frozenset({TenantReason.PENDING, TenantReason.ENDPOINT_PENDING, TenantReason.WAITING_FOR_PODS})
"""Reasons of conditions that are on their way."""

AS_IT_SHOULD_BE = frozenset({TenantReason.READY, TenantReason.BOOTSTRAPPED, TenantReason.ADDONS_APPLIED})
"""Reasons of conditions that are true and stay so; only `Ready` is told."""

NORMAL = frozenset({TenantReason.READY, TenantReason.QUEUED, TenantReason.SLEEPING, TenantReason.PAUSED})
"""Reasons that are nobody's trouble."""

MOST_PATHS = 3


def turns(before: Iterable[Condition], after: Iterable[Condition]) -> list[Said]:
    """Tell what turned between two states of a tenant's conditions.

    `Ready` is told when it becomes true and when it ceases to be; why, its fellows tell.
    """
    known = {condition.type: condition for condition in before}
    said = []
    for condition in after:
        previous = known.get(condition.type)
        if previous and _content(previous) == _content(condition):
            continue
        was_true = previous is not None and previous.status == "True"
        if condition.type == TenantCondition.READY:
            if condition.status == "True" and not was_true:
                said.append(Said("Normal", condition.reason, condition.message))
            elif was_true and condition.status != "True" and condition.reason in ROUTINE:
                said.append(Said("Warning", "NotReady", condition.message))
        elif condition.reason in AS_IT_SHOULD_BE or condition.reason in ROUTINE:
            continue
        else:
            kind: EventType = "Normal" if condition.reason in NORMAL else "Warning"
            said.append(Said(kind, condition.reason, condition.message))
    return list(dict.fromkeys(said))


def deeds(changes: Sequence[Change]) -> list[Said]:
    """Tell what was done to a tenant that users would want to know later: renewals and rollouts."""
    said = []
    renewed = sorted(change.manifest["metadata"]["name"] for change in changes if isinstance(change, ReplaceSecret))
    if renewed:
        said.append(Said("Normal", TenantReason.RENEWED, f"Renewed {', '.join(renewed)}."))
    for change in changes:
        if isinstance(change, Apply) and change.because and change.starts_pods:
            # Our own records on the Deployment change with every rollout and say nothing.
            causes = [path for path in change.because if not path.startswith("metadata.")]
            paths = ", ".join(causes[:MOST_PATHS])
            more = f" and {len(causes) - MOST_PATHS} more" if len(causes) > MOST_PATHS else ""
            said.append(Said("Normal", TenantReason.ROLLING_OUT, f"The pods change in {paths}{more}."))
        elif isinstance(change, Scale):
            said.append(Said("Normal", TenantReason.ROLLING_OUT, f"Scaled to {change.replicas} pods."))
    return said


def milestones(tenant: TenantControlPlane, status: Mapping[str, Any]) -> list[TenantEvent]:
    """Tell which turns in a tenant's life a change of its status is.

    Args:
        tenant: as it was.
        status: the merge patch of its status.
    """
    conditions = status.get("conditions") or ()
    now_ready = [one["status"] == "True" for one in conditions if one["type"] == TenantCondition.READY]
    was_ready = any(one.status == "True" for one in tenant.status.conditions if one.type == TenantCondition.READY)
    turned = []
    if not tenant.status.conditions:
        turned.append(TenantEvent.CREATED)
    if now_ready and now_ready[0] != was_ready:
        turned.append(TenantEvent.READY if now_ready[0] else TenantEvent.NOT_READY)
    before = tenant.status.kubernetes_resources.version.version
    after = status.get("kubernetesResources", {}).get("version", {}).get("version")
    if before and after and after != before:
        turned.append(TenantEvent.UPGRADED)
    # A new tenant is not ready, which is no turn.
    return [one for one in turned if one is not TenantEvent.NOT_READY or was_ready]


def _content(condition: Condition) -> tuple[str, str, str]:
    return condition.status, condition.reason, condition.message
