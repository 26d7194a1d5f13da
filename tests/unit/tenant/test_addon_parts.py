"""What an add-on wants beside the control plane is made, kept, renewed with its authority, and gone when it is off."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec
import pytest

from kamaji_core.contracts import (
    API_VERSION,
    Addon,
    Certificate,
    ConfigMap,
    ConfigurationError,
    ControlPlaneParts,
    Kubeconfig,
    Mount,
    RestartOn,
    ServicePort,
    Volume,
)
from kamaji_core.extensions import Extensions
from kamaji_core.kube import CONFIG_MAPS, SECRETS
from kamaji_core.pki import Usage, is_signed_by, read_certificate
from kamaji_core.tenant.facts import OwnSecrets
from kamaji_core.tenant.judge import assess
from kamaji_core.tenant.plan import Apply, Remove, ReplaceSecret
from kamaji_core.tenant.strays import Stray

if TYPE_CHECKING:
    from collections.abc import Mapping

Course = Any
NOW = datetime(2030, 1, 1, tzinfo=UTC)


class _Settings(msgspec.Struct):
    port: int = 8132


class Tunnel(Addon):
    """One of each part that is signed or named."""

    NAME: ClassVar[str] = "tunnel"
    SPEC_KEY: ClassVar[str] = "tunnel"
    API_VERSION: ClassVar[tuple[int, int]] = API_VERSION
    CONFIG: ClassVar[type[msgspec.Struct]] = _Settings
    STATUS: ClassVar[type[msgspec.Struct]] = _Settings

    def __init__(self) -> None:
        self.on = True
        self.names = frozenset({"tunnel"})

    def config(self, spec: Mapping[str, Any]) -> msgspec.Struct | None:
        """As the test says."""
        return _Settings() if self.on else None

    def tenant_objects(self, *args: Any) -> list[Any]:
        """Nothing inside."""
        return []

    def status(self, *args: Any) -> msgspec.Struct:
        """Nothing to tell."""
        return _Settings()

    def parts(self, tenant: Any, config: Any) -> ControlPlaneParts:
        """A certificate, a kubeconfig, a ConfigMap and a port."""
        return ControlPlaneParts(
            certificates=(
                Certificate(suffix="tunnel", common_name="tunnel", usages=frozenset({Usage.SERVER}), names=self.names),
            ),
            kubeconfigs=(Kubeconfig(suffix="tunnel-kubeconfig", key="tunnel.conf", user="system:tunnel"),),
            config_maps=(ConfigMap(suffix="tunnel-rules", data={"rules.yaml": "a: b"}),),
            service_ports=(ServicePort(name="tunnel", port=8132),),
            volumes=(Volume(name="tunnel-rules", config_map=f"{tenant.name}-tunnel-rules"),),
            mounts=(Mount(component="kube-apiserver", volume="tunnel-rules", path="/rules"),),
            restart_on=(RestartOn(name="tunnel", secret=f"{tenant.name}-tunnel", key="tls.crt"),),
        )


@pytest.fixture
def tunnel() -> Tunnel:
    """The add-on, turned on."""
    return Tunnel()


@pytest.fixture
def course(course: Course, tunnel: Tunnel, monkeypatch: pytest.MonkeyPatch) -> Course:
    """A tenant with that add-on, which has come to rest."""
    extensions = Extensions(addons={"tunnel": tunnel})
    monkeypatch.setattr(course, "assess", lambda now=None: assess(course.facts, now=now or NOW, extensions=extensions))
    course.settle()
    return course


def test_everything_is_made_once(course: Course) -> None:
    """And the next wave is empty."""
    assert course.plan() == ()
    certificate = read_certificate(course.facts.secrets["tunnel"].certificates["tls.crt"])
    assert (certificate.common_name, certificate.names) == ("tunnel", frozenset({"tunnel"}))
    kubeconfig = course.facts.secrets["tunnel-kubeconfig"].kubeconfigs["tunnel.conf"]
    assert kubeconfig.server == "https://127.0.0.1:6443"
    ports = {one["name"]: one["port"] for one in course.facts.service["spec"]["ports"]}
    assert ports == {"kube-apiserver": 6443, "tunnel": 8132}
    assert course.facts.config_maps["team-a", "shop-tunnel-rules"]["data"] == {"rules.yaml": "a: b"}
    volumes = course.facts.deployment["spec"]["template"]["spec"]["volumes"]
    assert {"name": "tunnel-rules", "configMap": {"name": "shop-tunnel-rules"}} in volumes


def test_what_it_restarts_on_is_found_in_the_cache(course: Course) -> None:
    """By its suffix, since no list of Secrets holds it."""
    facts = course.facts
    known = {("team-a", f"shop-{suffix}"): facts.secrets[suffix] for suffix in (*facts.secrets, "tunnel")}
    course.facts = replace(facts, secrets=OwnSecrets(known, namespace="team-a", tenant="shop"))
    template = facts.deployment["spec"]["template"]["metadata"]["annotations"]
    assert template["component.kamaji.clastix.io/tunnel"] == facts.secrets["tunnel"].digests["tls.crt"][:32]
    known["team-a", "shop-tunnel-kubeconfig"] = facts.secrets["tunnel-kubeconfig"]
    assert course.plan() == ()


def test_a_secret_says_what_it_is(course: Course) -> None:
    """A certificate's has Kubernetes' own type; both are found by Kamaji's lifecycle label."""
    labels = {
        name: course.facts.secrets[name].labels["kamaji.clastix.io/certificate_lifecycle_controller"]
        for name in ("tunnel", "tunnel-kubeconfig")
    }
    assert labels == {"tunnel": "x509", "tunnel-kubeconfig": "kubeconfig"}


