"""What a plugin adds to a tenant's control plane pods, as plain data.

The Deployment builder merges these parts and so needs to know no driver and no add-on. Kept as dataclasses rather
than as Kubernetes manifests so that a plugin can say only what the contract allows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Component = Literal["kube-apiserver", "kube-controller-manager", "kube-scheduler"]
"""The containers that every control plane has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """A command-line flag of one component.

    Args:
        component: the container that gets it.
        name: with its dashes, `--etcd-servers`.
        value: empty for a bare flag.
        managed: a managed flag always wins over the user's extra arguments; otherwise the user's wins.
    """

    component: Component
    name: str
    value: str = ""
    managed: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeClaim:
    """A PersistentVolumeClaim in the tenant's namespace, made once and removed with the tenant.

    Args:
        suffix: of its name, which begins with the tenant's.
        size: a Kubernetes quantity such as `10Gi`.
        storage_class: empty for the management cluster's default.
        access_mode: as in Kubernetes.
        group: numeric group that may write to it, for a container that does not run as root; it becomes the pod's
            `fsGroup`, so that all claims of a pod must name the same. None leaves it as the storage makes it.
    """

    suffix: str
    size: str
    storage_class: str = ""
    access_mode: str = "ReadWriteOnce"
    group: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """A pod volume: the content of one Secret, a claimed one, or an empty one that the pod's containers share.

    Args:
        name: of the volume, unique within the pod.
        secret: name of the Secret in the tenant's namespace.
        items: key to path inside the volume; empty means every key under its own name.
        mode: permissions of the Secret's files; None for Kubernetes' own.
        claim: suffix of a `VolumeClaim` of the same parts.
        medium: of an empty volume, `Memory` or empty for the node's disk.
    """

    name: str
    secret: str = ""
    items: Mapping[str, str] = field(default_factory=dict)
    mode: int | None = None
    claim: str = ""
    medium: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A volume seen by one container.

    Args:
        component: one of the control plane's containers or a `Container` of the same parts.
        volume: name of a `Volume` of the same parts.
        path: absolute mount path.
        read_only: as in Kubernetes; on by default.
    """

    component: str
    volume: str
    path: str
    read_only: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentVariable:
    """A variable of a container: a value that anybody may read, or one that lies in a Secret.

    Args:
        name: of the variable.
        value: what is no secret.
        secret: name of the Secret in the tenant's namespace that holds the value; empty when `value` is meant.
        key: the key in it.
    """

    name: str
    value: str = ""
    secret: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthCheck:
    """How the kubelet sees that a container has started and lives: HTTP at the pod's own address.

    Args:
        path: that answers 200.
        port: where.
        scheme: `HTTP` or `HTTPS`.
    """

    path: str
    port: int
    scheme: str = "HTTP"


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A container that runs beside the control plane for as long as it does.

    It starts before the control plane's own containers and ends after them, where the management cluster has native
    sidecars (Kubernetes 1.29 and newer); before that, it starts and ends together with them.

    Args:
        name: of the container, unique within the pod.
        image: complete reference.
        command: the program and its arguments; no secret stands here.
        environment: its variables.
        requests: quantities by resource, such as `{"cpu": "10m"}`.
        limits: the same for its bounds.
        health: how it is checked; None leaves it to its exit.
    """

    name: str
    image: str
    command: tuple[str, ...]
    environment: tuple[EnvironmentVariable, ...] = ()
    requests: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, str] = field(default_factory=dict)
    health: HealthCheck | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartOn:
    """A Secret's key that a component reads once: its change must roll the pods.

    Args:
        name: short name for the pod template's digest annotation.
        secret: name of the Secret in the tenant's namespace.
        key: the key in it.
    """

    name: str
    secret: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlPlaneParts:
    """Everything one plugin adds to one tenant's control plane pods.

    What it does not name is left out of the digest that decides about rollouts, so that new fields of the contract roll
    nothing.
    """

    flags: tuple[Flag, ...] = ()
    containers: tuple[Container, ...] = ()
    claims: tuple[VolumeClaim, ...] = ()
    volumes: tuple[Volume, ...] = ()
    mounts: tuple[Mount, ...] = ()
    restart_on: tuple[RestartOn, ...] = ()
