"""Which TenantControlPlanes a real kube-apiserver accepts, what it fills in, and what may change later."""

import copy
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from kamaji_core.api import admission_plugins
from kamaji_core.api.tenant_control_plane import TenantControlPlane
from kamaji_core.kube import InvalidError, KubeClient
from kamaji_core.tenancy import TENANT_CONTROL_PLANES

pytestmark = pytest.mark.real

NAMESPACE = "default"
SMALLEST: dict[str, Any] = {
    "controlPlane": {"service": {"serviceType": "ClusterIP"}},
    "kubernetes": {"version": "v1.37.1", "kubelet": {}},
}


def tenant(name: str = "table", **spec: Any) -> dict[str, Any]:
    """The smallest tenant with parts of its specification replaced."""
    return {
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {**copy.deepcopy(SMALLEST), **spec},
    }


def network(**profile: Any) -> dict[str, Any]:
    """A tenant with this network profile."""
    return tenant(networkProfile=profile)


def kubernetes(**fields: Any) -> dict[str, Any]:
    """A tenant with these fields about Kubernetes."""
    return tenant(kubernetes={**SMALLEST["kubernetes"], **fields})


ACCEPTED = {
    "smallest": tenant(),
    "empty network profile": network(),
    "empty deployment": tenant(controlPlane={**SMALLEST["controlPlane"], "deployment": {}}),
    "asleep": tenant(controlPlane={**SMALLEST["controlPlane"], "deployment": {"replicas": 0}}),
    "node port": tenant(controlPlane={"service": {"serviceType": "NodePort"}}),
    "load balancer": tenant(controlPlane={"service": {"serviceType": "LoadBalancer"}}),
    "metadata": tenant(
        controlPlane={
            "service": {"serviceType": "ClusterIP", "additionalMetadata": {"labels": {"a": "b"}, "annotations": {}}}
        }
    ),
    "store": tenant(dataStore="silver", dataStoreSchema="s", dataStoreUsername="u"),
    "dual stack": network(serviceCidrs=["fd00::/108", "10.96.0.0/16"], podCidrs=["10.0.0.0/8", "fd01::/64"]),
    "no singular networks": network(serviceCidr="", podCidr="", serviceCidrs=["10.0.0.0/16"], podCidrs=["10.1.0.0/16"]),
    "no advertised address": network(advertiseAddress=""),
    "advertised IPv6 address": network(advertiseAddress="2001:db8::1"),
    "named address": network(address="cp.example.com", advertiseAddress="192.0.2.1"),
    "own domain": network(clusterDomain="tenant.example.com"),
    "eight DNS addresses": network(dnsServiceIPs=[f"10.96.0.{number}" for number in range(10, 18)]),
    "every admission plugin": kubernetes(admissionControllers=list(admission_plugins.KNOWN)),
    "no admission plugin": kubernetes(admissionControllers=[]),
    "all address types": kubernetes(
        kubelet={
            "preferredAddressTypes": ["ExternalDNS", "InternalDNS", "Hostname", "ExternalIP", "InternalIP"],
        }
    ),
    "any version": kubernetes(version="1.2.3"),
}

REJECTED = {
    "no specification": ({"metadata": {"name": "table", "namespace": NAMESPACE}}, "spec: Required value"),
    "no control plane": (
        {**tenant(), "spec": {"kubernetes": SMALLEST["kubernetes"]}},
        "spec.controlPlane: Required value",
    ),
    "no service": (tenant(controlPlane={}), "spec.controlPlane.service: Required value"),
    "no service type": (tenant(controlPlane={"service": {}}), "service.serviceType: Required value"),
    "bad service type": (tenant(controlPlane={"service": {"serviceType": "ExternalName"}}), "Unsupported value"),
    "no version": (tenant(kubernetes={"kubelet": {}}), "spec.kubernetes.version: Required value"),
    "no kubelet": (tenant(kubernetes={"version": "v1.37.1"}), "spec.kubernetes.kubelet: Required value"),
    "no address type": (kubernetes(kubelet={"preferredAddressTypes": []}), "should have at least 1 items"),
    "repeated address type": (
        kubernetes(kubelet={"preferredAddressTypes": ["Hostname", "Hostname"]}),
        "Duplicate value",
    ),
    "bad address type": (kubernetes(kubelet={"preferredAddressTypes": ["Pigeon"]}), "Unsupported value"),
    "bad admission plugin": (kubernetes(admissionControllers=["NodeRestrictions"]), "Unsupported value"),
    "bad advertised address": (network(advertiseAddress="x"), "advertiseAddress must be an IP address."),
    "bad service network": (network(serviceCidr="10.96.0.0"), "must be a CIDR such as"),
    "bad pod network": (network(podCidr="x/16"), "must be a CIDR such as"),
    "bad second service network": (network(serviceCidrs=["10.96.0.0/16", "x"]), "each entry must be a CIDR"),
    "bad second pod network": (network(podCidrs=["10.96.0.0/16", "10.0.0.0/33"]), "each entry must be a CIDR"),
    "no plural network": (network(serviceCidrs=[]), "should have at least 1 items"),
    "three networks": (network(podCidrs=["10.0.0.0/16", "10.1.0.0/16", "fd00::/64"]), "must have at most 2 items"),
    "nine DNS addresses": (network(dnsServiceIPs=["10.96.0.10"] * 9), "must have at most 8 items"),
    "domain without a dot": (network(clusterDomain="local"), "spec.networkProfile.clusterDomain"),
    "port as text": (network(port="6443"), "must be of type integer"),
    "port beyond 32 bits": (network(port=2**31), "spec.networkProfile.port"),
}


