"""Reading a TenantControlPlane and its status."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from kamaji_core.api import admission_plugins
from kamaji_core.api.model import manifest
from kamaji_core.api.tenant_control_plane import (
    NodeAddressType,
    ServiceType,
    TenantControlPlane,
    TenantControlPlaneStatus,
    VersionStatus,
)

SMALLEST: dict[str, Any] = {
    "metadata": {"name": "alpha", "namespace": "default"},
    "spec": {
        "controlPlane": {"service": {"serviceType": "ClusterIP"}},
        "kubernetes": {"version": "v1.37.1", "kubelet": {}},
    },
}

STATUS: dict[str, Any] = {
    "observedGeneration": 3,
    "controlPlaneEndpoint": "10.0.0.7:6443",
    "conditions": [
        {
            "type": "Ready",
            "status": "True",
            "observedGeneration": 3,
            "lastTransitionTime": "2026-05-01T12:00:00Z",
            "reason": "Ready",
            "message": "It serves.",
        }
    ],
    "storage": {
        "driver": "etcd",
        "dataStoreName": "default",
        "config": {"secretName": "alpha-datastore-config", "checksum": "c0"},
        "setup": {"schema": "s", "user": "u", "lastUpdate": "2026-05-01T12:00:00Z", "checksum": "c1"},
        "certificate": {"secretName": "alpha-datastore-certificate", "checksum": "c2"},
    },
    "certificates": {
        "ca": {"secretName": "alpha-ca", "lastUpdate": "2026-05-01T12:00:00Z", "checksum": "c3"},
        "apiServer": {"secretName": "alpha-api-server-certificate"},
        "apiServerKubeletClient": {"secretName": "alpha-api-server-kubelet-client-certificate"},
        "frontProxyCA": {"secretName": "alpha-front-proxy-ca-certificate"},
        "frontProxyClient": {"secretName": "alpha-front-proxy-client-certificate"},
        "sa": {"secretName": "alpha-sa-certificate"},
    },
    "kubeconfig": {
        "admin": {"secretName": "alpha-admin-kubeconfig"},
        "controllerManager": {"secretName": "alpha-controller-manager-kubeconfig"},
        "scheduler": {"secretName": "alpha-scheduler-kubeconfig"},
    },
    "kubeadmconfig": {"configmapName": "alpha-kubeadmconfig", "checksum": "c4"},
    "kubernetesResources": {
        "version": {"version": "v1.37.1", "status": "Ready"},
        "deployment": {
            "availableReplicas": 2,
            "collisionCount": 0,
            "conditions": [
                {
                    "type": "Available",
                    "status": "True",
                    "lastUpdateTime": "2026-05-01T12:00:00Z",
                    "lastTransitionTime": "2026-05-01T12:00:00Z",
                    "reason": "MinimumReplicasAvailable",
                    "message": "Deployment has minimum availability.",
                }
            ],
            "observedGeneration": 1,
            "readyReplicas": 2,
            "replicas": 2,
            "terminatingReplicas": 0,
            "unavailableReplicas": 1,
            "updatedReplicas": 2,
            "selector": "kamaji.clastix.io/name=alpha",
            "name": "alpha",
            "namespace": "default",
            "lastUpdate": "2026-05-01T12:00:00Z",
        },
        "service": {
            "loadBalancer": {
                "ingress": [
                    {
                        "hostname": "lb.example.com",
                        "ip": "192.0.2.1",
                        "ipMode": "VIP",
                        "ports": [{"port": 6443, "protocol": "TCP", "error": "Pending"}],
                    }
                ]
            },
            "name": "alpha",
            "namespace": "default",
            "port": 6443,
        },
    },
}
"""Every field that the status has."""


def test_the_smallest_tenant_gets_all_defaults() -> None:
    """An object from before defaulting reads like one after it."""
    tenant = msgspec.convert(SMALLEST, TenantControlPlane)
    deployment, kubernetes = tenant.spec.control_plane.deployment, tenant.spec.kubernetes
    registry = deployment.registry_settings
    assert deployment.replicas == 2
    assert (registry.registry, registry.tag_suffix) == ("registry.k8s.io", "")
    assert (registry.api_server_image, registry.controller_manager_image, registry.scheduler_image) == (
        "kube-apiserver",
        "kube-controller-manager",
        "kube-scheduler",
    )
    assert kubernetes.admission_controllers == admission_plugins.DEFAULT
    assert ",".join(kubernetes.kubelet.preferred_address_types) == "InternalIP,ExternalIP,Hostname"
    assert tenant.spec.network_profile.port == 6443
    assert tenant.status == TenantControlPlaneStatus()


def test_everything_a_user_can_say_is_read() -> None:
    """Names on the wire are Kamaji's, capitals included."""
    spec = {
        "dataStore": "silver",
        "dataStoreSchema": "s",
        "dataStoreUsername": "u",
        "controlPlane": {
            "deployment": {
                "replicas": 3,
                "registrySettings": {"registry": "r.example.com", "apiServerImage": "a", "tagSuffix": "-1"},
            },
            "service": {"serviceType": "LoadBalancer", "additionalMetadata": {"labels": {"a": "b"}}},
        },
        "kubernetes": {
            "version": "v1.36.0",
            "kubelet": {"preferredAddressTypes": ["Hostname"]},
            "admissionControllers": ["NodeRestriction"],
        },
        "networkProfile": {"certSANs": ["x.example.com"], "dnsServiceIPs": ["10.96.0.53"], "serviceCidrs": ["::/108"]},
        "addons": {"coreDNS": {}},
    }
    tenant = msgspec.convert({**SMALLEST, "spec": spec}, TenantControlPlane)
    assert (tenant.spec.data_store, tenant.spec.data_store_schema, tenant.spec.data_store_username) == (
        "silver",
        "s",
        "u",
    )
    assert tenant.spec.control_plane.service.service_type is ServiceType.LOAD_BALANCER
    assert tenant.spec.control_plane.service.additional_metadata.labels == {"a": "b"}
    assert tenant.spec.control_plane.deployment.registry_settings.scheduler_image == "kube-scheduler"
    assert tenant.spec.kubernetes.kubelet.preferred_address_types == (NodeAddressType.HOSTNAME,)
    assert tenant.spec.network_profile.cert_sans == ("x.example.com",)
    assert tenant.spec.network_profile.dns_service_ips == ("10.96.0.53",)


