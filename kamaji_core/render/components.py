"""The three containers of a control plane and their flags, from kubeadm's set by way of Kamaji's.

Startup probes run every second with a long allowance, readiness and liveness every ten: the kubelet runs readiness
at once when startup succeeds, so a tenant is Ready within a second of answering, while a fleet of one-second
readiness probes would cost a node more than the operator does.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kamaji_core.api.versions import parse_version
from kamaji_core.render.sidecars import mounts_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kamaji_core.api.tenant_control_plane import TenantControlPlane
    from kamaji_core.contracts.parts import Component, ControlPlaneParts, Flag

PKI = "/etc/kubernetes/pki"
API_SERVER: Component = "kube-apiserver"
CONTROLLER_MANAGER: Component = "kube-controller-manager"
SCHEDULER: Component = "kube-scheduler"

STARTUP_ALLOWANCE_SECONDS = 600
"""How long a component may take to answer for the first time before the kubelet restarts it."""

PROBE_TIMEOUT_SECONDS = 5

SHUTDOWN_DELAY_SECONDS = 3
"""How long an API server that is to end goes on taking new connections, until nodes' rules lead nobody to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentTemplate:
    """One component before a plugin's parts are merged into it.

    Args:
        name: of the container and of its command.
        image: name of its image in the tenant's registry settings.
        port: where it serves and is probed, HTTPS.
        live_path: of the liveness and startup probes.
        ready_path: of the readiness probe.
        flags: by name, with their values.
        mounts: path by volume name.
    """

    name: Component
    image: str
    port: int
    live_path: str
    ready_path: str
    flags: Mapping[str, str]
    mounts: Mapping[str, str] = field(default_factory=dict)


def api_server(tenant: TenantControlPlane, *, address: str) -> ComponentTemplate:
    """The API server; where its data lives is told by the driver's parts.

    Args:
        tenant: whose.
        address: the management-side address, advertised unless the tenant declares another.
    """
    profile = tenant.spec.network_profile
    flags = {
        "--advertise-address": profile.advertise_address or address,
        "--allow-privileged": "true",
        "--authorization-mode": "Node,RBAC",
        "--client-ca-file": f"{PKI}/ca.crt",
        "--enable-admission-plugins": ",".join(tenant.spec.kubernetes.admission_controllers),
        "--enable-bootstrap-token-auth": "true",
        "--kubelet-client-certificate": f"{PKI}/apiserver-kubelet-client.crt",
        "--kubelet-client-key": f"{PKI}/apiserver-kubelet-client.key",
        "--kubelet-preferred-address-types": ",".join(tenant.spec.kubernetes.kubelet.preferred_address_types),
        "--proxy-client-cert-file": f"{PKI}/front-proxy-client.crt",
        "--proxy-client-key-file": f"{PKI}/front-proxy-client.key",
        "--requestheader-allowed-names": "front-proxy-client",
        "--requestheader-client-ca-file": f"{PKI}/front-proxy-ca.crt",
        "--requestheader-extra-headers-prefix": "X-Remote-Extra-",
        "--requestheader-group-headers": "X-Remote-Group",
        "--requestheader-username-headers": "X-Remote-User",
        "--secure-port": str(profile.port),
        "--service-account-issuer": f"https://kubernetes.default.svc.{profile.cluster_domain}",
        "--service-account-key-file": f"{PKI}/sa.pub",
        "--service-account-signing-key-file": f"{PKI}/sa.key",
        "--service-cluster-ip-range": ",".join(profile.service_networks),
        "--shutdown-delay-duration": f"{SHUTDOWN_DELAY_SECONDS}s",
        # Who is still connected then is told to come again, over another connection, instead of being refused.
        "--shutdown-send-retry-after": "true",
        "--tls-cert-file": f"{PKI}/apiserver.crt",
        "--tls-private-key-file": f"{PKI}/apiserver.key",
    }
    return ComponentTemplate(
        name=API_SERVER,
        image=tenant.spec.control_plane.deployment.registry_settings.api_server_image,
        port=profile.port,
        live_path="/livez",
        ready_path="/readyz",
        flags=flags,
        mounts={"etc-kubernetes-pki": PKI},
    )


