"""A change that cannot be carried out stops nothing else: what runs is renewed, and users read why."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from kamaji_core.api.model import manifest
from kamaji_core.tenant.report import Outcome, conditions, wanted_status

READY = {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1}


def asked_for(course: Any, version: str) -> None:
    """Somebody asks for this version."""
    tenant = course.facts.tenant
    kubernetes = msgspec.structs.replace(tenant.spec.kubernetes, version=version)
    spec = msgspec.structs.replace(tenant.spec, kubernetes=kubernetes)
    course.facts = replace(course.facts, tenant=msgspec.structs.replace(tenant, spec=spec))


@pytest.fixture
def held(course: Any) -> Any:
    """A tenant that runs v1.37.1 and is asked to go back."""
    course.settle()
    course.facts = replace(course.facts, deployment={**course.facts.deployment, "status": READY})
    status = course.facts.tenant.status
    running = msgspec.structs.replace(status.kubernetes_resources.version, version="v1.37.1")
    resources = msgspec.structs.replace(status.kubernetes_resources, version=running)
    status = msgspec.structs.replace(status, kubernetes_resources=resources)
    course.facts = replace(course.facts, tenant=msgspec.structs.replace(course.facts.tenant, status=status))
    asked_for(course, "v1.36.0")
    return course


def version_told(course: Any, **outcome: Any) -> str:
    """The version that the status says runs."""
    assessment = course.assess()
    present = manifest(course.facts.tenant.status)
    ended = Outcome(facts=course.facts, assessment=assessment, **outcome)
    status = wanted_status(ended, present=present, now=assessment.now)
    return str(status["kubernetesResources"]["version"]["version"])


def told(course: Any) -> dict[str, tuple[str, str]]:
    """Status and sentence by type of condition."""
    assessment = course.assess()
    found = conditions(Outcome(facts=course.facts, assessment=assessment), now=assessment.now)
    return {condition.type: (condition.status, condition.message) for condition in found}


def test_the_tenant_is_held(held: Any) -> None:
    """Nothing differs that may be written, and nothing is blocked."""
    assessment = held.assess()
    assert (assessment.held, assessment.blocked) == (True, False)
    assert held.plan() == ()


@pytest.mark.parametrize("wanted", ["v1.36.0", "v1.38.0", "v1.37.0"])
def test_the_status_tells_the_version_that_runs(held: Any, wanted: str) -> None:
    """What is asked for and cannot be had is not installed; otherwise the next pass would take it for reached."""
    asked_for(held, wanted)
    assert version_told(held) == "v1.37.1"


def test_a_version_that_waits_for_its_turn_is_not_told(held: Any) -> None:
    """The old pods are ready, the new ones have not begun to start."""
    asked_for(held, "v1.37.2")
    assert version_told(held, queued=3) == "v1.37.1"


def test_a_version_that_was_carried_out_is_told(held: Any) -> None:
    """Pods of the present template are ready."""
    asked_for(held, "v1.37.2")
    held.settle()
    held.facts = replace(held.facts, deployment={**held.facts.deployment, "status": READY})
    assert version_told(held) == "v1.37.2"


def test_every_leaf_of_a_held_tenant_is_renewed(held: Any) -> None:
    """Also those that depend on its names: a version that cannot be had changes no name."""
    later = held.assess().now + timedelta(days=300)
    renewed = {change.manifest["metadata"]["name"] for change in held.plan(later)}
    assert {"shop-api-server-certificate", "shop-admin-kubeconfig", "shop-scheduler-kubeconfig"} <= renewed


def test_a_held_tenant_says_nothing_false_of_its_material(held: Any) -> None:
    """It is all in place, and the tenant is as ready as it was."""
    said = told(held)
    assert said["MaterialReady"][0] == "True"
    assert said["EndpointReady"][0] == "True"
    assert said["Ready"][0] == "True"
    assert "cannot go back" in said["ControlPlaneAvailable"][1]


def test_a_blocked_tenant_says_why_in_ready(course: Any) -> None:
    """It is the condition that users look at first, and it must not speak of what would come next."""
    asked_for(course, "v1.20.0")
    assert course.assess().blocked
    status, sentence = told(course)["Ready"]
    assert status == "False"
    assert "v1.20.0 is not supported" in sentence
