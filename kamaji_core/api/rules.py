"""Rules that the schema cannot check, as pure functions: what is wrong with an object, and what to do about it.

The operator checks them in every pass, so that an object that slipped past admission fails with a sentence instead
of a crashing pod. Sentences name the remedy; the field is told beside them.
"""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass

from kamaji_core.api import admission_plugins
from kamaji_core.api.network_profile import IPNetwork, NetworkProfile, dns_service_ip, parse_network
from kamaji_core.api.tenant_control_plane import TenantControlPlane
from kamaji_core.api.versions import VersionError, supported_version

MAX_PORT = 65535
COMPONENT_PORTS = {10257: "kube-controller-manager", 10259: "kube-scheduler"}
"""Ports that the API server's neighbours in its pod listen on."""

_LABEL = r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?"
_DNS_1035_LABEL = re.compile(r"[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?")
_SERVER_NAME = re.compile(rf"(?:\*\.)?{_LABEL}(?:\.{_LABEL})*")
_MAX_SERVER_NAME = 253


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with an object.

    Args:
        field: path of the field, such as `spec.kubernetes.version`.
        sentence: what is wrong and what to do.
    """

    field: str
    sentence: str


def tenant_problems(tenant: TenantControlPlane) -> tuple[Problem, ...]:
    """Tell what is wrong with a TenantControlPlane; empty when nothing is."""
    profile = tenant.spec.network_profile
    return (
        *_name(tenant),
        *_replicas(tenant),
        *_version(tenant),
        *_admission(tenant),
        *_addresses(profile),
        *_port(profile),
        *_cert_sans(profile),
        *_networks("serviceCidrs", profile.service_networks),
        *_networks("podCidrs", profile.pod_networks),
        *_dns(profile),
    )


def _name(tenant: TenantControlPlane) -> Iterable[Problem]:
    if not _DNS_1035_LABEL.fullmatch(tenant.metadata.name):
        yield Problem(
            "metadata.name",
            "must be a DNS label, since its Service is named like it: at most 63 lower-case letters, digits and "
            "hyphens, starting with a letter. Create it under another name.",
        )


def _replicas(tenant: TenantControlPlane) -> Iterable[Problem]:
    if tenant.spec.control_plane.deployment.replicas < 0:
        yield Problem("spec.controlPlane.deployment.replicas", "must not be negative: 0 puts the tenant to sleep.")


def _version(tenant: TenantControlPlane) -> Iterable[Problem]:
    try:
        supported_version(tenant.spec.kubernetes.version)
    except VersionError as error:
        yield Problem("spec.kubernetes.version", str(error))


def _admission(tenant: TenantControlPlane) -> Iterable[Problem]:
    try:
        version = supported_version(tenant.spec.kubernetes.version)
    except VersionError:
        return
    for plugin in tenant.spec.kubernetes.admission_controllers:
        if version.minor >= admission_plugins.GONE_SINCE.get(plugin, version.minor + 1):
            yield Problem(
                "spec.kubernetes.admissionControllers",
                f"{plugin} does not exist in {version}, whose kube-apiserver would not start: remove it.",
            )


def _addresses(profile: NetworkProfile) -> Iterable[Problem]:
    if profile.advertise_address and not _is_address(profile.advertise_address):
        yield Problem(
            "spec.networkProfile.advertiseAddress", f"{profile.advertise_address!r} is no IP address: set one."
        )
    if profile.address and not profile.advertise_address and not _is_address(profile.address):
        yield Problem(
            "spec.networkProfile.address",
            f"{profile.address!r} is no IP address and cannot be advertised to nodes: set advertiseAddress as well.",
        )


def _port(profile: NetworkProfile) -> Iterable[Problem]:
    field = "spec.networkProfile.port"
    if not 0 < profile.port <= MAX_PORT:
        yield Problem(field, f"{profile.port} is no port: set one from 1 to {MAX_PORT}.")
    elif profile.port in COMPONENT_PORTS:
        yield Problem(field, f"{profile.port} belongs to {COMPONENT_PORTS[profile.port]} in the same pod: set another.")


def _cert_sans(profile: NetworkProfile) -> Iterable[Problem]:
    for name in profile.cert_sans:
        is_name = len(name) <= _MAX_SERVER_NAME and _SERVER_NAME.fullmatch(name)
        if not is_name and not _is_address(name):
            yield Problem(
                "spec.networkProfile.certSANs",
                f"{name!r} is neither an IP address nor a DNS name in lower case (which may start with '*.'): "
                f"correct or remove it.",
            )


def _networks(field: str, cidrs: tuple[str, ...]) -> Iterable[Problem]:
    path = f"spec.networkProfile.{field}"
    if not cidrs:
        yield Problem(path, "no network is given: set one such as 10.96.0.0/16.")
    networks: list[IPNetwork] = []
    for cidr in cidrs:
        try:
            networks.append(parse_network(cidr))
        except ValueError as error:
            yield Problem(path, str(error))
    versions = [network.version for network in networks]
    if len(cidrs) > 1 and len(set(versions)) != len(versions):
        yield Problem(path, "two networks must be of different address families: keep one of each.")


def _dns(profile: NetworkProfile) -> Iterable[Problem]:
    field = "spec.networkProfile.dnsServiceIPs"
    networks = [network for cidr in profile.service_networks if (network := _network(cidr)) is not None]
    for network in () if profile.dns_service_ips else networks:
        try:
            dns_service_ip(str(network))
        except ValueError as error:
            yield Problem(field, str(error))
    for text in profile.dns_service_ips:
        if not _is_address(text):
            yield Problem(field, f"{text!r} is no IP address: correct it.")
        elif not any(ipaddress.ip_address(text) in network for network in networks):
            yield Problem(
                field,
                f"{text} lies in none of the Service networks ({', '.join(profile.service_networks)}): choose an "
                f"address in one of them.",
            )


def _network(cidr: str) -> IPNetwork | None:
    try:
        return parse_network(cidr)
    except ValueError:
        return None


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