def test_metadata_is_read_as_an_api_server_writes_it() -> None:
    """Times have their zone, and what is missing is empty."""
    metadata = {
        "name": "alpha",
        "namespace": "default",
        "uid": "u",
        "resourceVersion": "7",
        "generation": 2,
        "creationTimestamp": "2026-05-01T12:00:00Z",
        "deletionTimestamp": "2026-05-02T12:00:00Z",
        "finalizers": ["f"],
        "labels": {"a": "b"},
        "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "q", "controller": True}],
        "managedFields": [{"manager": "kubectl"}],
    }
    read = msgspec.convert({**SMALLEST, "metadata": metadata}, TenantControlPlane).metadata
    assert (read.uid, read.resource_version, read.generation, read.finalizers) == ("u", "7", 2, ("f",))
    assert read.creation_timestamp == datetime(2026, 5, 1, 12, tzinfo=UTC)
    assert read.deletion_timestamp == datetime(2026, 5, 2, 12, tzinfo=UTC)
    assert read.owner_references[0].controller
    assert read.annotations == {}
    fresh = msgspec.convert(SMALLEST, TenantControlPlane).metadata
    assert (fresh.generation, fresh.deletion_timestamp, fresh.finalizers, fresh.labels) == (0, None, (), {})


@pytest.mark.parametrize("missing", ["controlPlane", "kubernetes"])
def test_a_tenant_without_its_required_parts_is_not_read(missing: str) -> None:
    """The schema keeps such objects out."""
    spec = {name: value for name, value in SMALLEST["spec"].items() if name != missing}
    with pytest.raises(msgspec.ValidationError, match=missing):
        msgspec.convert({**SMALLEST, "spec": spec}, TenantControlPlane)


def test_the_whole_status_reads_and_writes_back() -> None:
    """Nothing that stands in a status is lost by reading it, so that an equal status is not written again."""
    status = msgspec.convert(STATUS, TenantControlPlaneStatus)
    assert manifest(status) == STATUS
    assert status.kubernetes_resources.version.status is VersionStatus.READY
    assert status.storage.setup.checksum == "c1"


def test_kamajis_zero_values_read_as_unknown() -> None:
    """A status that Kamaji wrote holds empty texts everywhere; they mean the same as absence."""
    zero = {
        "controlPlaneEndpoint": "",
        "storage": {"config": {"checksum": ""}, "setup": {"checksum": "", "schema": ""}},
        "certificates": {"ca": {"checksum": "", "secretName": ""}, "etcd": {"ca": {"checksum": ""}}},
        "kubernetesResources": {"version": {"version": ""}, "service": {"name": "", "namespace": "", "port": 0}},
        "addons": {"coreDNS": {"enabled": False}},
    }
    status = msgspec.convert(zero, TenantControlPlaneStatus)
    assert status.storage == TenantControlPlaneStatus().storage
    assert status.certificates == TenantControlPlaneStatus().certificates
    assert status.kubernetes_resources.version.version == ""
    assert status.kubernetes_resources.service is not None


def test_an_untouched_status_is_empty() -> None:
    """Nothing known is nothing written."""
    assert manifest(TenantControlPlaneStatus()) == {}
