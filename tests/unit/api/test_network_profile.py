"""The networks of a tenant: what the fields come to together."""

import ipaddress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kamaji_core.api.network_profile import NetworkProfile, dns_service_ip, parse_network


def profile(**fields: Any) -> NetworkProfile:
    """Decode a profile from its fields on the wire."""
    return msgspec.convert(fields, NetworkProfile)


def test_the_defaults_are_kamajis() -> None:
    """A tenant that says nothing gets Kamaji's networks, port and domain."""
    nothing = profile()
    assert nothing.service_networks == ("10.96.0.0/16",)
    assert nothing.pod_networks == ("10.244.0.0/16",)
    assert nothing.port == 6443
    assert nothing.cluster_domain == "cluster.local"
    assert nothing.dns_addresses == ("10.96.0.10",)


def test_the_plural_field_wins() -> None:
    """The deprecated singular field counts only where the plural one is empty."""
    both = profile(serviceCidr="10.1.0.0/16", serviceCidrs=["10.2.0.0/16"], podCidr="10.3.0.0/16", podCidrs=[])
    assert both.service_networks == ("10.2.0.0/16",)
    assert both.pod_networks == ("10.3.0.0/16",)


def test_the_users_order_of_families_is_kept() -> None:
    """The first network decides the primary family, so a pair is not sorted; a repetition is dropped."""
    pair = profile(serviceCidrs=["fd00::/108", "10.96.0.0/16"], podCidrs=["fd01::/64", "10.0.0.0/8", "fd01::/64"])
    assert pair.service_networks == ("fd00::/108", "10.96.0.0/16")
    assert pair.pod_networks == ("fd01::/64", "10.0.0.0/8")
    assert pair.dns_addresses == ("fd00::10", "10.96.0.10")


def test_no_network_at_all_is_none() -> None:
    """Empty text means no network instead of an empty one."""
    assert profile(serviceCidr="").service_networks == ()
    assert profile(serviceCidr="").dns_addresses == ()


def test_given_dns_addresses_win() -> None:
    """Addresses that the user sets are taken as they are."""
    assert profile(dnsServiceIPs=["10.96.0.53"]).dns_addresses == ("10.96.0.53",)


@pytest.mark.parametrize(
    ("cidr", "address"),
    [
        ("10.96.0.0/16", "10.96.0.10"),
        ("10.96.0.5/16", "10.96.0.10"),
        ("10.96.0.240/28", "10.96.0.250"),
        ("fd00:10:96::/112", "fd00:10:96::10"),
        ("FD00::/108", "fd00::10"),
    ],
)
def test_dns_has_its_usual_address(cidr: str, address: str) -> None:
    """Ten behind an IPv4 network and ::10 behind an IPv6 one, counted from the network and not from what is written."""
    assert dns_service_ip(cidr) == address


@pytest.mark.parametrize("cidr", ["10.96.0.0/29", "10.96.0.1/32", "fd00::/124", "fd00::1/128"])
def test_a_network_that_cannot_hold_dns_is_refused(cidr: str) -> None:
    """The sentence tells both ways out."""
    with pytest.raises(ValueError, match=r"too small for the DNS Service .* larger or set dnsServiceIPs"):
        dns_service_ip(cidr)


@pytest.mark.parametrize(
    "cidr", ["", "10.96.0.0", "10.96.0.0/33", "10.96/16", "fd00::/129", "example/16", "10.96.0.0/"]
)
def test_what_is_no_cidr_is_refused_with_an_example(cidr: str) -> None:
    """A CIDR needs an address and a prefix length that fits it."""
    with pytest.raises(ValueError, match=r"such as 10\.96\.0\.0/16"):
        parse_network(cidr)


@given(st.ip_addresses(v=4), st.integers(0, 28))
def test_dns_always_lies_in_its_ipv4_network(address: ipaddress.IPv4Address, prefix: int) -> None:
    """Whatever the network, the address of DNS is one of its own."""
    cidr = f"{address}/{prefix}"
    assert ipaddress.ip_address(dns_service_ip(cidr)) in parse_network(cidr)


@given(st.ip_addresses(v=6), st.integers(0, 123))
def test_dns_always_lies_in_its_ipv6_network(address: ipaddress.IPv6Address, prefix: int) -> None:
    """The same holds for IPv6."""
    cidr = f"{address}/{prefix}"
    assert ipaddress.ip_address(dns_service_ip(cidr)) in parse_network(cidr)
