"""What a plugin adds to a tenant's control plane pods, as plain data.

The Deployment builder merges these parts and so needs to know no driver and no add-on. Kept as dataclasses rather
than as Kubernetes manifests so that a plugin can say only what the contract allows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kamaji_core.pki import Usage

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
    """A pod volume: what one Secret or ConfigMap holds, a claimed one, or an empty one that the containers share.

    Args:
        name: of the volume, unique within the pod.
        secret: name of the Secret in the tenant's namespace.
        items: key to path inside the volume; empty means every key under its own name.
        mode: permissions of the files; None for Kubernetes' own.
        config_map: name of the ConfigMap in the tenant's namespace whose content it is.
        claim: suffix of a `VolumeClaim` of the same parts.
        medium: of an empty volume, `Memory` or empty for the node's disk.
    """

    name: str
    secret: str = ""
    items: Mapping[str, str] = field(default_factory=dict)
    mode: int | None = None
    config_map: str = ""
    claim: str = ""
    medium: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigMap:
    """A ConfigMap in the tenant's namespace.

    Args:
        suffix: of its name, which begins with the tenant's.
        data: its content.
    """

    suffix: str
    data: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """A certificate of the tenant's own authority, in a Secret with `tls.crt` and `tls.key`.

    It is renewed in time, and made anew when its authority, its subject or a name is another.

    Args:
        suffix: of the Secret's name, which begins with the tenant's.
        common_name: of its subject.
        usages: what it is for.
        organizations: of its subject: the groups of a client. None of them gives more than its holder needs.
        names: under which a server is reached, host names and addresses.
    """

    suffix: str
    common_name: str
    usages: frozenset[Usage]
    organizations: tuple[str, ...] = ()
    names: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Kubeconfig:
    """A kubeconfig for the tenant's API server, in a Secret, with a client certificate of the tenant's authority.

    Args:
        suffix: of the Secret's name, which begins with the tenant's.
        key: in the Secret.
        user: common name of the certificate.
        organizations: the groups of the user.
        server: `loopback` for a container of the same pod, `service` for one of the management cluster.
    """

    suffix: str
    key: str
    user: str
    organizations: tuple[str, ...] = ()
    server: Literal["loopback", "service"] = "loopback"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePort:
    """A further port of the tenant's Service, TCP, with the same number on nodes where the Service has one there.

    Args:
        name: of the port.
        port: of the Service and of the pods.
        app_protocol: as in Kubernetes; empty for none.
    """

    name: str
    port: int
    app_protocol: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A way to a port of the tenant's Service through the gateway of a tenant that has one.

    It has the tenant's host name, and goes in where the gateway listens under the port's name.

    Args:
        suffix: of the route's name, which begins with the tenant's.
        port_name: of a `ServicePort` of the same parts.
    """

    suffix: str
    port_name: str


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
        security_context: the container's, as in Kubernetes; empty leaves it to the pod's.
    """

    name: str
    image: str
    command: tuple[str, ...]
    environment: tuple[EnvironmentVariable, ...] = ()
    requests: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, str] = field(default_factory=dict)
    health: HealthCheck | None = None
    security_context: Mapping[str, Any] = field(default_factory=dict)


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
    certificates: tuple[Certificate, ...] = ()
    kubeconfigs: tuple[Kubeconfig, ...] = ()
    config_maps: tuple[ConfigMap, ...] = ()
    service_ports: tuple[ServicePort, ...] = ()
    routes: tuple[Route, ...] = ()
    claims: tuple[VolumeClaim, ...] = ()
    volumes: tuple[Volume, ...] = ()
    mounts: tuple[Mount, ...] = ()
    restart_on: tuple[RestartOn, ...] = ()
