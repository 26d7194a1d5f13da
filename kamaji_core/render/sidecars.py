"""What plugins want beside the control plane's own containers: their containers, their volumes, their claims.

A plugin's container must be there before the API server asks it for anything and until the API server asks nothing
more. Native sidecars (Kubernetes 1.29) promise both; an older management cluster gets an ordinary container.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kamaji_core.render.owned import object_name, owned_metadata

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kamaji_core.api.tenant_control_plane import TenantControlPlane
    from kamaji_core.contracts import (
        ConfigMap,
        Container,
        ControlPlaneParts,
        EnvironmentVariable,
        HealthCheck,
        Volume,
        VolumeClaim,
    )

CLAIM_COMPONENT = "volume"
HEALTH_STARTUP_SECONDS = 120
"""How long a plugin's container may take to answer for the first time before the kubelet restarts it."""


def sidecars(parts: Iterable[ControlPlaneParts], *, native: bool) -> list[dict[str, Any]]:
    """Build the plugins' containers.

    Args:
        parts: what the plugins want.
        native: they become init containers that go on running, otherwise ordinary ones.
    """
    parts = tuple(parts)
    return [_sidecar(container, parts, native=native) for part in parts for container in part.containers]


def mounts_of(container: str, parts: Iterable[ControlPlaneParts]) -> list[dict[str, Any]]:
    """What plugins mount into one container."""
    return [
        {"name": mount.volume, "mountPath": mount.path, "readOnly": mount.read_only}
        for part in parts
        for mount in part.mounts
        if mount.component == container
    ]


def volumes(tenant: TenantControlPlane, parts: Iterable[ControlPlaneParts]) -> list[dict[str, Any]]:
    """The plugins' pod volumes."""
    return [{"name": volume.name, **_source(tenant, volume)} for part in parts for volume in part.volumes]


def pod_security(parts: Iterable[ControlPlaneParts]) -> dict[str, Any]:
    """The pod's security context; empty where no claim asks for one."""
    groups = {claim.group for part in parts for claim in part.claims if claim.group is not None}
    # What is right already is not gone through at each start: a database's files are many.
    return {"fsGroup": min(groups), "fsGroupChangePolicy": "OnRootMismatch"} if groups else {}


def volume_claim(tenant: TenantControlPlane, claim: VolumeClaim) -> dict[str, Any]:
    """Build a PersistentVolumeClaim, which is made once: most of it cannot be changed."""
    spec: dict[str, Any] = {
        "accessModes": [claim.access_mode],
        "resources": {"requests": {"storage": claim.size}},
    }
    if claim.storage_class:
        spec["storageClassName"] = claim.storage_class
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": owned_metadata(tenant, component=CLAIM_COMPONENT, suffix=claim.suffix),
        "spec": spec,
    }


def config_map(tenant: TenantControlPlane, wanted: ConfigMap) -> dict[str, Any]:
    """Build a plugin's ConfigMap."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": owned_metadata(tenant, component=wanted.suffix, suffix=wanted.suffix),
        "data": dict(wanted.data),
    }


def _sidecar(container: Container, parts: tuple[ControlPlaneParts, ...], *, native: bool) -> dict[str, Any]:
    built: dict[str, Any] = {
        "name": container.name,
        "image": container.image,
        "imagePullPolicy": "IfNotPresent",
        "command": list(container.command),
        "env": [_variable(variable) for variable in container.environment],
        "resources": {"requests": dict(container.requests), "limits": dict(container.limits)},
        "securityContext": dict(container.security_context),
        "volumeMounts": mounts_of(container.name, parts),
    }
    if native:
        built["restartPolicy"] = "Always"
    if container.health:
        built["startupProbe"] = _probe(container.health, period=1, failures=HEALTH_STARTUP_SECONDS)
        built["livenessProbe"] = _probe(container.health, period=10, failures=6)
    return {name: value for name, value in built.items() if value}


def _variable(variable: EnvironmentVariable) -> dict[str, Any]:
    if not variable.secret:
        return {"name": variable.name, "value": variable.value}
    return {
        "name": variable.name,
        "valueFrom": {"secretKeyRef": {"name": variable.secret, "key": variable.key}},
    }


def _probe(check: HealthCheck, *, period: int, failures: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": check.path, "port": check.port, "scheme": check.scheme},
        "timeoutSeconds": 5,
        "periodSeconds": period,
        "failureThreshold": failures,
    }


def _source(tenant: TenantControlPlane, volume: Volume) -> dict[str, Any]:
    if volume.claim:
        return {"persistentVolumeClaim": {"claimName": object_name(tenant, volume.claim)}}
    if not (volume.secret or volume.config_map):
        return {"emptyDir": {"medium": volume.medium} if volume.medium else {}}
    source: dict[str, Any] = {"secretName": volume.secret} if volume.secret else {"name": volume.config_map}
    if volume.items:
        source["items"] = [{"key": key, "path": path} for key, path in volume.items.items()]
    if volume.mode is not None:
        source["defaultMode"] = volume.mode
    return {"secret" if volume.secret else "configMap": source}
