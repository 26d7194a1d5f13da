"""The tunnel's end on the tenant's nodes, and the rights of both ends inside the tenant's cluster.

Agents reach the API server as nodes do, not through a Service, which may not work before the tunnel does. They read
the authority's certificate once, so it lies in a ConfigMap of theirs and its change restarts them.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from kamaji_addon_konnectivity.arguments import command, flags_of
from kamaji_addon_konnectivity.config import ADMIN_PORT, HEALTH_PORT
from kamaji_addon_konnectivity.server import AGENT, AGENT_NAMESPACE, KEEPALIVE, USER
from kamaji_addon_konnectivity.versions import version_for
from kamaji_core.contracts import TenantObject

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kamaji_addon_konnectivity.config import KonnectivityConfig
    from kamaji_core.contracts import TenantView

POD_LABELS = {"k8s-app": AGENT}
RBAC = "rbac.authorization.k8s.io"
AUTHORITY = f"{AGENT}-ca"
AUTHORITY_DIRECTORY = "/etc/konnectivity"
TOKEN_DIRECTORY = "/var/run/secrets/tokens"  # noqa: S105 - where it lies
TOKEN = "konnectivity-agent-token"  # noqa: S105 - its file's name
TOKEN_SECONDS = 3600
SETTLED_SECONDS = 10
"""Ready means one server found; this is for the others, of which an agent tries one a second."""

YIELDED = (f"spec.template.spec.containers[name={AGENT}].resources", "spec.template.spec.nodeSelector")
"""Fields of the agents that a tenant's administrator may take over."""


def objects(tenant: TenantView, config: KonnectivityConfig) -> Sequence[TenantObject]:
    """Tell the objects; rights before the pods that use them."""
    digest = hashlib.sha256(tenant.ca_cert).hexdigest()[:32]
    workload = _workload(tenant, config)
    return (
        TenantObject(manifest=_server_role()),
        TenantObject(manifest=_binding("ClusterRole", USER, {"apiGroup": RBAC, "kind": "User", "name": USER})),
        TenantObject(manifest=_leases(USER, ["create", "delete", "get", "list", "update", "watch"])),
        TenantObject(manifest=_binding("Role", USER, {"apiGroup": RBAC, "kind": "User", "name": USER})),
        TenantObject(manifest={"apiVersion": "v1", "kind": "ServiceAccount", "metadata": _named(AGENT)}),
        TenantObject(manifest=_leases(AGENT, ["get", "list", "watch"])),
        TenantObject(
            manifest=_binding("Role", AGENT, {"kind": "ServiceAccount", "name": AGENT, "namespace": AGENT_NAMESPACE})
        ),
        TenantObject(manifest=_authority(tenant), watch=True),
        TenantObject(manifest=workload, watch=True, yield_fields=YIELDED, restart_on_digest=digest),
    )


def _named(name: str) -> dict[str, Any]:
    return {"name": name, "namespace": AGENT_NAMESPACE}


def _server_role() -> dict[str, Any]:
    """Servers ask whose token an agent shows; Kamaji lets them ask about everybody's rights too."""
    rule = {"apiGroups": ["authentication.k8s.io"], "resources": ["tokenreviews"], "verbs": ["create"]}
    return {"apiVersion": f"{RBAC}/v1", "kind": "ClusterRole", "metadata": {"name": USER}, "rules": [rule]}


def _leases(name: str, verbs: list[str]) -> dict[str, Any]:
    """Servers are counted by Leases: each keeps its own and removes dead ones, agents count them."""
    rule = {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": verbs}
    return {"apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": _named(name), "rules": [rule]}


def _binding(kind: str, name: str, subject: dict[str, str]) -> dict[str, Any]:
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": f"{kind}Binding",
        "metadata": {"name": name} if kind == "ClusterRole" else _named(name),
        "roleRef": {"apiGroup": RBAC, "kind": kind, "name": name},
        "subjects": [subject],
    }


def _authority(tenant: TenantView) -> dict[str, Any]:
    data = {"ca.crt": tenant.ca_cert.decode()}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": _named(AUTHORITY), "data": data}


def _workload(tenant: TenantView, config: KonnectivityConfig) -> dict[str, Any]:
    agent = config.agent
    spec: dict[str, Any] = {
        "minReadySeconds": SETTLED_SECONDS,
        "selector": {"matchLabels": POD_LABELS},
        "template": {
            "metadata": {"labels": POD_LABELS},
            "spec": {
                "containers": [_container(tenant, config)],
                "nodeSelector": {"kubernetes.io/os": "linux"},
                "priorityClassName": "system-cluster-critical",
                "serviceAccountName": AGENT,
                "tolerations": [dict(toleration) for toleration in agent.tolerations],
                "volumes": [
                    {"name": AUTHORITY, "configMap": {"name": AUTHORITY}},
                    {"name": TOKEN, "projected": {"sources": [{"serviceAccountToken": _TOKEN_SOURCE}]}},
                ],
            },
        },
    }
    if agent.host_network:
        spec["template"]["spec"]["hostNetwork"] = True
    elif agent.mode == "DaemonSet":
        # An agent that is told to end takes nothing new and stays for its sessions until it is killed: the next one
        # comes first. On the host's network it would find its ports taken.
        spec["updateStrategy"] = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    if agent.replicas:
        spec["replicas"] = agent.replicas
    return {
        "apiVersion": "apps/v1",
        "kind": agent.mode,
        "metadata": {**_named(AGENT), "labels": POD_LABELS},
        "spec": spec,
    }


_TOKEN_SOURCE = {"path": TOKEN, "audience": USER, "expirationSeconds": TOKEN_SECONDS}


def _container(tenant: TenantView, config: KonnectivityConfig) -> dict[str, Any]:
    agent = config.agent
    host, _, port = tenant.endpoint.rpartition(":")
    host = host.strip("[]")
    flags = {
        "--admin-server-port": f"={ADMIN_PORT}",
        "--ca-cert": f"={AUTHORITY_DIRECTORY}/ca.crt",
        "--count-server-leases": "=true",
        "--health-server-port": f"={HEALTH_PORT}",
        "--keepalive-time": f"={KEEPALIVE}",
        "--lease-namespace": f"={AGENT_NAMESPACE}",
        "--proxy-server-host": f"={host}",
        "--proxy-server-port": f"={config.server.port}",
        "--service-account-token-path": f"={TOKEN_DIRECTORY}/{TOKEN}",
    } | flags_of(agent.extra_args)
    probe = {"port": HEALTH_PORT, "scheme": "HTTP"}
    return {
        "name": AGENT,
        "image": f"{agent.image}:{agent.version or version_for(tenant.version)}",
        "imagePullPolicy": "IfNotPresent",
        "command": list(command("/proxy-agent", flags)),
        "env": [
            # Leases are counted where nodes reach the API server, so that no kube-proxy is needed for it.
            {"name": "KUBERNETES_SERVICE_HOST", "value": host},
            {"name": "KUBERNETES_SERVICE_PORT", "value": port},
        ],
        "livenessProbe": {
            "httpGet": {"path": "/healthz", **probe},
            "initialDelaySeconds": 15,
            "timeoutSeconds": 15,
            "failureThreshold": 3,
        },
        "readinessProbe": {"httpGet": {"path": "/readyz", **probe}, "periodSeconds": 2, "timeoutSeconds": 2},
        "resources": {"requests": {"cpu": "10m", "memory": "30Mi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [
            {"name": AUTHORITY, "mountPath": AUTHORITY_DIRECTORY, "readOnly": True},
            {"name": TOKEN, "mountPath": TOKEN_DIRECTORY, "readOnly": True},
        ],
    }
