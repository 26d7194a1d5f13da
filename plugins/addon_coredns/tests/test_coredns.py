"""CoreDNS as it is wanted in a tenant's cluster."""

from __future__ import annotations

from typing import Any

import pytest

from kamaji_addon_coredns import CoreDNS
from kamaji_addon_coredns.addon import corefile
from kamaji_addon_coredns.versions import version_for
from kamaji_core.contracts import Applied, ConfigurationError, Material, TenantNetworks, TenantView


def planned(spec: dict[str, Any] | None = None, **view: Any) -> dict[str, dict[str, Any]]:
    """Manifests by kind."""
    networks = view.pop("networks", TenantNetworks(services=("10.96.0.0/16",), dns_addresses=("10.96.0.10",)))
    tenant = TenantView(
        namespace="n", name="shop", uid="u", version=view.pop("version", "v1.37.1"), replicas=1, networks=networks
    )
    addon = CoreDNS()
    config = addon.config({"coreDNS": spec or {}})
    assert config is not None
    return {one.manifest["kind"]: dict(one.manifest) for one in addon.tenant_objects(tenant, config, Material())}


def image(spec: dict[str, Any] | None = None, **view: Any) -> str:
    """The image of its pods."""
    pods = planned(spec, **view)["Deployment"]["spec"]["template"]["spec"]
    found: str = pods["containers"][0]["image"]
    return found


@pytest.mark.parametrize(
    ("kubernetes", "expected"),
    [
        ("v1.30.14", "v1.11.1"),
        ("v1.36.0", "v1.14.2"),
        ("v1.37.1", "v1.14.6"),
        ("v1.99.0", "v1.14.6"),
        ("v1.2.0", "v1.11.1"),
    ],
)
def test_the_version_follows_the_tenants(kubernetes: str, expected: str) -> None:
    """The newest known one that is not above."""
    assert version_for(kubernetes) == expected
    assert image(version=kubernetes) == f"registry.k8s.io/coredns/coredns:{expected}"


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"imageTag": "v1"}, "registry.k8s.io/coredns/coredns:v1"),
        ({"imageRepository": "mirror.example/dns"}, "mirror.example/dns/coredns:v1.14.6"),
        ({"imageRepository": "mirror.example/dns/", "imageTag": "v1"}, "mirror.example/dns/coredns:v1"),
    ],
)
def test_the_image_can_be_another(spec: dict[str, str], expected: str) -> None:
    """Repository and tag, each by itself."""
    assert image(spec) == expected


def test_it_is_off_unless_named() -> None:
    """`{}` turns it on."""
    assert CoreDNS().config({}) is None
    assert CoreDNS().config({"coreDNS": None}) is None
    assert CoreDNS().config({"coreDNS": {}}) is not None


def test_an_unknown_setting_is_named() -> None:
    """With what there is."""
    with pytest.raises(ConfigurationError, match=r"spec\.addons\.coreDNS\.image is unknown \(settings: imageRepo"):
        CoreDNS().config({"coreDNS": {"image": "x"}})


@pytest.mark.parametrize(
    ("addresses", "expected"),
    [
        (("10.96.0.10",), {"clusterIP": "10.96.0.10"}),
        ((), {}),
        (
            ("10.96.0.10", "fd00::10"),
            {
                "clusterIP": "10.96.0.10",
                "clusterIPs": ["10.96.0.10", "fd00::10"],
                "ipFamilies": ["IPv4", "IPv6"],
                "ipFamilyPolicy": "PreferDualStack",
            },
        ),
        (("10.96.0.10", "10.96.0.11"), {"clusterIP": "10.96.0.10"}),
    ],
)
def test_the_service_has_the_clusters_dns_address(addresses: tuple[str, ...], expected: dict[str, Any]) -> None:
    """One of each family."""
    spec = planned(networks=TenantNetworks(dns_addresses=addresses))["Service"]["spec"]
    assert {key: value for key, value in spec.items() if key not in {"ports", "selector"}} == expected


def test_the_corefile_serves_the_clusters_domain() -> None:
    """And asks the node's name servers for all else."""
    text = corefile("shop.example")
    assert "    kubernetes shop.example in-addr.arpa ip6.arpa {\n       pods insecure\n" in text
    assert "       disable success shop.example\n" in text
    assert text.startswith(".:53 {\n    errors\n    health {\n       lameduck 5s\n    }\n    ready\n")
    assert text.count("{") == text.count("}")
    assert planned(networks=TenantNetworks(cluster_domain="shop.example"))["ConfigMap"]["data"]["Corefile"] == text


def test_the_plan_is_pure() -> None:
    """The same each time, and one object never changes another."""
    assert planned() == planned()


def test_its_status() -> None:
    """At Kamaji's path."""
    config = CoreDNS().config({"coreDNS": {}})
    assert config is not None
    tenant = TenantView(namespace="n", name="shop", uid="u", version="v1.37.1", replicas=1)
    assert CoreDNS().status(tenant, config, Applied()).enabled
