"""A plugin's way through a gateway is exactly this."""

from __future__ import annotations

from typing import Any

import msgspec

from kamaji_core.api.tenant_control_plane import TenantControlPlane
from kamaji_core.contracts import Route
from kamaji_core.render.routes import plugin_route

MANIFEST: dict[str, Any] = {
    "metadata": {"name": "shop", "namespace": "team-a", "uid": "1-2-3"},
    "spec": {
        "controlPlane": {"deployment": {"replicas": 1}, "service": {"serviceType": "ClusterIP"}},
        "kubernetes": {"version": "v1.37.1", "kubelet": {}},
    },
}
GOLDEN: dict[str, Any] = {
    "apiVersion": "gateway.networking.k8s.io/v1",
    "kind": "TLSRoute",
    "metadata": {
        "name": "shop-tunnel",
        "namespace": "team-a",
        "labels": {
            "kamaji.clastix.io/project": "kamaji",
            "kamaji.clastix.io/name": "shop",
            "kamaji.clastix.io/component": "tunnel",
        },
        "ownerReferences": [
            {
                "apiVersion": "kamaji.clastix.io/v1alpha1",
                "kind": "TenantControlPlane",
                "name": "shop",
                "uid": "1-2-3",
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ],
    },
    "spec": {
        "parentRefs": [{"name": "edge", "namespace": "gateways", "sectionName": "tunnel-server", "port": 8132}],
        "hostnames": ["shop.example.com"],
        "rules": [{"backendRefs": [{"name": "shop", "port": 8132}]}],
    },
}


def test_it_equals_the_golden_object() -> None:
    """It enters where the gateway listens under the port's name, whatever listener the API server's route names."""
    tenant = msgspec.convert(MANIFEST, TenantControlPlane)
    gateways = [{"name": "edge", "namespace": "gateways", "sectionName": "api", "port": 6443}]
    route = plugin_route(
        tenant,
        Route(suffix="tunnel", port_name="tunnel-server"),
        port=8132,
        hostname="shop.example.com",
        gateways=gateways,
    )
    assert route == GOLDEN
    assert gateways[0]["sectionName"] == "api"
