"""konnectivity as it is wanted in a tenant's pods and in its cluster."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from kamaji_addon_konnectivity import Konnectivity
from kamaji_addon_konnectivity.versions import version_for
from kamaji_core.contracts import (
    Applied,
    ConfigurationError,
    ControlPlaneParts,
    IssuedCertificate,
    Material,
    TenantObject,
    TenantView,
)

TENANT = TenantView(
    namespace="team-a",
    name="shop",
    uid="u",
    version="v1.37.1",
    replicas=2,
    spec={"networkProfile": {"port": 6443}},
    endpoint="192.0.2.1:6443",
    ca_cert=b"-----BEGIN CERTIFICATE-----",
)


def parts(settings: dict[str, Any] | None = None, **view: Any) -> ControlPlaneParts:
    """What is wanted in the pods."""
    addon = Konnectivity()
    config = addon.config({"konnectivity": settings or {}})
    assert config is not None
    return addon.parts(replace(TENANT, **view), config)


def objects(settings: dict[str, Any] | None = None, **view: Any) -> dict[tuple[str, str], TenantObject]:
    """What is wanted inside the cluster, by kind and name."""
    addon = Konnectivity()
    config = addon.config({"konnectivity": settings or {}})
    assert config is not None
    wanted = addon.tenant_objects(replace(TENANT, **view), config, Material())
    return {(one.manifest["kind"], one.manifest["metadata"]["name"]): one for one in wanted}


def agents(settings: dict[str, Any] | None = None, **view: Any) -> dict[str, Any]:
    """The pods of the agents."""
    kind = ((settings or {}).get("agent") or {}).get("mode", "DaemonSet")
    spec: dict[str, Any] = objects(settings, **view)[kind, "konnectivity-agent"].manifest["spec"]
    return dict(spec["template"]["spec"])


def test_it_is_off_without_its_key() -> None:
    """An empty value turns it on."""
    assert Konnectivity().config({}) is None
    assert Konnectivity().config({"konnectivity": {}}) is not None


@pytest.mark.parametrize(
    ("kubernetes", "expected"),
    [
        ("v1.30.14", "v0.31.4"),
        ("v1.33.0", "v0.31.4"),
        ("v1.35.2", "v0.34.0"),
        ("v1.37.1", "v0.36.0"),
        ("v1.99.0", "v0.36.0"),
    ],
)
def test_the_version_follows_the_tenants(kubernetes: str, expected: str) -> None:
    """The newest known one that is not above."""
    assert version_for(kubernetes) == expected


def test_before_there_is_an_address_only_the_port_is_asked_for() -> None:
    """The certificate must hold the address, and a load balancer gives it for the ports that the Service has."""
    assert [port.port for port in parts(endpoint="").service_ports] == [8132]
    assert parts(endpoint="").containers == ()
    assert parts(endpoint="").certificates == ()


@pytest.mark.parametrize(
    ("endpoint", "host"),
    [("192.0.2.1:6443", "192.0.2.1"), ("[2001:db8::1]:6443", "2001:db8::1"), ("shop.example:443", "shop.example")],
)
def test_agents_find_the_name_that_the_certificate_holds(endpoint: str, host: str) -> None:
    """Whatever kind of address it is."""
    (certificate,) = parts(endpoint=endpoint).certificates
    assert certificate.names == {host}
    (container,) = agents(endpoint=endpoint)["containers"]
    assert f"--proxy-server-host={host}" in container["command"]
    assert {"name": "KUBERNETES_SERVICE_HOST", "value": host} in container["env"]


def test_its_certificates_are_in_no_group() -> None:
    """Least of all in `system:masters`; its rights are its own."""
    wanted = parts()
    assert [one.organizations for one in (*wanted.certificates, *wanted.kubeconfigs)] == [(), ()]


def test_it_may_little() -> None:
    """Review tokens, and keep Leases in one namespace."""
    wanted = objects()
    (rule,) = wanted["ClusterRole", "system:konnectivity-server"].manifest["rules"]
    assert rule == {"apiGroups": ["authentication.k8s.io"], "resources": ["tokenreviews"], "verbs": ["create"]}
    for name in ("system:konnectivity-server", "konnectivity-agent"):
        (rule,) = wanted["Role", name].manifest["rules"]
        assert rule["resources"] == ["leases"]
    assert wanted["Role", "konnectivity-agent"].manifest["rules"][0]["verbs"] == ["get", "list", "watch"]


def test_the_number_of_replicas_is_in_no_pod() -> None:
    """So that scaling rolls none: agents count Leases."""
    assert parts(replicas=1) == parts(replicas=3)
    assert agents(replicas=1) == agents(replicas=3)


def test_flags_stand_in_order_and_ours_win_at_the_server() -> None:
    """Another order would be another pod; a user's own flag that the tunnel depends on is not taken."""
    extra = ["--v=4", "--agent-port=1", "--keepalive-time=1m"]
    (container,) = parts({"server": {"port": 8132, "extraArgs": extra}}).containers
    flags = list(container.command[1:])
    assert flags == sorted(flags)
    assert {"--v=4", "--agent-port=8132", "--keepalive-time=1m"} <= set(flags)
    assert parts({"server": {"port": 8132, "extraArgs": extra[::-1]}}).containers == (container,)


