"""Events tell what turned and what was done, and not each step on the way."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kamaji_core.api.conditions import Condition, TenantCondition, TenantReason
from kamaji_core.kube import DEPLOYMENTS, SECRETS, SERVICES
from kamaji_core.tenant.events import NORMAL, ROUTINE, Said, deeds, turns
from kamaji_core.tenant.plan import AddFinalizer, Apply, CreateSecret, Remove, ReplaceSecret, Scale
from kamaji_core.tenant.strays import Stray

NOW = datetime(2030, 1, 1, tzinfo=UTC)
SERVES = "The control plane serves."


def condition(kind: str, status: str, reason: str, message: str = "A sentence.", **fields: Any) -> Condition:
    """A condition since the year's beginning."""
    return Condition(
        **{"type": kind, "status": status, "reason": reason, "message": message, "last_transition_time": NOW, **fields}
    )


def ready(status: str, reason: str = "Ready", message: str = SERVES) -> Condition:
    """The condition that stands for all."""
    return condition("Ready", status, reason, message)


def test_a_tenant_that_becomes_ready_is_told_once() -> None:
    """One Normal Event, whatever its fellows say on the way."""
    before = [ready("False", "Pending", "Wait."), condition("MaterialReady", "False", "Pending")]
    after = [ready("True"), condition("MaterialReady", "True", "Ready")]
    assert turns(before, after) == [Said("Normal", "Ready", SERVES)]
    assert turns([], after) == [Said("Normal", "Ready", SERVES)]
    assert turns(after, after) == []


def test_the_first_steps_of_a_tenant_are_no_news() -> None:
    """Everything that only waits for its next step."""
    after = [
        ready("False", "Pending", "Wait."),
        *(
            condition(kind, "False", reason)
            for kind in (TenantCondition.DATA_STORE_READY, TenantCondition.ENDPOINT_READY)
            for reason in ROUTINE
        ),
        condition(TenantCondition.MATERIAL_READY, "True", "Ready"),
    ]
    assert turns([], after) == []


@pytest.mark.parametrize("reason", sorted(ROUTINE))
def test_a_tenant_that_ceases_to_be_ready_is_told(reason: str) -> None:
    """When no other condition tells why: its pods are gone, say."""
    assert turns([ready("True")], [ready("False", reason, "0 of 1 pods.")]) == [
        Said("Warning", "NotReady", "0 of 1 pods.")
    ]


def test_why_it_is_not_ready_its_fellow_tells() -> None:
    """The sentence stands in two conditions and is told once."""
    before = [condition("DataStoreReady", "True", "Ready"), ready("True")]
    after = [
        condition("DataStoreReady", "False", "DataStoreNotReady", "Refused."),
        ready("False", "DataStoreNotReady", "Refused."),
    ]
    assert turns(before, after) == [Said("Warning", "DataStoreNotReady", "Refused.")]


def test_the_same_sentence_of_two_conditions_is_one_event() -> None:
    """Whatever conditions carry it."""
    after = [condition("DataStoreReady", "False", "Broken", "x"), condition("MaterialReady", "False", "Broken", "x")]
    assert turns([], after) == [Said("Warning", "Broken", "x")]


def test_another_cause_of_the_same_trouble_is_told() -> None:
    """The condition stays false, and its sentence is new."""
    before = [condition("DataStoreReady", "False", "DataStoreNotReady", "Refused.")]
    after = [condition("DataStoreReady", "False", "DataStoreNotReady", "Silent.")]
    assert turns(before, after) == [Said("Warning", "DataStoreNotReady", "Silent.")]


@pytest.mark.parametrize("change", [{"last_transition_time": NOW + timedelta(days=1)}, {"observed_generation": 7}])
def test_what_only_dates_a_condition_is_no_news(change: dict[str, Any]) -> None:
    """Status, reason and sentence are what a condition says."""
    before = condition("DataStoreReady", "False", "DataStoreMissing")
    assert turns([before], [condition("DataStoreReady", "False", "DataStoreMissing", **change)]) == []


@pytest.mark.parametrize("reason", sorted(NORMAL - {TenantReason.READY}))
def test_what_is_nobodys_trouble_is_normal(reason: str) -> None:
    """Waiting for a turn, sleeping, being paused: told, and no warning."""
    assert turns([], [condition("ControlPlaneAvailable", "False", reason)]) == [Said("Normal", reason, "A sentence.")]


def test_falling_asleep_is_told_once_and_is_no_warning() -> None:
    """Ready ceases with it; the condition of the pods tells."""
    before = [ready("True"), condition("ControlPlaneAvailable", "True", "Ready")]
    after = [
        ready("False", "Sleeping", "Scaled to no replicas."),
        condition("ControlPlaneAvailable", "False", "Sleeping", "Scaled to no replicas."),
    ]
    assert turns(before, after) == [Said("Normal", "Sleeping", "Scaled to no replicas.")]


