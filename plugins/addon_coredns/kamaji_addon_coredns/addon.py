"""What CoreDNS needs inside a tenant's cluster, as kubeadm installs it.

Names, labels and rights are kubeadm's, so that one that kubeadm or Kamaji installed is taken over in place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from kamaji_addon_coredns.versions import version_for
from kamaji_core.contracts import Addon, Applied, Material, TenantNetworks, TenantObject, TenantView, read_config

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NAMESPACE = "kube-system"
NAME = "coredns"
ROLE = "system:coredns"
POD_LABELS = {"k8s-app": "kube-dns"}
REPOSITORY = "registry.k8s.io/coredns"
RBAC = "rbac.authorization.k8s.io"

YIELDED = (
    "spec.replicas",
    "spec.template.spec.affinity",
    "spec.template.spec.tolerations",
    "spec.template.spec.nodeSelector",
    "spec.template.spec.containers[name=coredns].resources",
)
"""Fields of the Deployment that a tenant's administrator may take over."""


class CoreDNSConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Settings of `spec.addons.coreDNS`.

    Args:
        image_repository: registry and path before `/coredns`; empty for Kubernetes' own.
        image_tag: empty for what belongs to the tenant's version.
    """

    image_repository: str = ""
    image_tag: str = ""


class CoreDNSStatus(msgspec.Struct, frozen=True, rename="camel"):
    """`status.addons.coreDNS`."""

    enabled: bool = True


class CoreDNS(Addon):
    """The DNS of a tenant's cluster."""

    NAME: ClassVar[str] = "coredns"
    SPEC_KEY: ClassVar[str] = "coreDNS"
    API_VERSION: ClassVar[tuple[int, int]] = (1, 0)
    CONFIG: ClassVar[type[msgspec.Struct]] = CoreDNSConfig
    STATUS: ClassVar[type[msgspec.Struct]] = CoreDNSStatus

    def config(self, spec: Mapping[str, Any]) -> CoreDNSConfig | None:
        """Read the settings.

        Raises:
            ConfigurationError: when they cannot be used.
        """
        settings = spec.get(self.SPEC_KEY)
        return None if settings is None else read_config(CoreDNSConfig, settings, field="spec.addons.coreDNS")

    def tenant_objects(self, tenant: TenantView, config: msgspec.Struct, material: Material) -> Sequence[TenantObject]:
        """Tell the objects; rights before the pods that use them."""
        del material
        assert isinstance(config, CoreDNSConfig)  # noqa: S101 - the core hands back what `config` gave
        return (
            TenantObject(manifest=_account()),
            TenantObject(manifest=_role()),
            TenantObject(manifest=_binding()),
            TenantObject(manifest=_configuration(tenant.networks), watch=True, yield_fields=("data.Corefile",)),
            TenantObject(manifest=_service(tenant.networks)),
            TenantObject(manifest=_deployment(_image(tenant, config)), watch=True, yield_fields=YIELDED),
        )

    def status(self, tenant: TenantView, config: msgspec.Struct, applied: Applied) -> CoreDNSStatus:
        """Say that it is on."""
        del tenant, config, applied
        return CoreDNSStatus()


def _image(tenant: TenantView, config: CoreDNSConfig) -> str:
    repository = config.image_repository.rstrip("/") or REPOSITORY
    return f"{repository}/coredns:{config.image_tag or version_for(tenant.version)}"


def _named(name: str, **labels: str) -> dict[str, Any]:
    return {"name": name, "namespace": NAMESPACE, **({"labels": labels} if labels else {})}


def _account() -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": _named(NAME)}


def _role() -> dict[str, Any]:
    def seen(group: str, *resources: str) -> dict[str, Any]:
        return {"apiGroups": [group], "resources": list(resources), "verbs": ["list", "watch"]}

    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "ClusterRole",
        "metadata": {"name": ROLE},
        "rules": [
            seen("", "endpoints", "services", "pods", "namespaces"),
            seen("discovery.k8s.io", "endpointslices"),
        ],
    }


def _binding() -> dict[str, Any]:
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": ROLE},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": ROLE},
        "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": NAMESPACE}],
    }