def test_a_users_flags_win_at_the_agent() -> None:
    """Where they are the tenant's own affair."""
    (container,) = agents({"agent": {"extraArgs": ["--keepalive-time=1m"]}})["containers"]
    assert "--keepalive-time=1m" in container["command"]


def test_agents_run_as_they_are_asked_to() -> None:
    """On every node, or some of them; a number of replicas that is not given is the tenant's users'."""
    assert ("DaemonSet", "konnectivity-agent") in objects()
    deployment = objects({"agent": {"mode": "Deployment", "replicas": 3, "hostNetwork": True}})
    assert ("DaemonSet", "konnectivity-agent") not in deployment
    assert deployment["Deployment", "konnectivity-agent"].manifest["spec"]["replicas"] == 3
    assert (
        "replicas"
        not in objects({"agent": {"mode": "Deployment"}})["Deployment", "konnectivity-agent"].manifest["spec"]
    )
    assert agents({"agent": {"hostNetwork": True}})["hostNetwork"]
    assert "hostNetwork" not in agents()
    tolerations = [{"operator": "Exists"}]
    assert agents({"agent": {"tolerations": tolerations}})["tolerations"] == tolerations


def test_the_next_agent_comes_before_the_last_one_goes() -> None:
    """But on the host's network, where its ports are taken."""
    for settings, surge in (({}, 1), ({"agent": {"hostNetwork": True}}, None)):
        spec = objects(settings)["DaemonSet", "konnectivity-agent"].manifest["spec"]
        assert spec.get("updateStrategy", {}).get("rollingUpdate", {}).get("maxSurge") == surge


def test_another_authority_restarts_the_agents() -> None:
    """They read its certificate once."""
    before = objects()["DaemonSet", "konnectivity-agent"].restart_on_digest
    after = objects(ca_cert=b"other")
    assert after["DaemonSet", "konnectivity-agent"].restart_on_digest != before
    assert after["ConfigMap", "konnectivity-agent-ca"].manifest["data"] == {"ca.crt": "other"}


def test_images_and_what_the_container_gets_are_the_users() -> None:
    """Quantities may be numbers."""
    (container,) = parts(
        {
            "server": {
                "port": 9000,
                "image": "registry.example/server",
                "version": "v0.36.1",
                "resources": {"requests": {"cpu": 1}},
                "securityContext": {"runAsNonRoot": True},
            }
        }
    ).containers
    assert container.image == "registry.example/server:v0.36.1"
    assert container.requests == {"cpu": "1"}
    assert container.security_context == {"runAsNonRoot": True}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"agent": {"mode": "Job"}}, "spec.addons.konnectivity.agent.mode"),
        ({"agent": {"replicas": 2}}, "replicas means nothing in mode DaemonSet"),
        ({"agent": {"mode": "Deployment", "replicas": -1}}, "agent.replicas is -1"),
        ({"server": {"port": 0}}, "server.port is 0"),
        ({"server": {"port": 6443}}, "server.port 6443 is taken by the API server"),
        ({"server": {"port": 8134}}, "server.port 8134 is taken by the tunnel's own health"),
        ({"server": {"port": 8132, "extraArgs": ["v=4"]}}, "'v=4' is no flag"),
        ({"server": {"port": 8132, "version": "v0.30.3"}}, "server.version is v0.30.3"),
        ({"agent": {"version": "v0.29.0"}}, "agent.version is v0.29.0"),
        ({"serverCount": 2}, "spec.addons.konnectivity.serverCount is unknown"),
    ],
)
def test_what_cannot_work_is_named(settings: dict[str, Any], expected: str) -> None:
    """In one sentence."""
    with pytest.raises(ConfigurationError, match=expected):
        parts(settings)


def test_its_status_stands_at_kamajis_paths() -> None:
    """And is the same as long as nothing changed."""
    addon = Konnectivity()
    config = addon.config({"konnectivity": {}})
    assert config is not None
    issued = IssuedCertificate(secret="shop-konnectivity-certificate", certificate=b"one", authority=b"ca")
    material = Material(certificates={"konnectivity-certificate": issued})
    status = addon.status(TENANT, config, Applied(material=material))
    assert status == addon.status(TENANT, config, Applied(material=material))
    assert status.certificate is not None
    assert status.certificate.secret_name == "shop-konnectivity-certificate"
    assert status.kubeconfig is None
    assert (status.agent.mode, status.service.port) == ("DaemonSet", 8132)
    assert status.cluster_role_binding.name == "system:konnectivity-server"


def test_the_plan_is_pure() -> None:
    """The same each time."""
    assert objects() == objects()
    assert parts() == parts()