def test_trouble_that_leaves_the_pods_running_is_told() -> None:
    """A change that cannot be carried out warns, although the condition stays true."""
    before = [condition("ControlPlaneAvailable", "True", "Ready", "1 of 1.")]
    after = [condition("ControlPlaneAvailable", "True", TenantReason.SPECIFICATION_INVALID, "No such version.")]
    assert turns(before, after) == [Said("Warning", "SpecificationInvalid", "No such version.")]


def test_the_end_of_trouble_is_told_by_ready_alone() -> None:
    """A condition that is well again is no Event of its own."""
    before = [condition("DataStoreReady", "False", "DataStoreNotReady"), ready("False", "DataStoreNotReady", "x")]
    assert turns(before, [condition("DataStoreReady", "True", "Ready"), ready("True")]) == [
        Said("Normal", "Ready", SERVES)
    ]


def secret(name: str) -> ReplaceSecret:
    """A Secret's renewal."""
    return ReplaceSecret(manifest={"kind": "Secret", "metadata": {"name": name}, "data": {"tls.key": "aGlkZGVu"}})


def rollout(*because: str, starts_pods: bool = True) -> Apply:
    """A change of the Deployment."""
    return Apply(
        resource=DEPLOYMENTS, manifest={"metadata": {"name": "shop"}}, because=because, starts_pods=starts_pods
    )


def test_renewals_are_told_together_and_by_name_alone() -> None:
    """One Event for a wave, nothing of what the Secrets hold."""
    said = deeds([secret("shop-b"), secret("shop-a")])
    assert said == [Said("Normal", "Renewed", "Renewed shop-a, shop-b.")]


@pytest.mark.parametrize(
    ("paths", "sentence"),
    [
        (("a",), "The pods change in a."),
        (("a", "b", "c"), "The pods change in a, b, c."),
        (("a", "b", "c", "d", "e"), "The pods change in a, b, c and 2 more."),
        (("metadata.annotations[kamaji.clastix.io/inputs]", "a"), "The pods change in a."),
    ],
)
def test_a_rollout_is_told_with_its_causes(paths: tuple[str, ...], sentence: str) -> None:
    """The first three of them; what we note on the Deployment ourselves is none."""
    assert deeds([rollout(*paths)]) == [Said("Normal", "RollingOut", sentence)]


def test_scaling_is_told() -> None:
    """With the number that is asked for."""
    assert deeds([Scale(replicas=3, starts_pods=True)]) == [Said("Normal", "RollingOut", "Scaled to 3 pods.")]


def test_what_a_new_tenant_costs_is_not_told_one_by_one() -> None:
    """Creations, the first Deployment, the finalizer and what is put back without a rollout say nothing."""
    created = CreateSecret(manifest={"kind": "Secret", "metadata": {"name": "shop-ca"}})
    put_back = Apply(resource=SERVICES, manifest={"metadata": {"name": "shop"}}, because=("spec.ports",))
    gone = Remove(stray=Stray(SECRETS, "shop-old", "u", "1-2-3"))
    changes = [AddFinalizer(), created, rollout(), rollout("spec.replicas", starts_pods=False), put_back, gone]
    assert deeds(changes) == []
    assert deeds([]) == []


def test_a_new_tenants_waves_are_silent(course: Any) -> None:
    """From its first look to its Deployment; the sixth wave is empty."""
    told = []
    for _ in range(6):
        changes = course.plan()
        told += deeds(changes)
        for change in changes:
            course.fold(change)
    assert told == []


def test_a_renewal_of_the_whole_tenant_is_one_event(course: Any) -> None:
    """All leaves are due at the same time."""
    course.settle()
    later = course.assess().renew_at + timedelta(seconds=1)
    (said,) = deeds(course.plan(later))
    assert (said.type, said.reason) == ("Normal", "Renewed")
    assert "shop-api-server-certificate" in said.message


@pytest.mark.parametrize(("kind", "reason"), [("Bootstrapped", "Bootstrapped"), ("AddonsReady", "AddonsApplied")])
def test_that_the_inside_is_as_it_should_be_is_no_news(kind: str, reason: str) -> None:
    """That it is not is."""
    good, bad = condition(kind, "True", reason), condition(kind, "False", "TenantUnreachable", "No answer.")
    assert turns([], [good]) == []
    assert turns([bad], [good]) == []
    assert turns([good], [bad]) == [Said("Warning", "TenantUnreachable", "No answer.")]
