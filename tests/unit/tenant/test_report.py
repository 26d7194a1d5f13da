"""The status tells Kamaji's state and our conditions, and is written only when something in it differs."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kamaji_core.api.conditions import Condition
from kamaji_core.api.tenant_control_plane import Addons, WritePermissions
from kamaji_core.api.tenant_status import TenantControlPlaneStatus, VersionStatus
from kamaji_core.contracts import ProbeKind, StoreError
from kamaji_core.kube import ServerError
from kamaji_core.tenancy import TenantState, Verdict
from kamaji_core.tenant.act import Failure
from kamaji_core.tenant.plan import AddFinalizer, EnsureStore
from kamaji_core.tenant.report import Outcome, conditions, difference, status_patch, version_status, wanted_status

NOW = datetime(2030, 1, 1, tzinfo=UTC)
READY = {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1}


def outcome(course: Any, **changes: Any) -> Outcome:
    """The end of a pass over what is known now."""
    return Outcome(facts=course.facts, assessment=course.assess(), **changes)


def with_deployment_status(course: Any, status: dict[str, Any]) -> None:
    """Let the Deployment tell a status."""
    course.facts = replace(course.facts, deployment={**course.facts.deployment, "status": status})


def written(course: Any, *, now: datetime = NOW) -> dict[str, Any] | None:
    """Report, and take the patch as written."""
    patch = status_patch(outcome(course), now=now)
    if patch is not None:
        present = msgspec.to_builtins(course.facts.tenant.status)
        status = msgspec.convert(merged(present, patch["status"]), TenantControlPlaneStatus)
        course.facts = replace(course.facts, tenant=msgspec.structs.replace(course.facts.tenant, status=status))
    return patch


def merged(present: Any, patch: Any) -> Any:
    """RFC 7396, as the API server does it."""
    if not isinstance(patch, dict):
        return patch
    result = dict(present) if isinstance(present, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


def reasons(course: Any, **changes: Any) -> dict[str, tuple[str, str]]:
    """Status and reason of each condition."""
    found = conditions(outcome(course, **changes), now=NOW)
    return {condition.type: (condition.status, condition.reason) for condition in found}


def test_a_status_is_written_once(course: Any) -> None:
    """The same facts a day later differ in nothing."""
    course.settle()
    assert written(course) is not None
    assert written(course, now=NOW + timedelta(days=1)) is None


def test_kamajis_readers_find_their_paths(course: Any) -> None:
    """Endpoint, Secrets, store and Deployment stand where its tools look."""
    course.settle()
    with_deployment_status(course, READY)
    patch = written(course)
    assert patch is not None
    status = patch["status"]
    assert status["controlPlaneEndpoint"] == "10.0.0.7:6443"
    assert status["kubeconfig"]["admin"]["secretName"] == "shop-admin-kubeconfig"
    assert status["certificates"]["frontProxyCA"]["secretName"] == "shop-front-proxy-ca-certificate"
    assert status["storage"]["dataStoreName"] == "fast"
    assert status["storage"]["driver"] == "paper"
    assert (status["storage"]["setup"]["schema"], status["storage"]["setup"]["user"]) == ("123", "123")
    assert status["kubernetesResources"]["version"] == {"status": "Ready", "version": "v1.37.1"}
    assert status["kubernetesResources"]["deployment"]["selector"] == "kamaji.clastix.io/name=shop"
    assert status["observedGeneration"] == 1


def test_only_what_differs_is_sent(course: Any) -> None:
    """When the pods become ready, that is all the patch tells."""
    course.settle()
    written(course)
    with_deployment_status(course, READY)
    patch = written(course)
    assert patch is not None
    assert sorted(patch["status"]) == ["conditions", "kubernetesResources"]


def test_a_count_that_is_gone_is_removed(course: Any) -> None:
    """A merge patch keeps what it does not name, so that a vanished count must be named."""
    course.settle()
    with_deployment_status(course, READY)
    written(course)
    with_deployment_status(course, {"observedGeneration": 1, "replicas": 1, "unavailableReplicas": 1})
    patch = written(course)
    assert patch is not None
    assert patch["status"]["kubernetesResources"]["deployment"]["readyReplicas"] is None


@pytest.mark.parametrize(
    ("status", "installed", "expected"),
    [
        ({}, "", VersionStatus.PROVISIONING),
        ({}, "v1.37.1", VersionStatus.NOT_READY),
        (READY, "", VersionStatus.READY),
        ({**READY, "observedGeneration": 0}, "v1.37.1", VersionStatus.UNKNOWN),
        ({**READY, "observedGeneration": 0}, "v1.36.0", VersionStatus.UPGRADING),
        ({**READY, "updatedReplicas": 0, "replicas": 2}, "", VersionStatus.PROVISIONING),
    ],
)
def test_kamajis_state_follows_the_deployment(
    course: Any, status: dict[str, Any], installed: str, expected: VersionStatus
) -> None:
    """As there, but that a tenant that never ran is Provisioning, not NotReady."""
    course.settle()
    with_deployment_status(course, status)
    version = msgspec.structs.replace(course.facts.tenant.status.kubernetes_resources.version, version=installed)
    resources = msgspec.structs.replace(course.facts.tenant.status.kubernetes_resources, version=version)
    tenant_status = msgspec.structs.replace(course.facts.tenant.status, kubernetes_resources=resources)
    tenant = msgspec.structs.replace(course.facts.tenant, status=tenant_status)
    course.facts = replace(course.facts, tenant=tenant)
    assert version_status(outcome(course)) is expected


def test_before_there_is_a_deployment_there_is_no_state(course: Any) -> None:
    """The schema's default then says Provisioning."""
    assert version_status(outcome(course)) is None