def test_both_are_made_anew_with_their_authority(course: Course) -> None:
    """Otherwise the tunnel is dead while everything says Ready."""
    elsewhere = replace(course.facts, secrets={}, private={}, deployment=None)
    fresh = type(course)(elsewhere)
    fresh.settle()
    authority, private = fresh.facts.secrets["ca"], fresh.facts.private["ca"]
    course.facts = replace(
        course.facts,
        secrets={**course.facts.secrets, "ca": authority},
        private={**course.facts.private, "ca": private},
    )
    replaced = {change.manifest["metadata"]["name"] for change in course.plan() if isinstance(change, ReplaceSecret)}
    assert {"shop-tunnel", "shop-tunnel-kubeconfig"} <= replaced
    course.settle()
    certificate = course.facts.secrets["tunnel"].certificates["tls.crt"]
    assert is_signed_by(certificate, authority.certificates["ca.crt"])


def test_a_certificate_is_renewed_in_time(course: Course) -> None:
    """Like every other leaf."""
    late = NOW + timedelta(days=300)
    due = {verdict.wanted.suffix for verdict in course.assess(late).material.to_issue()}
    assert {"tunnel", "tunnel-kubeconfig"} <= due


def test_another_name_makes_another_certificate(course: Course, tunnel: Tunnel) -> None:
    """And nothing else."""
    tunnel.names = frozenset({"tunnel", "other"})
    (change,) = course.plan()
    assert isinstance(change, ReplaceSecret)
    assert change.manifest["metadata"]["name"] == "shop-tunnel"


def test_an_addon_that_is_off_leaves_the_pods_first(course: Course, tunnel: Tunnel) -> None:
    """What it had goes when no pod mounts it any more."""
    strays = tuple(
        Stray(resource, name, f"uid-{name}", "1-2-3")
        for resource, name in ((CONFIG_MAPS, "shop-tunnel-rules"), (SECRETS, "shop-tunnel"))
    )
    running = {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1}
    course.facts = replace(course.facts, strays=strays, deployment={**course.facts.deployment, "status": running})
    assert course.plan() == ()
    tunnel.on = False
    changes = course.plan()
    assert [change.manifest["kind"] for change in changes if isinstance(change, Apply)] == ["Deployment"]
    for change in changes:
        course.fold(change)
    course.facts = replace(course.facts, deployment={**course.facts.deployment, "status": running})
    assert {change.stray.name for change in course.plan() if isinstance(change, Remove)} == {
        "shop-tunnel",
        "shop-tunnel-rules",
    }


def test_wrong_settings_are_told_and_nothing_is_begun(facts: Any) -> None:
    """The sentence names the field; a tenant that runs is left as it is."""

    class Wrong(Tunnel):
        def config(self, spec: Mapping[str, Any]) -> msgspec.Struct | None:
            raise ConfigurationError("spec.addons.tunnel.port is no number.")

    found = assess(facts, now=NOW, extensions=Extensions(addons={"tunnel": Wrong()}))
    (problem,) = found.problems
    assert problem.message == "spec.addons.tunnel.port is no number."
    assert found.blocked
