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
class Volume:
    """A pod volume with the content of one Secret.

    Args:
        name: of the volume, unique within the pod.
        secret: name of the Secret in the tenant's namespace.
        items: key to path inside the volume; empty means every key under its own name.
    """

    name: str
    secret: str
    items: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A volume seen by one component.

    Args:
        component: the container.
        volume: name of a `Volume` of the same parts.
        path: absolute mount path.
        read_only: as in Kubernetes; on by default.
    """

    component: Component
    volume: str
    path: str
    read_only: bool = True


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
    """Everything one plugin adds to one tenant's control plane pods."""

    flags: tuple[Flag, ...] = ()
    volumes: tuple[Volume, ...] = ()
    mounts: tuple[Mount, ...] = ()
    restart_on: tuple[RestartOn, ...] = ()