def test_ready_stands_for_the_four_others(course: Any) -> None:
    """All true together, and false with the first that is false, whose reason it takes."""
    course.settle()
    assert reasons(course)["Ready"] == ("False", "Pending")
    with_deployment_status(course, READY)
    assert set(reasons(course).values()) == {("True", "Ready")}


def test_a_missing_store_is_told_where_users_look(course: Any) -> None:
    """The sentence names the store and what to do."""
    course.facts = replace(course.facts, store=None)
    assert reasons(course)["DataStoreReady"] == ("False", "DataStoreMissing")
    assert reasons(course)["Ready"] == ("False", "DataStoreMissing")
    message = conditions(outcome(course), now=NOW)[0].message
    assert "'fast' does not exist: create it" in message


def test_a_stores_refusal_reaches_the_condition_unchanged(course: Any) -> None:
    """The driver's sentence is what the user reads; keys and certificates stay out of it."""
    error = StoreError("The schema belongs to team-b/other.", kind=ProbeKind.PERMISSION, retry=False)
    course.settle()
    claim = course.assess().claim
    failure = Failure(change=EnsureStore(claim=claim, credentials=course.facts.credentials), error=error)
    found = conditions(outcome(course, failures=(failure,)), now=NOW)
    told = {condition.type: condition for condition in found}
    assert told["DataStoreReady"].message.endswith("The schema belongs to team-b/other.")
    assert told["MaterialReady"].status == "True"


def test_a_waiting_tenant_tells_its_place(course: Any) -> None:
    """The place at which it came, so that it is written once and not as it moves."""
    course.settle()
    course.facts = replace(course.facts, deployment=None)
    found = {condition.type: condition for condition in conditions(outcome(course, queued=7), now=NOW)}
    assert (found["Ready"].status, found["Ready"].reason) == ("False", "Queued")
    assert "number 7" in found["ControlPlaneAvailable"].message


def test_a_refused_write_is_told(course: Any) -> None:
    """The API server's sentence stands in MaterialReady."""
    error = ServerError("create Secret team-a/shop-ca", status=500, message="etcd is slow")
    failure = Failure(change=AddFinalizer(), error=error)
    assert reasons(course, failures=(failure,))["MaterialReady"] == ("False", "WriteFailed")


json_objects = st.recursive(
    st.integers() | st.text(max_size=3), lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
)


@given(
    present=st.dictionaries(st.sampled_from("abc"), json_objects),
    wanted=st.dictionaries(st.sampled_from("abc"), json_objects),
)
def test_the_patch_turns_one_object_into_the_other(present: Any, wanted: Any) -> None:
    """And is empty exactly when they are equal."""
    patch = difference(present, wanted)
    assert merged(present, patch) == wanted
    assert (patch == {}) == (present == wanted)


def knows(course: Any, **state: Any) -> None:
    """Let a session have told what is inside the tenant's cluster."""
    bootstrapped = Verdict(ok=True, reason="Bootstrapped", sentence="Machines can join.")
    course.facts = replace(course.facts, inside=TenantState(**{"bootstrapped": bootstrapped, "generation": 1, **state}))


