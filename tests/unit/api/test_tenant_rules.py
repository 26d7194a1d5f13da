"""Rules about a TenantControlPlane that the schema cannot check."""

from typing import Any

import msgspec
import pytest

from kamaji_core.api import admission_plugins
from kamaji_core.api.rules import Problem, tenant_problems
from kamaji_core.api.tenant_control_plane import TenantControlPlane


def tenant(
    *,
    name: str = "alpha",
    version: str = "v1.37.1",
    replicas: int = 2,
    admission: list[str] | None = None,
    **profile: Any,
) -> TenantControlPlane:
    """A tenant that is fine unless a test says otherwise; `profile` are fields on the wire."""
    kubernetes: dict[str, Any] = {"version": version, "kubelet": {}}
    if admission is not None:
        kubernetes["admissionControllers"] = admission
    content = {
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "controlPlane": {"deployment": {"replicas": replicas}, "service": {"serviceType": "ClusterIP"}},
            "kubernetes": kubernetes,
            "networkProfile": profile,
        },
    }
    return msgspec.convert(content, TenantControlPlane)


def only_problem(subject: TenantControlPlane) -> Problem:
    """The one problem that there is."""
    (problem,) = tenant_problems(subject)
    return problem


def test_a_usual_tenant_has_no_problem() -> None:
    """Kamaji's defaults break no rule."""
    assert tenant_problems(tenant()) == ()


def test_a_tenant_that_uses_everything_has_no_problem() -> None:
    """Dual stack, own names, own DNS addresses and an own port are all allowed together."""
    everything = tenant(
        address="192.0.2.10",
        advertiseAddress="2001:db8::1",
        port=443,
        certSANs=["api.example.com", "*.example.com", "203.0.113.7", "2001:db8::7", "localhost"],
        serviceCidrs=["fd00::/108", "10.96.0.0/16"],
        podCidrs=["fd01::/64", "10.244.0.0/16"],
        dnsServiceIPs=["10.96.0.53", "fd00::53"],
    )
    assert tenant_problems(everything) == ()


@pytest.mark.parametrize("name", ["1alpha", "alpha.beta", "a" * 64, "-alpha", "alpha-", "Alpha"])
def test_a_name_that_no_service_can_have_is_refused(name: str) -> None:
    """A tenant's Service has the tenant's name, and Services need DNS labels that start with a letter."""
    problem = only_problem(tenant(name=name))
    assert problem.field == "metadata.name"
    assert "Create it under another name." in problem.sentence


@pytest.mark.parametrize("name", ["a", "a" * 63, "a-1"])
def test_names_that_services_can_have_are_accepted(name: str) -> None:
    """Up to 63 characters, from one letter on."""
    assert tenant_problems(tenant(name=name)) == ()


def test_sleeping_is_no_problem_but_less_than_nothing_is() -> None:
    """No replicas put a tenant to sleep; a negative number means nothing."""
    assert tenant_problems(tenant(replicas=0)) == ()
    assert only_problem(tenant(replicas=-1)).field == "spec.controlPlane.deployment.replicas"


@pytest.mark.parametrize("version", ["v1.29.0", "v1.38.0", "latest"])
def test_an_unsupported_version_is_told_once(version: str) -> None:
    """Rules that need the version keep quiet when there is none to judge by."""
    problem = only_problem(tenant(version=version, admission=["PodSecurityPolicy"]))
    assert problem.field == "spec.kubernetes.version"
    assert version in problem.sentence


@pytest.mark.parametrize("plugin", sorted(admission_plugins.GONE_SINCE))
def test_an_admission_plugin_that_is_gone_is_refused(plugin: str) -> None:
    """kube-apiserver does not start with the name of a plugin that it does not know."""
    problem = only_problem(tenant(admission=["NodeRestriction", plugin]))
    assert problem.field == "spec.kubernetes.admissionControllers"
    assert problem.sentence.startswith(f"{plugin} does not exist in v1.37.1")


def test_an_admission_plugin_is_judged_by_the_tenants_version() -> None:
    """A plugin that went later is still there in an older version."""
    assert tenant_problems(tenant(version="v1.30.4", admission=["PersistentVolumeLabel"])) == ()
    assert only_problem(tenant(version="v1.31.0", admission=["PersistentVolumeLabel"]))


def test_an_advertised_address_must_be_an_ip_address() -> None:
    """kube-apiserver takes nothing else, wherever the address comes from."""
    assert only_problem(tenant(advertiseAddress="example.com")).field == "spec.networkProfile.advertiseAddress"
    problem = only_problem(tenant(address="example.com"))
    assert problem.field == "spec.networkProfile.address"
    assert "set advertiseAddress as well" in problem.sentence
    assert tenant_problems(tenant(address="example.com", advertiseAddress="192.0.2.1")) == ()


