"""What the sandbox puts into its management cluster: rights for CoreDNS, and the tenants' stores as Services.

A store runs beside the cluster; a Service without a selector gives it the name that a DataStore refers to, and a
Secret holds what a driver needs to log in and to let its tenants in.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sandbox.places import (
    NODE_ADDRESS,
    POSTGRES_PORT,
    POSTGRES_SECRET,
    POSTGRES_SERVICE,
    STORE_NAMESPACE,
    STORE_PORT,
    STORE_SECRET,
    STORE_SERVICE,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sandbox.material import Material

_RBAC = "rbac.authorization.k8s.io"
_DNS_ROLE = "system:coredns"
_CORE = "/api/v1/namespaces"


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedStore:
    """A store of tenants as the management cluster knows it.

    Args:
        service: name of its Service.
        port: of its Service and of itself.
        secret: name of the Secret that a DataStore refers to.
        content: of this Secret.
    """

    service: str
    port: int
    secret: str
    content: Mapping[str, bytes] = field(repr=False)


def stores(material: Material, *, postgres: bool) -> tuple[SharedStore, ...]:
    """The tenants' stores.

    Args:
        material: of the sandbox.
        postgres: whether there is a PostgreSQL beside the etcd.
    """
    etcd = SharedStore(service=STORE_SERVICE, port=STORE_PORT, secret=STORE_SECRET, content=material.store_secret())
    if not postgres:
        return (etcd,)
    content = material.postgres_secret()
    return (
        etcd,
        SharedStore(service=POSTGRES_SERVICE, port=POSTGRES_PORT, secret=POSTGRES_SECRET, content=content),
    )


def cluster_objects(stores: Iterable[SharedStore]) -> list[tuple[str, dict[str, Any]]]:
    """Path and manifest of every object, in the order they are applied."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": STORE_NAMESPACE}}
    rooms = [(f"{_CORE}/{STORE_NAMESPACE}", namespace)]
    return [*_dns_rights(), *rooms, *(one for store in stores for one in _store(store))]


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


def _store(store: SharedStore) -> list[tuple[str, dict[str, Any]]]:
    port = {"name": "client", "port": store.port, "protocol": "TCP"}
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": store.service, "namespace": STORE_NAMESPACE},
        "spec": {"ports": [port]},
    }
    endpoints = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": store.service,
            "namespace": STORE_NAMESPACE,
            "labels": {"kubernetes.io/service-name": store.service},
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": [NODE_ADDRESS], "conditions": {"ready": True}}],
        "ports": [port],
    }
    content = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": store.secret, "namespace": STORE_NAMESPACE},
        "data": {name: base64.b64encode(value).decode() for name, value in store.content.items()},
    }
    inside = f"{_CORE}/{STORE_NAMESPACE}"
    slices = f"/apis/discovery.k8s.io/v1/namespaces/{STORE_NAMESPACE}/endpointslices"
    return [
        (f"{inside}/secrets/{store.secret}", content),
        (f"{inside}/services/{store.service}", service),
        (f"{slices}/{store.service}", endpoints),
    ]