APPLIED = Verdict(ok=True, reason="AddonsApplied", sentence="coreDNS is applied.")


def test_the_inside_is_told_and_is_no_part_of_ready(course: Any) -> None:
    """Its own conditions, with the generation that the session carried out; at Kamaji's paths; once."""
    course.settle()
    with_deployment_status(course, READY)
    unwell = Verdict(ok=False, reason="TenantUnreachable", sentence="No answer.")
    knows(course, bootstrapped=unwell, addons=APPLIED, statuses={"coreDNS": {"enabled": True}})
    patch = written(course)
    assert patch is not None
    assert patch["status"]["addons"]["coreDNS"]["enabled"] is True
    assert written(course, now=NOW + timedelta(days=1)) is None
    told = reasons(course)
    assert told["Bootstrapped"] == ("False", "TenantUnreachable")
    assert told["AddonsReady"] == ("True", "AddonsApplied")
    assert told["Ready"] == ("True", "Ready")


def test_while_nothing_is_known_the_last_word_stands(course: Any) -> None:
    """After a restart, or while the tenant sleeps: nothing is written."""
    course.settle()
    knows(course, addons=APPLIED, statuses={"coreDNS": {"enabled": True}})
    written(course)
    course.facts = replace(course.facts, inside=None)
    assert written(course, now=NOW + timedelta(days=1)) is None
    assert reasons(course)["AddonsReady"] == ("True", "AddonsApplied")


def test_an_addon_that_is_off_says_so(course: Any) -> None:
    """The condition goes with the last one; those of other plugins leave nothing."""
    course.settle()
    extra = {"extra": {"hello": {}}}
    spec = msgspec.structs.replace(course.facts.tenant.spec, addons=msgspec.convert(extra, Addons))
    tenant = msgspec.structs.replace(course.facts.tenant, spec=spec)
    course.facts = replace(course.facts, tenant=tenant)
    knows(course, addons=APPLIED, statuses={"coreDNS": {"enabled": True}, "hello": {"greeted": 3}})
    written(course)
    status = msgspec.to_builtins(course.facts.tenant.status.addons)
    assert status["extra"] == {"hello": {"greeted": 3}}
    knows(course, addons=None, statuses={})
    written(course)
    status = msgspec.to_builtins(course.facts.tenant.status.addons)
    assert status["coreDNS"]["enabled"] is False
    assert "extra" not in status
    assert "AddonsReady" not in reasons(course)
    assert written(course, now=NOW + timedelta(days=1)) is None


def test_somebody_elses_conditions_stay(course: Any) -> None:
    """Whatever their type."""
    course.settle()
    foreign = Condition(type="example.org/Seen", status="True", reason="Seen", message="x", last_transition_time=NOW)
    tenant = course.facts.tenant
    status = msgspec.structs.replace(tenant.status, conditions=(foreign,))
    course.facts = replace(course.facts, tenant=msgspec.structs.replace(tenant, status=status))
    knows(course)
    assert reasons(course)["example.org/Seen"] == ("True", "Seen")


def test_an_addon_that_tells_nothing_keeps_its_last_word(course: Any) -> None:
    """One that is missing or fails, or a cluster that cannot be reached: the status can always be written."""
    course.settle()
    trouble = Verdict(ok=False, reason="AddonMissing", sentence="No installed plugin brings it.")
    knows(course, addons=trouble, statuses={"coreDNS": {}})
    assert written(course) is not None
    assert written(course) is None
    knows(course, addons=APPLIED, statuses={"coreDNS": {"enabled": True}})
    written(course)
    knows(course, addons=trouble, statuses={"coreDNS": {}})
    written(course)
    assert course.facts.tenant.status.addons.core_dns.enabled
    knows(course, addons=trouble, statuses=None)
    assert written(course) is None


def test_a_limited_tenant_that_runs_says_so(course: Any) -> None:
    """As Kamaji does; unlike there, its installed version goes on being told."""
    course.settle()
    spec = msgspec.structs.replace(course.facts.tenant.spec, write_permissions=WritePermissions(block_creation=True))
    course.facts = replace(course.facts, tenant=msgspec.structs.replace(course.facts.tenant, spec=spec))
    with_deployment_status(course, READY)
    version = wanted_status(outcome(course), present={}, now=NOW)["kubernetesResources"]["version"]
    assert version == {"status": "WriteLimited", "version": "v1.37.1"}