def corefile(domain: str) -> str:
    """One server for the cluster's domain and reverse zones; all else is asked of the node's name servers."""
    blocks = {
        "errors": (),
        "health": ("lameduck 5s",),
        "ready": (),
        f"kubernetes {domain} in-addr.arpa ip6.arpa": ("pods insecure", "fallthrough in-addr.arpa ip6.arpa", "ttl 30"),
        "prometheus :9153": (),
        "forward . /etc/resolv.conf": ("max_concurrent 1000",),
        "cache 30": (f"disable success {domain}", f"disable denial {domain}"),
        "loop": (),
        "reload": (),
        "loadbalance": (),
    }
    lines = [".:53 {"]
    for directive, inner in blocks.items():
        lines.append(f"    {directive} {{" if inner else f"    {directive}")
        lines += [f"       {line}" for line in inner]
        lines += ["    }"] if inner else []
    return "\n".join([*lines, "}", ""])


def _configuration(networks: TenantNetworks) -> dict[str, Any]:
    data = {"Corefile": corefile(networks.cluster_domain)}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": _named(NAME), "data": data}


def _service(networks: TenantNetworks) -> dict[str, Any]:
    labels = {**POD_LABELS, "kubernetes.io/cluster-service": "true", "kubernetes.io/name": "CoreDNS"}
    metadata = {
        **_named("kube-dns", **labels),
        "annotations": {"prometheus.io/port": "9153", "prometheus.io/scrape": "true"},
    }
    # A Service has one address of each family; further ones are only known to kubelets.
    addresses = list({":" in one: one for one in reversed(networks.dns_addresses)}.values())[::-1]
    spec: dict[str, Any] = {
        "selector": POD_LABELS,
        "ports": [
            {"name": "dns", "port": 53, "protocol": "UDP", "targetPort": 53},
            {"name": "dns-tcp", "port": 53, "protocol": "TCP", "targetPort": 53},
            {"name": "metrics", "port": 9153, "protocol": "TCP", "targetPort": 9153},
        ],
    }
    if addresses:
        spec["clusterIP"] = addresses[0]
    if len(addresses) > 1:
        spec |= {
            "clusterIPs": addresses,
            "ipFamilies": ["IPv6" if ":" in one else "IPv4" for one in addresses],
            "ipFamilyPolicy": "PreferDualStack",
        }
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}


def _deployment(image: str) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _named(NAME, **POD_LABELS),
        "spec": {
            "replicas": 2,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}},
            "selector": {"matchLabels": POD_LABELS},
            "template": {
                "metadata": {"labels": POD_LABELS},
                "spec": {
                    "affinity": {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [_APART]}},
                    "containers": [_container(image)],
                    "dnsPolicy": "Default",
                    "nodeSelector": {"kubernetes.io/os": "linux"},
                    "priorityClassName": "system-cluster-critical",
                    "serviceAccountName": NAME,
                    "tolerations": [
                        {"key": "CriticalAddonsOnly", "operator": "Exists"},
                        {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"},
                    ],
                    "volumes": [
                        {
                            "name": "config-volume",
                            "configMap": {"name": NAME, "items": [{"key": "Corefile", "path": "Corefile"}]},
                        }
                    ],
                },
            },
        },
    }


_APART = {
    "weight": 100,
    "podAffinityTerm": {
        "labelSelector": {"matchExpressions": [{"key": "k8s-app", "operator": "In", "values": ["kube-dns"]}]},
        "topologyKey": "kubernetes.io/hostname",
    },
}


def _container(image: str) -> dict[str, Any]:
    return {
        "name": NAME,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "args": ["-conf", "/etc/coredns/Corefile"],
        "ports": [
            {"name": "dns", "containerPort": 53, "protocol": "UDP"},
            {"name": "dns-tcp", "containerPort": 53, "protocol": "TCP"},
            {"name": "metrics", "containerPort": 9153, "protocol": "TCP"},
            {"name": "liveness-probe", "containerPort": 8080, "protocol": "TCP"},
            {"name": "readiness-probe", "containerPort": 8181, "protocol": "TCP"},
        ],
        "livenessProbe": {
            "httpGet": {"path": "/health", "port": "liveness-probe", "scheme": "HTTP"},
            "initialDelaySeconds": 60,
            "timeoutSeconds": 5,
            "failureThreshold": 5,
        },
        "readinessProbe": {"httpGet": {"path": "/ready", "port": "readiness-probe", "scheme": "HTTP"}},
        "resources": {"limits": {"memory": "170Mi"}, "requests": {"cpu": "100m", "memory": "70Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"add": ["NET_BIND_SERVICE"], "drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
        "volumeMounts": [{"name": "config-volume", "mountPath": "/etc/coredns", "readOnly": True}],
    }
