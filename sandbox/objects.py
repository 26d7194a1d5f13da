"""What the sandbox puts into its management cluster: rights for CoreDNS, and the tenants' store as a Service.

The store runs beside the cluster; a Service without a selector gives it the name that a DataStore refers to, and a
Secret holds what a driver needs to sign its tenants' certificates.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from sandbox.places import NODE_ADDRESS, STORE_NAMESPACE, STORE_PORT, STORE_SECRET, STORE_SERVICE

if TYPE_CHECKING:
    from collections.abc import Mapping

_RBAC = "rbac.authorization.k8s.io"
_DNS_ROLE = "system:coredns"
_CORE = "/api/v1/namespaces"


def cluster_objects(store_secret: Mapping[str, bytes]) -> list[tuple[str, dict[str, Any]]]:
    """Path and manifest of every object, in the order they are applied."""
    return [*_dns_rights(), *_store(store_secret)]


def _dns_rights() -> list[tuple[str, dict[str, Any]]]:
    rules = [
        {"apiGroups": [""], "resources": ["services", "pods", "namespaces"], "verbs": ["list", "watch"]},
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
    ]
    role = {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "ClusterRole",
        "metadata": {"name": _DNS_ROLE},
        "rules": rules,
    }
    binding = {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": _DNS_ROLE},
        "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": _DNS_ROLE},
        "subjects": [{"apiGroup": _RBAC, "kind": "User", "name": _DNS_ROLE}],
    }
    return [
        (f"/apis/{_RBAC}/v1/clusterroles/{_DNS_ROLE}", role),
        (f"/apis/{_RBAC}/v1/clusterrolebindings/{_DNS_ROLE}", binding),
    ]


def _store(secret: Mapping[str, bytes]) -> list[tuple[str, dict[str, Any]]]:
    port = {"name": "client", "port": STORE_PORT, "protocol": "TCP"}
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": STORE_NAMESPACE}}
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": STORE_SERVICE, "namespace": STORE_NAMESPACE},
        "spec": {"ports": [port]},
    }
    endpoints = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": STORE_SERVICE,
            "namespace": STORE_NAMESPACE,
            "labels": {"kubernetes.io/service-name": STORE_SERVICE},
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": [NODE_ADDRESS], "conditions": {"ready": True}}],
        "ports": [port],
    }
    content = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": STORE_SECRET, "namespace": STORE_NAMESPACE},
        "data": {name: base64.b64encode(value).decode() for name, value in secret.items()},
    }
    inside = f"{_CORE}/{STORE_NAMESPACE}"
    slices = f"/apis/discovery.k8s.io/v1/namespaces/{STORE_NAMESPACE}/endpointslices"
    return [
        (inside, namespace),
        (f"{inside}/secrets/{STORE_SECRET}", content),
        (f"{inside}/services/{STORE_SERVICE}", service),
        (f"{slices}/{STORE_SERVICE}", endpoints),
    ]
