"""What plugins say of a tenant reaches its pods and its conditions, and is never half obeyed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from kamaji_core.api.conditions import TenantCondition, TenantReason
from kamaji_core.contracts import ControlPlaneParts, Flag, TenantEvent
from kamaji_core.extensions import ExtensionError, Extensions
from kamaji_core.tenant.events import milestones
from kamaji_core.tenant.judge import assess
from kamaji_core.tenant.material import Material
from kamaji_core.tenant.parts import view_of
from kamaji_core.tenant.plan import plan
from kamaji_core.testing.management_course import NOW

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kamaji_core.contracts import TenantView


class Added(Extensions):
    """Hooks that add a flag, find what they are told to find, or fail."""

    def __init__(self, *, flag: str = "", problem: str = "", fails: bool = False) -> None:
        super().__init__()
        self._flag = flag
        self._problem = problem
        self._fails = fails

    def render(self, tenant: TenantView, parts: Sequence[ControlPlaneParts]) -> tuple[ControlPlaneParts, ...]:
        """The flag, with the tenant's own words in it."""
        if self._fails:
            raise ExtensionError("paper", "say what the tenant's pods need", KeyError())
        flags = (Flag(component="kube-apiserver", name=self._flag, value=tenant.spec["dataStore"]),)
        return (ControlPlaneParts(flags=flags),) if self._flag else ()

    def problems(self, tenant: TenantView) -> list[str]:
        """The problem, if there is one."""
        return [self._problem] if self._problem else []


@pytest.fixture
def material() -> Material:
    """Nothing new."""
    return Material()


def test_a_flag_of_a_plugin_is_in_the_pods(course: Any, material: Material) -> None:
    """Beside the driver's, and it changes the digest of the inputs, so that the pods roll once."""
    course.settle()
    before = course.facts.deployment
    (change,) = plan(course.facts, assess(course.facts, now=NOW, extensions=Added(flag="--paper")), material)
    containers = change.manifest["spec"]["template"]["spec"]["containers"]
    server = next(container for container in containers if container["name"] == "kube-apiserver")
    assert "--paper=fast" in server["args"]
    digest = "kamaji.clastix.io/inputs"
    assert change.manifest["metadata"]["annotations"][digest] != before["metadata"]["annotations"][digest]
    course.fold(change)
    assert plan(course.facts, assess(course.facts, now=NOW, extensions=Added(flag="--paper")), material) == ()


@pytest.mark.parametrize(
    ("extensions", "reason"),
    [
        (Added(problem="Not here: go elsewhere."), TenantReason.SPECIFICATION_INVALID),
        (Added(fails=True), TenantReason.PLUGIN_FAILED),
    ],
)
def test_what_a_plugin_refuses_is_not_begun_and_not_ended(
    course: Any, material: Material, extensions: Extensions, reason: str
) -> None:
    """Nothing is made for a new tenant, a running one is left as it runs; the condition says why."""
    new = assess(course.facts, now=NOW, extensions=extensions)
    assert new.blocked
    assert plan(course.facts, new, material) == ()
    problem = new.problem_of(TenantCondition.CONTROL_PLANE_AVAILABLE)
    assert problem is not None
    assert problem.reason == reason
    course.settle()
    running = assess(course.facts, now=NOW, extensions=extensions)
    assert running.held
    assert not running.blocked
    assert plan(course.facts, running, material) == ()


def test_a_driver_that_fails_to_tell_its_parts_holds_its_tenants(course: Any, material: Material) -> None:
    """A stranger's driver may raise anything."""
    course.settle()

    class Broken(type(course.facts.store.driver)):  # type: ignore[misc]  # the fixture's own class
        def parts(self, *_arguments: Any, **_named: Any) -> ControlPlaneParts:
            raise ZeroDivisionError

    facts = replace(course.facts, store=replace(course.facts.store, driver=Broken()))
    assessment = assess(facts, now=NOW)
    problem = assessment.problem_of(TenantCondition.CONTROL_PLANE_AVAILABLE)
    assert problem is not None
    assert problem.reason == TenantReason.PLUGIN_FAILED
    assert "'paper'" in problem.message
    assert plan(facts, assessment, material) == ()


def test_plugins_see_the_tenant_without_secrets(course: Any) -> None:
    """Names of Secrets and the authority's certificate, never a key."""
    course.settle()
    view = view_of(course.facts)
    assert view.secret_names["ca"] == "shop-ca"
    assert view.ca_cert.startswith(b"-----BEGIN CERTIFICATE")
    assert view.spec["dataStore"] == "fast"
    assert b"PRIVATE" not in repr(view).encode()


READY: dict[str, Any] = {"type": "Ready", "status": "True", "reason": "Ready", "message": "", "observedGeneration": 1}


def test_turns_in_a_tenants_life(course: Any) -> None:
    """Created at the first report; ready, not ready and upgraded when that turns."""
    new = course.facts.tenant
    waiting = {**READY, "status": "False"}
    assert milestones(new, {"conditions": [waiting]}) == [TenantEvent.CREATED]
    since = "2030-01-01T00:00:00Z"
    status: dict[str, Any] = {
        "conditions": [{**READY, "lastTransitionTime": since}],
        "kubernetesResources": {"version": {"version": "v1.36.0"}},
    }
    running = msgspec.structs.replace(new, status=msgspec.convert(status, type(new.status)))
    assert milestones(running, {"conditions": [waiting]}) == [TenantEvent.NOT_READY]
    assert milestones(running, {"conditions": [READY]}) == []
    upgrade = {"kubernetesResources": {"version": {"version": "v1.37.0"}}}
    assert milestones(running, upgrade) == [TenantEvent.UPGRADED]
    assert milestones(new, {"conditions": [READY], **upgrade}) == [TenantEvent.CREATED, TenantEvent.READY]