@pytest.mark.parametrize("accepted", ACCEPTED.values(), ids=ACCEPTED)
async def test_a_tenant_is_accepted_and_reads_as_before(client: KubeClient, accepted: dict[str, Any]) -> None:
    """What the API server fills in is what our model assumes anyway, and nothing that the user said is lost."""
    stored = await client.create(TENANT_CONTROL_PLANES, accepted, dry_run=True)
    assert msgspec.convert(stored, TenantControlPlane).spec == msgspec.convert(accepted, TenantControlPlane).spec


@pytest.mark.parametrize(("rejected", "sentence"), REJECTED.values(), ids=REJECTED)
async def test_a_tenant_is_rejected_with_a_sentence(
    client: KubeClient, rejected: dict[str, Any], sentence: str
) -> None:
    """What cannot be right is refused at once, and the field is named."""
    with pytest.raises(InvalidError) as refusal:
        await client.create(TENANT_CONTROL_PLANES, rejected, dry_run=True)
    assert sentence in refusal.value.message
    assert "no such key" not in refusal.value.message


async def test_the_smallest_tenant_gets_kamajis_defaults(client: KubeClient) -> None:
    """Leaving out the network profile or the deployment means their defaults, and nothing is filled in beyond them."""
    stored = await client.create(TENANT_CONTROL_PLANES, tenant(), dry_run=True)
    assert stored["spec"] == {
        "controlPlane": {
            "deployment": {
                "registrySettings": {
                    "registry": "registry.k8s.io",
                    "apiServerImage": "kube-apiserver",
                    "controllerManagerImage": "kube-controller-manager",
                    "schedulerImage": "kube-scheduler",
                },
                "replicas": 2,
            },
            "service": {"serviceType": "ClusterIP"},
        },
        "kubernetes": {
            "version": "v1.37.1",
            "kubelet": {"preferredAddressTypes": ["InternalIP", "ExternalIP", "Hostname"]},
            "admissionControllers": list(admission_plugins.DEFAULT),
        },
        "networkProfile": {
            "port": 6443,
            "clusterDomain": "cluster.local",
            "serviceCidr": "10.96.0.0/16",
            "podCidr": "10.244.0.0/16",
        },
    }


@pytest.fixture
async def settled(client: KubeClient) -> AsyncIterator[str]:
    """Name of a stored tenant that has said all that cannot be changed."""
    fields = {"dataStore": "silver", "dataStoreSchema": "schema", "dataStoreUsername": "user"}
    profile = {"clusterDomain": "one.example.com"}
    await client.create(TENANT_CONTROL_PLANES, tenant("settled", **fields, networkProfile=profile))
    yield "settled"
    await client.delete(TENANT_CONTROL_PLANES, "settled", NAMESPACE)


@pytest.fixture
async def fresh(client: KubeClient) -> AsyncIterator[str]:
    """Name of a stored tenant that has said nothing yet."""
    await client.create(TENANT_CONTROL_PLANES, tenant("fresh"))
    yield "fresh"
    await client.delete(TENANT_CONTROL_PLANES, "fresh", NAMESPACE)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"dataStore": None}, "dataStore cannot be removed once set"),
        ({"dataStore": ""}, "dataStore cannot be changed"),
        ({"dataStore": "gold"}, "dataStore cannot be changed"),
        ({"dataStoreSchema": None}, "dataStoreSchema cannot be removed once set"),
        ({"dataStoreSchema": "other"}, "dataStoreSchema cannot be changed"),
        ({"dataStoreUsername": None}, "dataStoreUsername cannot be removed once set"),
        ({"dataStoreUsername": "other"}, "dataStoreUsername cannot be changed"),
        ({"networkProfile": {"clusterDomain": "two.example.com"}}, "clusterDomain cannot be changed"),
        ({"networkProfile": {"clusterDomain": None}}, "clusterDomain cannot be changed"),
        ({"networkProfile": None}, "clusterDomain cannot be changed"),
    ],
)
async def test_what_holds_data_or_names_cannot_change(
    client: KubeClient, settled: str, change: dict[str, Any], sentence: str
) -> None:
    """A tenant never starts empty elsewhere and never loses the names that its nodes know."""
    with pytest.raises(InvalidError) as refusal:
        await client.merge_patch(TENANT_CONTROL_PLANES, settled, {"spec": change}, NAMESPACE)
    assert sentence in refusal.value.message


@pytest.mark.parametrize(
    "change",
    [
        {"dataStore": "silver"},
        {"dataStoreSchema": "schema"},
        {"dataStoreUsername": "user"},
        {"kubernetes": {"version": "v1.36.4"}},
        {"networkProfile": {"port": 443, "serviceCidrs": ["10.97.0.0/16"], "certSANs": ["a.example.com"]}},
        {"controlPlane": {"service": {"serviceType": "NodePort"}, "deployment": {"replicas": 1}}},
    ],
)
async def test_the_rest_may_be_set_and_changed(client: KubeClient, fresh: str, change: dict[str, Any]) -> None:
    """What was never set can be set once, and settings that Kamaji lets change may change."""
    stored = await client.merge_patch(TENANT_CONTROL_PLANES, fresh, {"spec": change}, NAMESPACE)
    assert stored["metadata"]["generation"] == 2


async def test_an_empty_store_may_be_filled_in(client: KubeClient) -> None:
    """An empty name is as good as none: the default store's name may be written later."""
    await client.create(TENANT_CONTROL_PLANES, tenant("unnamed", dataStore=""))
    try:
        change = {"spec": {"dataStore": "silver"}}
        stored = await client.merge_patch(TENANT_CONTROL_PLANES, "unnamed", change, NAMESPACE)
        assert stored["spec"]["dataStore"] == "silver"
    finally:
        await client.delete(TENANT_CONTROL_PLANES, "unnamed", NAMESPACE)
