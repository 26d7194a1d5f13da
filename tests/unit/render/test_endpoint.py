"""Where a tenant is reached follows from the specification, then from its Service."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from kamaji_core.api.tenant_control_plane import TenantControlPlane
from kamaji_core.render import assigned_address, control_plane_names, endpoint


def tenant(service_type: str = "ClusterIP", **profile: Any) -> TenantControlPlane:
    """A tenant with some network settings."""
    manifest = {
        "metadata": {"name": "shop", "namespace": "team-a", "uid": "1"},
        "spec": {
            "controlPlane": {"service": {"serviceType": service_type}},
            "kubernetes": {"version": "v1.37.1", "kubelet": {}},
            "networkProfile": profile,
        },
    }
    return msgspec.convert(manifest, TenantControlPlane)


def service(kind: str, **fields: Any) -> dict[str, Any]:
    """A live Service."""
    return {"spec": {"type": kind, "clusterIP": fields.get("cluster_ip", "")}, "status": fields.get("status", {})}


@pytest.mark.parametrize(
    ("live", "expected"),
    [
        (None, None),
        (service("ClusterIP"), None),
        (service("ClusterIP", cluster_ip="None"), None),
        (service("ClusterIP", cluster_ip="10.0.0.7"), "10.0.0.7"),
        (service("LoadBalancer", cluster_ip="10.0.0.7"), None),
        (service("LoadBalancer", status={"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}), "192.0.2.1"),
        (service("LoadBalancer", status={"loadBalancer": {"ingress": [{"hostname": "h"}]}}), None),
        (service("NodePort", cluster_ip="10.0.0.7"), None),
    ],
)
def test_the_address_is_the_services_own(live: Any, expected: str | None) -> None:
    """A cluster IP only for ClusterIP; a load balancer's first IP address; nothing while there is none."""
    assert assigned_address(tenant(), live) == expected


def test_a_declared_address_wins() -> None:
    """Also before there is a Service."""
    assert assigned_address(tenant(address="192.0.2.9"), None) == "192.0.2.9"


def test_an_ipv6_address_is_put_in_brackets() -> None:
    """Otherwise nobody could tell the port."""
    assert (endpoint("fd00::1", 6443), endpoint("10.0.0.7", 6443)) == ("[fd00::1]:6443", "10.0.0.7:6443")


def test_the_serving_certificate_holds_every_name_under_which_clients_come() -> None:
    """Inside the tenant, inside the management cluster, from outside, and what the user adds."""
    names = control_plane_names(
        tenant(certSANs=["api.example.org"], advertiseAddress="192.0.2.1", serviceCidrs=["10.7.0.0/16"]),
        service("ClusterIP", cluster_ip="10.0.0.7"),
    )
    assert names.server_names == {
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
        "localhost",
        "127.0.0.1",
        "shop",
        "shop.team-a.svc",
        "shop.team-a.svc.cluster.local",
        "10.7.0.1",
        "10.0.0.7",
        "192.0.2.1",
        "api.example.org",
    }
    assert names.endpoint == "192.0.2.1:6443"


def test_without_an_address_there_is_no_endpoint() -> None:
    """What needs one is then not wanted yet."""
    assert control_plane_names(tenant(), None).endpoint is None
