"""The tenants that are measured: their names, their shape and where their data is.

A fleet has a namespace and a DataStore of its own, and names at the store that begin alike, so that everything it
leaves anywhere can be found and removed without asking who made it.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from bench.images import ANSWERER, REGISTRY
from kamaji_core.api import admission_plugins
from kamaji_core.api.labels import API_VERSION

NAMESPACE = "bench"
STORE = "bench"
SILENT_NAMESPACE = "bench-silent"
SILENT_STORE = "bench-silent"
UNTOUCHED_STORE = "bench-untouched"
"""Of the tenants whose store never answers."""

STORE_PREFIX = "bench_"
"""Begins the name of every key prefix, user and role of the fleet at the store."""

MOST_TENANTS = 240
"""A kubelet runs 250 pods here, and a rollout needs one beside those of all tenants."""

CHANGED_PLUGIN = "DenyServiceExternalIPs"
"""The admission plugin that a change turns on: valid in every version, and no tenant notices it."""

_EXAMPLES = Path(__file__).parent.parent / "examples"


class Shape(enum.StrEnum):
    """What runs in a tenant's pod."""

    FULL = "full"
    API_ONLY = "api-only"


class Datastore(enum.StrEnum):
    """Where tenants' data is: the sandbox's shared etcd or its PostgreSQL."""

    ETCD = "etcd"
    POSTGRES = "postgres"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """The tenants of one measurement.

    Args:
        size: how many.
        shape: what runs in their pods.
        version: of Kubernetes, such as `v1.37.1`.
        addons: whether CoreDNS and kube-proxy are kept inside.
        datastore: where their data is.
        replicas: pods of each.
    """

    size: int
    shape: Shape
    version: str
    addons: bool = False
    datastore: Datastore = Datastore.ETCD
    replicas: int = 1

    @property
    def names(self) -> list[str]:
        """The tenants' names, in the order in which they are created."""
        return [f"tenant-{number:03}" for number in range(1, self.size + 1)]

    def tenant(self, name: str, *, namespace: str = NAMESPACE, store: str = STORE) -> dict[str, Any]:
        """Build one TenantControlPlane: a pod, reached at a cluster IP."""
        images = {"registry": REGISTRY}
        if self.shape is Shape.API_ONLY:
            images |= {"controllerManagerImage": ANSWERER, "schedulerImage": ANSWERER}
        place = f"{STORE_PREFIX}{name}".replace("-", "_")  # a database's name wants no hyphens
        addons: dict[str, Any] = {"addons": {"coreDNS": {}, "kubeProxy": {}}} if self.addons else {}
        return {
            "apiVersion": API_VERSION,
            "kind": "TenantControlPlane",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {
                "dataStore": store,
                "dataStoreSchema": place,
                "dataStoreUsername": place,
                "controlPlane": {
                    "deployment": {"replicas": self.replicas, "registrySettings": images},
                    "service": {"serviceType": "ClusterIP"},
                },
                "kubernetes": {
                    "version": self.version,
                    "kubelet": {},
                    "admissionControllers": list(admission_plugins.DEFAULT),
                },
                **addons,
            },
        }


def data_store(datastore: Datastore, name: str = STORE) -> dict[str, Any]:
    """Build the DataStore: one of the sandbox's shared stores, as in the examples."""
    manifest: dict[str, Any] = yaml.safe_load((_EXAMPLES / f"datastore-{datastore}.yaml").read_text())
    manifest["metadata"]["name"] = name
    return manifest


def change() -> dict[str, Any]:
    """Build a merge patch of one tenant that its pods must be replaced for."""
    plugins = [*admission_plugins.DEFAULT, CHANGED_PLUGIN]
    return {"spec": {"kubernetes": {"admissionControllers": plugins}}}