@pytest.mark.parametrize("port", [-1, 0, 65536])
def test_a_port_must_be_one(port: int) -> None:
    """The schema has no limits on the port, as Kamaji's has none."""
    assert "from 1 to 65535" in only_problem(tenant(port=port)).sentence


@pytest.mark.parametrize(("port", "owner"), [(10257, "kube-controller-manager"), (10259, "kube-scheduler")])
def test_a_port_of_another_component_is_refused(port: int, owner: str) -> None:
    """All three components share their pod's ports."""
    assert owner in only_problem(tenant(port=port)).sentence


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Example.com",
        "exa_mple.com",
        "*",
        "*.",
        "a.*.com",
        "**.a.com",
        "-a.com",
        "a..b",
        "a.",
        "a b",
        "https://example.com",
        "example.com:6443",
        "x" * 64,
        ".".join(["x" * 60] * 5),
    ],
)
def test_what_cannot_stand_in_a_certificate_is_refused(name: str) -> None:
    """Names are DNS names in lower case, possibly behind one wildcard, or IP addresses."""
    problem = only_problem(tenant(certSANs=["good.example.com", name]))
    assert problem.field == "spec.networkProfile.certSANs"
    assert problem.sentence.startswith(repr(name))


@pytest.mark.parametrize("family", ["service", "pod"])
def test_networks_must_be_given_readable_and_of_two_families(family: str) -> None:
    """None, an unreadable one and two of one family are refused, each with the field that users write."""
    path, singular, plural = f"spec.networkProfile.{family}Cidrs", f"{family}Cidr", f"{family}Cidrs"

    def problem_with(field: str, value: str | list[str]) -> Problem:
        profile: dict[str, Any] = {field: value}
        return only_problem(tenant(**profile))

    assert problem_with(singular, "") == Problem(path, "no network is given: set one such as 10.96.0.0/16.")
    assert problem_with(plural, ["10.0.0.0"]).field == path
    twice = problem_with(plural, ["10.32.0.0/16", "10.33.0.0/16"])
    assert twice.field == path
    assert "different address families" in twice.sentence


def test_every_unreadable_network_is_told() -> None:
    """A user corrects all entries at once."""
    problems = tenant_problems(tenant(podCidrs=["x", "y"]))
    assert [problem.sentence.split()[0] for problem in problems] == ["'x'", "'y'"]


@pytest.mark.parametrize(("address", "told"), [("dns", "is no IP address"), ("10.97.0.10", "lies in none")])
def test_dns_addresses_must_lie_in_a_service_network(address: str, told: str) -> None:
    """An address that no Service can have would leave the nodes without DNS."""
    problem = only_problem(tenant(dnsServiceIPs=["10.96.0.10", address]))
    assert problem.field == "spec.networkProfile.dnsServiceIPs"
    assert told in problem.sentence


def test_dns_addresses_may_lie_in_either_service_network() -> None:
    """With two networks an address of either will do; the sentence of a bad one names both."""
    networks = ["10.96.0.0/16", "fd00::/108"]
    assert tenant_problems(tenant(serviceCidrs=networks, dnsServiceIPs=["fd00::a"])) == ()
    bad = only_problem(tenant(serviceCidrs=networks, dnsServiceIPs=["fd01::a"]))
    assert "(10.96.0.0/16, fd00::/108)" in bad.sentence


def test_a_service_network_without_room_for_dns_is_refused_unless_dns_has_an_address() -> None:
    """A tiny network is a problem only for the address that would be computed."""
    assert only_problem(tenant(serviceCidrs=["10.96.0.0/29"])).field == "spec.networkProfile.dnsServiceIPs"
    assert tenant_problems(tenant(serviceCidrs=["10.96.0.0/29"], dnsServiceIPs=["10.96.0.2"])) == ()


def test_problems_are_sentences() -> None:
    """Each sentence ends with a full stop, so that it can be shown unchanged."""
    worst = tenant(
        name="1",
        version="x",
        replicas=-1,
        address="x",
        advertiseAddress="",
        port=0,
        certSANs=["_"],
        serviceCidrs=["x"],
        podCidrs=["10.0.0.0/8", "11.0.0.0/8"],
        dnsServiceIPs=["x", "10.0.0.1"],
    )
    problems = tenant_problems(worst)
    assert len(problems) == 10
    for problem in problems:
        assert problem.sentence.endswith(".")
