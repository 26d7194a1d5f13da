"""What kube-proxy needs inside a tenant's cluster, as kubeadm installs it, but for the tenant's own networks.

Its version is the tenant's: nodes may be older, and kube-proxy serves kubelets up to three minors behind it.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from kamaji_core.contracts import Addon, Applied, Material, TenantObject, TenantView, read_config

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NAMESPACE = "kube-system"
NAME = "kube-proxy"
POD_LABELS = {"k8s-app": NAME}
REPOSITORY = "registry.k8s.io"
RBAC = "rbac.authorization.k8s.io"
DIRECTORY = "/var/lib/kube-proxy"
TOKENS = "/var/run/secrets/kubernetes.io/serviceaccount"
BOOTSTRAPPERS = "system:bootstrappers:kubeadm:default-node-token"

YIELDED = (
    "spec.template.spec.tolerations",
    "spec.template.spec.containers[name=kube-proxy].resources",
)
"""Fields of the DaemonSet that a tenant's administrator may take over."""


class KubeProxyConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Settings of `spec.addons.kubeProxy`.

    Args:
        image_repository: registry and path before `/kube-proxy`; empty for Kubernetes' own.
        image_tag: empty for the tenant's version.
    """

    image_repository: str = ""
    image_tag: str = ""


class KubeProxyStatus(msgspec.Struct, frozen=True, rename="camel"):
    """`status.addons.kubeProxy`."""

    enabled: bool = True


class KubeProxy(Addon):
    """Makes Services work on a tenant's nodes."""

    NAME: ClassVar[str] = "kube-proxy"
    SPEC_KEY: ClassVar[str] = "kubeProxy"
    API_VERSION: ClassVar[tuple[int, int]] = (1, 0)
    CONFIG: ClassVar[type[msgspec.Struct]] = KubeProxyConfig
    STATUS: ClassVar[type[msgspec.Struct]] = KubeProxyStatus

    def config(self, spec: Mapping[str, Any]) -> KubeProxyConfig | None:
        """Read the settings.

        Raises:
            ConfigurationError: when they cannot be used.
        """
        settings = spec.get(self.SPEC_KEY)
        return None if settings is None else read_config(KubeProxyConfig, settings, field="spec.addons.kubeProxy")

    def tenant_objects(self, tenant: TenantView, config: msgspec.Struct, material: Material) -> Sequence[TenantObject]:
        """Tell the objects; rights before the pods that use them."""
        del material
        assert isinstance(config, KubeProxyConfig)  # noqa: S101 - the core hands back what `config` gave
        files = configuration(tenant)
        digest = hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()[:32]
        image = f"{config.image_repository.rstrip('/') or REPOSITORY}/kube-proxy:{config.image_tag or tenant.version}"
        return (
            TenantObject(manifest=_account()),
            TenantObject(manifest=_node_binding()),
            TenantObject(manifest=_reader()),
            TenantObject(manifest=_readers()),
            TenantObject(manifest=_config_map(files), watch=True),
            TenantObject(manifest=_daemon_set(image), watch=True, yield_fields=YIELDED, restart_on_digest=digest),
        )

    def status(self, tenant: TenantView, config: msgspec.Struct, applied: Applied) -> KubeProxyStatus:
        """Say that it is on."""
        del tenant, config, applied
        return KubeProxyStatus()


def configuration(tenant: TenantView) -> dict[str, str]:
    """The two files that kube-proxy starts with; JSON, which is YAML too.

    Args:
        tenant: whose; `detectLocalMode` works by the pods' networks where the tenant has any.
    """
    kubeconfig = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": "default",
                "cluster": {"certificate-authority": f"{TOKENS}/ca.crt", "server": f"https://{tenant.endpoint}"},
            }
        ],
        "users": [{"name": "default", "user": {"tokenFile": f"{TOKENS}/token"}}],
        "contexts": [{"name": "default", "context": {"cluster": "default", "namespace": "default", "user": "default"}}],
        "current-context": "default",
    }
    # By the family of the Services: the primary one decides what kube-proxy listens on.
    primary = tenant.networks.services[0] if tenant.networks.services else ""
    config = {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "bindAddress": "::" if ":" in primary else "0.0.0.0",  # noqa: S104 - kube-proxy serves the whole node
        "clientConnection": {"kubeconfig": f"{DIRECTORY}/kubeconfig.conf"},
        "clusterCIDR": ",".join(tenant.networks.pods),
    }
    return {"kubeconfig.conf": _text(kubeconfig), "config.conf": _text(config)}


def _text(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=2) + "\n"


def _named(name: str, **labels: str) -> dict[str, Any]:
    return {"name": name, "namespace": NAMESPACE, **({"labels": labels} if labels else {})}


def _account() -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": _named(NAME)}


def _node_binding() -> dict[str, Any]:
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "kubeadm:node-proxier"},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "system:node-proxier"},
        "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": NAMESPACE}],
    }


def _reader() -> dict[str, Any]:
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "Role",
        "metadata": _named(NAME),
        "rules": [{"apiGroups": [""], "resources": ["configmaps"], "resourceNames": [NAME], "verbs": ["get"]}],
    }


def _readers() -> dict[str, Any]:
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "RoleBinding",
        "metadata": _named(NAME),
        "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": NAME},
        "subjects": [{"apiGroup": RBAC, "kind": "Group", "name": BOOTSTRAPPERS}],
    }


def _config_map(files: dict[str, str]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": _named(NAME, app=NAME), "data": files}


def _daemon_set(image: str) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": _named(NAME, **POD_LABELS),
        "spec": {
            "selector": {"matchLabels": POD_LABELS},
            "updateStrategy": {"type": "RollingUpdate"},
            "template": {
                "metadata": {"labels": POD_LABELS},
                "spec": {
                    "containers": [_container(image)],
                    "hostNetwork": True,
                    "nodeSelector": {"kubernetes.io/os": "linux"},
                    "priorityClassName": "system-node-critical",
                    "serviceAccountName": NAME,
                    "tolerations": [{"operator": "Exists"}],
                    "volumes": [
                        {"name": NAME, "configMap": {"name": NAME}},
                        {"name": "xtables-lock", "hostPath": {"path": "/run/xtables.lock", "type": "FileOrCreate"}},
                        {"name": "lib-modules", "hostPath": {"path": "/lib/modules", "type": ""}},
                    ],
                },
            },
        },
    }


def _container(image: str) -> dict[str, Any]:
    return {
        "name": NAME,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": [
            "/usr/local/bin/kube-proxy",
            f"--config={DIRECTORY}/config.conf",
            "--hostname-override=$(NODE_NAME)",
        ],
        "env": [{"name": "NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}],
        "securityContext": {"privileged": True},
        "volumeMounts": [
            {"name": NAME, "mountPath": DIRECTORY},
            {"name": "xtables-lock", "mountPath": "/run/xtables.lock"},
            {"name": "lib-modules", "mountPath": "/lib/modules", "readOnly": True},
        ],
    }
