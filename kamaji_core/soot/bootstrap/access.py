"""Who may read and do what while a machine joins, as kubeadm's `init` leaves it.

Names, subjects and rules are kubeadm's to the letter, because every `kubeadm join` relies on them.
"""

from __future__ import annotations

from typing import Any

RBAC_GROUP = "rbac.authorization.k8s.io"
RBAC = f"{RBAC_GROUP}/v1"

BOOTSTRAPPERS = "system:bootstrappers:kubeadm:default-node-token"
"""Group of the bootstrap tokens that `kubeadm token create` makes."""

NODES = "system:nodes"
CLUSTER_ADMINS = "kubeadm:cluster-admins"
"""Group of the certificate in `admin.conf`."""

KUBELET_CLIENT = "kube-apiserver-kubelet-client"
"""User that kube-apiserver is at kubelets."""

SYSTEM = "kube-system"
PUBLIC = "kube-public"


def group(name: str) -> dict[str, str]:
    """A group as a binding's subject."""
    return {"apiGroup": RBAC_GROUP, "kind": "Group", "name": name}


def user(name: str) -> dict[str, str]:
    """A user as a binding's subject."""
    return {"apiGroup": RBAC_GROUP, "kind": "User", "name": name}


def cluster_role_binding(name: str, role: str, *subjects: dict[str, str]) -> dict[str, Any]:
    """Give a ClusterRole to subjects in the whole cluster."""
    return {
        "apiVersion": RBAC,
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": RBAC_GROUP, "kind": "ClusterRole", "name": role},
        "subjects": list(subjects),
    }


def readable(namespace: str, name: str, config_map: str, *subjects: dict[str, str]) -> tuple[dict[str, Any], ...]:
    """Let subjects read one ConfigMap: a Role and its RoleBinding of the same name."""
    metadata = {"name": name, "namespace": namespace}
    role = {
        "apiVersion": RBAC,
        "kind": "Role",
        "metadata": metadata,
        "rules": [{"apiGroups": [""], "resources": ["configmaps"], "resourceNames": [config_map], "verbs": ["get"]}],
    }
    binding = {
        "apiVersion": RBAC,
        "kind": "RoleBinding",
        "metadata": metadata,
        "roleRef": {"apiGroup": RBAC_GROUP, "kind": "Role", "name": name},
        "subjects": list(subjects),
    }
    return role, binding


def access_objects() -> tuple[dict[str, Any], ...]:
    """Everything but the readers of single ConfigMaps, which stand beside their ConfigMap."""
    get_nodes = {
        "apiVersion": RBAC,
        "kind": "ClusterRole",
        "metadata": {"name": "kubeadm:get-nodes"},
        "rules": [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get"]}],
    }
    signing = "system:certificates.k8s.io:certificatesigningrequests"
    return (
        cluster_role_binding("kubeadm:cluster-admins", "cluster-admin", group(CLUSTER_ADMINS)),
        cluster_role_binding("kubeadm:apiserver-kubelet-client", "system:kubelet-api-admin", user(KUBELET_CLIENT)),
        get_nodes,
        cluster_role_binding("kubeadm:get-nodes", "kubeadm:get-nodes", group(BOOTSTRAPPERS)),
        cluster_role_binding("kubeadm:kubelet-bootstrap", "system:node-bootstrapper", group(BOOTSTRAPPERS)),
        cluster_role_binding("kubeadm:node-autoapprove-bootstrap", f"{signing}:nodeclient", group(BOOTSTRAPPERS)),
        cluster_role_binding(
            "kubeadm:node-autoapprove-certificate-rotation", f"{signing}:selfnodeclient", group(NODES)
        ),
    )
