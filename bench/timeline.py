"""When each tenant reached each stage of its way to Ready, from what the watches tell.

The stages are read from objects of the management cluster alone (the tenant's own object, its Deployment, its pods),
so that they mean the same for every operator that has this API. A moment is that of the first event that shows a
stage, on this process's clock.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from kamaji_core.api.labels import COMPONENT_LABEL, NAME_LABEL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DEPLOYMENT = "Deployment created"
POD = "pod created"
STARTED = "containers started"
POD_READY = "pod Ready"
DEPLOYMENT_READY = "Deployment ready"
READY = "tenant Ready"
PUT_BACK = "Service put back"
GONE = "tenant gone"
STAGES = (DEPLOYMENT, POD, STARTED, POD_READY, DEPLOYMENT_READY, READY, PUT_BACK, GONE)
"""In the order in which they come about."""
CONDITION_PREFIX = "condition "

DRIFTED = "drifted"
"""Value of the component label of a Service that a measurement has changed; the operator must put its own back."""


class Timeline:
    """The moments since some beginning; each event is told to it, and nothing else changes it.

    Args:
        clock: seconds, as of `time.monotonic`.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.began = clock()
        self._clock = clock
        self._moments: dict[str, dict[str, float]] = {}
        self._restarts: dict[tuple[str, str], int] = {}

    def tell(self, obj: dict[str, Any], *, gone: bool = False) -> None:
        """Take note of an object as it is now, or that it is gone."""
        tenant = tenant_of(obj)
        now = self._clock()
        for stage in _stages_of_absence(obj) if gone else stages_shown(obj):
            self._moments.setdefault(stage, {}).setdefault(tenant, now)
        if obj["kind"] == "Pod":
            for status in obj.get("status", {}).get("containerStatuses", []):
                self._restarts[obj["metadata"]["name"], status["name"]] = status["restartCount"]

    def at(self, stage: str) -> dict[str, float]:
        """When each tenant reached a stage, seconds after the beginning."""
        return {tenant: moment - self.began for tenant, moment in self._moments.get(stage, {}).items()}

    def has(self, tenant: str, stage: str) -> bool:
        """Whether a tenant reached a stage."""
        return tenant in self._moments.get(stage, {})

    def reached(self, stage: str) -> int:
        """How many tenants reached a stage."""
        return len(self._moments.get(stage, {}))

    def stages(self) -> list[str]:
        """Every stage that a tenant reached: the known ones in their order, then conditions by name."""
        conditions = sorted(stage for stage in self._moments if stage.startswith(CONDITION_PREFIX))
        return [stage for stage in (*STAGES, *conditions) if stage in self._moments]

    def restarts(self) -> dict[str, int]:
        """How often containers were restarted, by the container's name; those that were not are left out."""
        found: Counter[str] = Counter()
        for (_, container), count in self._restarts.items():
            found[container] += count
        return {name: count for name, count in sorted(found.items()) if count}


def tenant_of(obj: dict[str, Any]) -> str:
    """Name of the tenant that an object belongs to: in its label, or the object's own."""
    metadata = obj["metadata"]
    return str((metadata.get("labels") or {}).get(NAME_LABEL) or metadata["name"])


def stages_shown(obj: dict[str, Any]) -> Iterator[str]:
    """The stages that an object, as it is, shows to be reached."""
    kind = obj["kind"]
    if kind == "Pod":
        yield from _pod_stages(obj)
    elif kind == "Deployment":
        yield DEPLOYMENT
        if deployment_is_ready(obj):
            yield DEPLOYMENT_READY
    elif kind == "TenantControlPlane":
        for condition in obj.get("status", {}).get("conditions", []):
            if condition["status"] == "True":
                yield f"{CONDITION_PREFIX}{condition['type']}"
        if tenant_is_ready(obj):
            yield READY
    elif kind == "Service" and (obj["metadata"].get("labels") or {}).get(COMPONENT_LABEL) != DRIFTED:
        yield PUT_BACK


def _stages_of_absence(obj: dict[str, Any]) -> tuple[str, ...]:
    return (GONE,) if obj["kind"] == "TenantControlPlane" else ()


def _pod_stages(pod: dict[str, Any]) -> Iterator[str]:
    yield POD
    status = pod.get("status", {})
    containers = status.get("containerStatuses", [])
    if len(containers) == len(pod["spec"]["containers"]) and all("running" in one["state"] for one in containers):
        yield STARTED
    if pod_is_ready(pod):
        yield POD_READY


def pod_is_ready(pod: dict[str, Any]) -> bool:
    """Whether its condition Ready is true."""
    conditions = pod.get("status", {}).get("conditions", [])
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def deployment_is_ready(deployment: dict[str, Any]) -> bool:
    """Whether all its pods are of the present template, Ready and alone; one without pods is not ready."""
    wanted = deployment["spec"]["replicas"]
    status = deployment.get("status", {})
    counts = [status.get(name, 0) for name in ("replicas", "updatedReplicas", "readyReplicas")]
    is_current = status.get("observedGeneration", 0) >= deployment["metadata"].get("generation", 0)
    return bool(wanted and is_current and counts == [wanted] * 3)


def tenant_is_ready(tenant: dict[str, Any]) -> bool:
    """Whether Kamaji's own status says Ready."""
    version = tenant.get("status", {}).get("kubernetesResources", {}).get("version", {})
    return bool(version.get("status") == "Ready")
