"""kube-proxy as it is wanted in a tenant's cluster."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kamaji_addon_kubeproxy import KubeProxy
from kamaji_core.contracts import Applied, ConfigurationError, Material, TenantNetworks, TenantObject, TenantView


def objects(spec: dict[str, Any] | None = None, **view: Any) -> dict[str, TenantObject]:
    """What is wanted, by kind."""
    settings = {
        "version": "v1.37.1",
        "endpoint": "192.0.2.1:6443",
        "networks": TenantNetworks(services=("10.96.0.0/16",), pods=("10.244.0.0/16",)),
        **view,
    }
    tenant = TenantView(namespace="n", name="shop", uid="u", replicas=1, **settings)
    addon = KubeProxy()
    config = addon.config({"kubeProxy": spec or {}})
    assert config is not None
    return {one.manifest["kind"]: one for one in addon.tenant_objects(tenant, config, Material())}


def files(**view: Any) -> dict[str, Any]:
    """The two files of its ConfigMap."""
    return {name: json.loads(text) for name, text in objects(**view)["ConfigMap"].manifest["data"].items()}


def test_it_knows_the_tenants_networks() -> None:
    """The pods' networks, and the family of Services to listen on."""
    assert files()["config.conf"]["clusterCIDR"] == "10.244.0.0/16"
    assert files()["config.conf"]["bindAddress"] == "0.0.0.0"  # noqa: S104 - what it should be
    dual = TenantNetworks(services=("fd00::/108", "10.96.0.0/16"), pods=("fd01::/64", "10.244.0.0/16"))
    assert files(networks=dual)["config.conf"]["clusterCIDR"] == "fd01::/64,10.244.0.0/16"
    assert files(networks=dual)["config.conf"]["bindAddress"] == "::"


def test_it_reaches_the_api_server_as_nodes_do() -> None:
    """Before any Service works."""
    cluster = files()["kubeconfig.conf"]["clusters"][0]["cluster"]
    assert cluster["server"] == "https://192.0.2.1:6443"


def test_a_changed_configuration_restarts_it() -> None:
    """The digest in its pods' template follows the files, and only them."""
    before = objects()["DaemonSet"].restart_on_digest
    assert before
    assert objects({"imageTag": "v2"})["DaemonSet"].restart_on_digest == before
    assert objects(endpoint="192.0.2.2:6443")["DaemonSet"].restart_on_digest != before


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, "registry.k8s.io/kube-proxy:v1.37.1"),
        ({"imageTag": "v1"}, "registry.k8s.io/kube-proxy:v1"),
        ({"imageRepository": "mirror.example"}, "mirror.example/kube-proxy:v1.37.1"),
    ],
)
def test_its_version_is_the_tenants(spec: dict[str, str], expected: str) -> None:
    """Unless the settings say otherwise."""
    pods = objects(spec)["DaemonSet"].manifest["spec"]["template"]["spec"]
    assert pods["containers"][0]["image"] == expected


def test_it_is_off_unless_named() -> None:
    """`{}` turns it on; what is unknown is named."""
    assert KubeProxy().config({}) is None
    with pytest.raises(ConfigurationError, match=r"spec\.addons\.kubeProxy\.mode is unknown"):
        KubeProxy().config({"kubeProxy": {"mode": "x"}})


def test_users_may_take_over_little() -> None:
    """Tolerations and resources of the pods; nothing of the configuration."""
    assert objects()["ConfigMap"].yield_fields == ()
    assert [path.rpartition(".")[2] for path in objects()["DaemonSet"].yield_fields] == ["tolerations", "resources"]


def test_its_status() -> None:
    """At Kamaji's path."""
    config = KubeProxy().config({"kubeProxy": {}})
    assert config is not None
    tenant = TenantView(namespace="n", name="shop", uid="u", version="v1.37.1", replicas=1)
    assert KubeProxy().status(tenant, config, Applied()).enabled
