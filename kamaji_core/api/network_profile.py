"""The networks of a tenant: what users write, and what it comes to.

The plural forms of the CIDR fields win over the deprecated singular ones, and their order is the user's: the first
network of a pair decides the primary address family.
"""

import ipaddress
from typing import Annotated

import msgspec

from kamaji_core.api.model import Model, Rule, described

IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

DNS_OFFSETS = {4: 10, 6: 16}
"""Distance of the cluster's DNS address from its Service network, by IP version: `10.96.0.10`, `fd00::10`."""


def parse_network(cidr: str) -> IPNetwork:
    """Read a CIDR; bits behind the prefix are ignored, as kube-apiserver does.

    Raises:
        ValueError: when it is none.
    """
    if "/" not in cidr:
        raise ValueError(f"{cidr!r} has no prefix length: write a CIDR such as 10.96.0.0/16.")
    try:
        return ipaddress.ip_network(cidr, strict=False)
    except ValueError:
        raise ValueError(f"{cidr!r} is no CIDR: write one such as 10.96.0.0/16.") from None


def dns_service_ip(cidr: str) -> str:
    """The address of the cluster's DNS in a Service network.

    Raises:
        ValueError: when the CIDR cannot be read or the network is too small to hold the address.
    """
    network = parse_network(cidr)
    offset = DNS_OFFSETS[network.version]
    if network.num_addresses <= offset:
        raise ValueError(
            f"{cidr!r} is too small for the DNS Service at its address number {offset}: make it larger or set "
            f"dnsServiceIPs."
        )
    return str(network[offset])


def _cidr_list(description: str) -> msgspec.Meta:
    return described(
        description,
        minItems=1,
        maxItems=2,
        rules=(Rule("self.all(cidr, isCIDR(cidr))", "each entry must be a CIDR such as 10.96.0.0/16."),),
    )


def _cidr(description: str) -> msgspec.Meta:
    return described(description, rules=(Rule("self == '' || isCIDR(self)", "must be a CIDR such as 10.96.0.0/16."),))


class NetworkProfile(Model, frozen=True, kw_only=True):
    """Addresses and networks of a tenant."""

    address: Annotated[
        str,
        described("Address of the API server in the management cluster; empty means the Service's own."),
    ] = ""
    advertise_address: Annotated[
        str,
        described(
            "IP address under which the tenant's nodes reach the API server, when it is another one than address.",
            rules=(Rule("self == '' || isIP(self)", "advertiseAddress must be an IP address."),),
        ),
    ] = ""
    port: Annotated[int, described("Port of the API server and of its Service.", format="int32")] = 6443
    cert_sans: Annotated[
        tuple[str, ...],
        described("Further names and addresses in the API server's certificate."),
    ] = msgspec.field(default=(), name="certSANs")
    cluster_domain: Annotated[
        str,
        described(
            "DNS domain of the tenant's cluster. Cannot be changed.",
            pattern=r".*\..*",
            rules=(Rule("self == oldSelf", "clusterDomain cannot be changed: nodes and certificates rely on it."),),
        ),
    ] = "cluster.local"
    service_cidr: Annotated[str, _cidr("Network of Services; deprecated, use serviceCidrs.")] = "10.96.0.0/16"
    service_cidrs: Annotated[
        tuple[str, ...], _cidr_list("Networks of Services: one, or one of each address family, the primary first.")
    ] = ()
    pod_cidr: Annotated[str, _cidr("Network of pods; deprecated, use podCidrs.")] = "10.244.0.0/16"
    pod_cidrs: Annotated[
        tuple[str, ...], _cidr_list("Networks of pods: one, or one of each address family, the primary first.")
    ] = ()
    dns_service_ips: Annotated[
        tuple[str, ...],
        described("Addresses of the cluster's DNS; empty means the tenth of each Service network.", maxItems=8),
    ] = msgspec.field(default=(), name="dnsServiceIPs")

    @property
    def service_networks(self) -> tuple[str, ...]:
        """CIDRs of Services as the user wrote them, in the user's order, each once."""
        return _effective(self.service_cidrs, self.service_cidr)

    @property
    def pod_networks(self) -> tuple[str, ...]:
        """CIDRs of pods as the user wrote them, in the user's order, each once."""
        return _effective(self.pod_cidrs, self.pod_cidr)

    @property
    def dns_addresses(self) -> tuple[str, ...]:
        """Addresses of the cluster's DNS: those given, else one per Service network.

        Raises:
            ValueError: when a Service network cannot be read or is too small.
        """
        return self.dns_service_ips or tuple(dns_service_ip(cidr) for cidr in self.service_networks)


def _effective(plural: tuple[str, ...], singular: str) -> tuple[str, ...]:
    if plural:
        return tuple(dict.fromkeys(plural))
    return (singular,) if singular else ()