def controller_manager(tenant: TenantControlPlane) -> ComponentTemplate:
    """The controller manager, which alone holds the authority's key: it signs the nodes' certificates."""
    profile = tenant.spec.network_profile
    kubeconfig = "/etc/kubernetes/controller-manager.conf"
    flags = {
        "--allocate-node-cidrs": "true",
        "--authentication-kubeconfig": kubeconfig,
        "--authorization-kubeconfig": kubeconfig,
        "--bind-address": "0.0.0.0",  # noqa: S104 - the kubelet probes it at the pod's address
        "--client-ca-file": f"{PKI}/ca.crt",
        "--cluster-cidr": ",".join(profile.pod_networks),
        "--cluster-name": tenant.metadata.name,
        "--cluster-signing-cert-file": f"{PKI}/ca.crt",
        "--cluster-signing-key-file": f"{PKI}/ca.key",
        "--controllers": "*,bootstrapsigner,tokencleaner",
        "--kubeconfig": kubeconfig,
        "--leader-elect": "true",
        "--requestheader-client-ca-file": f"{PKI}/front-proxy-ca.crt",
        "--root-ca-file": f"{PKI}/ca.crt",
        "--service-account-private-key-file": f"{PKI}/sa.key",
        "--service-cluster-ip-range": ",".join(profile.service_networks),
        "--use-service-account-credentials": "true",
    }
    return ComponentTemplate(
        name=CONTROLLER_MANAGER,
        image=tenant.spec.control_plane.deployment.registry_settings.controller_manager_image,
        port=10257,
        live_path="/healthz",
        ready_path="/healthz",
        flags=flags,
        mounts={"controller-manager-kubeconfig": "/etc/kubernetes", "controller-manager-pki": PKI},
    )


def scheduler(tenant: TenantControlPlane) -> ComponentTemplate:
    """The scheduler, which needs its kubeconfig and nothing else."""
    kubeconfig = "/etc/kubernetes/scheduler.conf"
    flags = {
        "--authentication-kubeconfig": kubeconfig,
        "--authorization-kubeconfig": kubeconfig,
        "--bind-address": "0.0.0.0",  # noqa: S104 - the kubelet probes it at the pod's address
        "--kubeconfig": kubeconfig,
        "--leader-elect": "true",
    }
    return ComponentTemplate(
        name=SCHEDULER,
        image=tenant.spec.control_plane.deployment.registry_settings.scheduler_image,
        port=10259,
        live_path="/healthz",
        ready_path="/healthz",
        flags=flags,
        mounts={"scheduler-kubeconfig": "/etc/kubernetes"},
    )


def container(
    tenant: TenantControlPlane, template: ComponentTemplate, parts: Iterable[ControlPlaneParts]
) -> dict[str, Any]:
    """Build one container with the plugins' flags and mounts merged in."""
    parts = tuple(parts)
    registry = tenant.spec.control_plane.deployment.registry_settings
    flags = {**template.flags, **_plugin_flags(template.name, parts)}
    mounts = [{"name": volume, "mountPath": path, "readOnly": True} for volume, path in template.mounts.items()]
    mounts += mounts_of(template.name, parts)
    version = parse_version(tenant.spec.kubernetes.version)  # users may leave out the v, images may not
    image = f"{registry.registry}/{template.image}:{version}{registry.tag_suffix}"
    return {
        "name": template.name,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": [template.name],
        "args": [f"{name}={value}" if value else name for name, value in sorted(flags.items())],
        "startupProbe": _probe(template, template.live_path, period=1, failures=STARTUP_ALLOWANCE_SECONDS),
        "livenessProbe": _probe(template, template.live_path, period=10, failures=6),
        "readinessProbe": _probe(template, template.ready_path, period=10, failures=3),
        "volumeMounts": mounts,
    }


def _plugin_flags(component: Component, parts: Iterable[ControlPlaneParts]) -> dict[str, str]:
    flags: list[Flag] = [flag for part in parts for flag in part.flags if flag.component == component]
    return {flag.name: flag.value for flag in flags}


def _probe(template: ComponentTemplate, path: str, *, period: int, failures: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": path, "port": template.port, "scheme": "HTTPS"},
        "timeoutSeconds": PROBE_TIMEOUT_SECONDS,
        "periodSeconds": period,
        "failureThreshold": failures,
    }
