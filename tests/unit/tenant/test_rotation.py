"""A store login that is renewed: both work until no pod runs with the earlier one, then that one ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from kamaji_core.api import labels as wire
from kamaji_core.contracts import Credentials
from kamaji_core.tenant.plan import EnsureStore, ReplaceSecret, SettleStore
from kamaji_core.tenant.rollout import earlier_pods_end

if TYPE_CHECKING:
    from kamaji_core.datastore import StoreState
    from kamaji_core.tenant.facts import Facts

NOW = datetime(2030, 1, 1, tzinfo=UTC)
ROTATE = wire.ROTATE_ANNOTATION
Course = Any


def in_turn(store: Any, claim: Any, *, current: Any, now: Any, renew: bool = False) -> Credentials:
    """Issue two logins in turn."""
    if current and not renew:
        return current
    login = "b" if current and current.user == "a" else "a"
    return Credentials(user=login, password=f"of-{login}", settings={"PAPER_ADDRESS": f"paper://{login}"})


@pytest.fixture
def store(store: StoreState, monkeypatch: pytest.MonkeyPatch) -> StoreState:
    """A store with two logins for each tenant, which needs no files."""
    monkeypatch.setattr(store.driver, "issue", in_turn)
    return store


@pytest.fixture
def course(course: Course) -> Course:
    """A tenant that runs."""
    course.settle()
    course.facts = course.facts.with_object(rolled_out(course.facts))
    return course


def rolled_out(facts: Facts, *, at: datetime = NOW, **status: int) -> dict[str, Any]:
    """The Deployment when its pods run."""
    assert facts.deployment is not None
    progressing = {
        "type": "Progressing",
        "reason": "NewReplicaSetAvailable",
        "lastUpdateTime": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    counts = {"replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "observedGeneration": 1, **status}
    return {**facts.deployment, "status": {**counts, "conditions": [progressing]}}


def annotate(course: Course, suffix: str, name: str, value: str) -> None:
    """Put an annotation on a Secret, as a user would."""
    secrets = dict(course.facts.secrets)
    annotations = {**secrets[suffix].annotations, name: value}
    secrets[suffix] = replace(secrets[suffix], annotations=annotations)
    course.facts = replace(course.facts, secrets=secrets)


def login(course: Course) -> str:
    """What the pods are to run with."""
    return course.facts.private["datastore-config"]["DB_LOGIN"].decode()


def rotate(course: Course) -> None:
    """Ask for another login and go on until the new pods' template is applied."""
    annotate(course, "datastore-config", ROTATE, "")
    course.settle()


def test_the_claims_user_stays_beside_the_login(course: Course) -> None:
    """The Secret of a restored tenant must tell its share, whichever login it had."""
    data = course.facts.private["datastore-config"]
    assert (data["DB_USER"], data["DB_LOGIN"], data["DB_PASSWORD"]) == (b"123", b"a", b"of-a")
    assert data["PAPER_ADDRESS"] == b"paper://a"
    assert course.assess().claim.user == "123"


def test_a_renewed_login_is_told_to_the_store_and_the_earlier_one_kept(course: Course) -> None:
    """The Secret first, so that a crash loses nothing; then the store; then nothing until the pods are there."""
    annotate(course, "datastore-config", ROTATE, "")
    assert {type(change) for change in course.plan()} == {ReplaceSecret}
    course.wave()
    assert login(course) == "b"
    assert [type(change) for change in course.plan()] == [EnsureStore]
    course.settle()
    assert wire.UNSETTLED_ANNOTATION in course.facts.secrets["datastore-config"].annotations
    assert course.facts.secrets["datastore-config"].annotations[ROTATE] != ""


def test_it_ends_when_no_earlier_pod_runs(course: Course) -> None:
    """Pods that end still answer what was under way: they are given their time."""
    rotate(course)
    course.facts = course.facts.with_object(rolled_out(course.facts))
    assert course.plan() == ()
    assert course.assess().renew_at == NOW + timedelta(seconds=35)
    (change,) = course.plan(NOW + timedelta(seconds=36))
    assert isinstance(change, SettleStore)
    assert change.credentials.user == "b"


def test_it_waits_for_pods_that_the_deployment_says_are_ending(course: Course) -> None:
    """A management cluster that counts them is believed, either way."""
    rotate(course)
    course.facts = course.facts.with_object(rolled_out(course.facts, terminatingReplicas=1))
    assert course.plan(NOW + timedelta(hours=1)) == ()
    course.facts = course.facts.with_object(rolled_out(course.facts, terminatingReplicas=0))
    assert [type(change) for change in course.plan(NOW)] == [SettleStore]


def test_nothing_ends_while_the_rollout_stands(course: Course) -> None:
    """New pods that do not come up must not take the old ones' login away."""
    rotate(course)
    course.facts = course.facts.with_object(rolled_out(course.facts, replicas=2))
    assert course.plan(NOW + timedelta(days=1)) == ()


def test_a_second_request_waits_for_the_first(course: Course) -> None:
    """With two logins, a third would be the one that pods still run with."""
    rotate(course)
    annotate(course, "datastore-config", ROTATE, "")
    assert not course.assess().credentials_due
    course.facts = course.facts.with_object(rolled_out(course.facts, terminatingReplicas=0))
    assert [type(change) for change in course.plan()] == [SettleStore]
    course.settle()
    assert login(course) == "a"


def test_the_rotation_may_be_asked_for_by_either_secret(course: Course) -> None:
    """The one of the certificates is Kamaji's; a store may have none."""
    annotate(course, "datastore-certificate", ROTATE, "")
    course.settle()
    assert login(course) == "b"


def test_another_setting_of_the_driver_is_told_to_the_store_once(course: Course) -> None:
    """Such as a limit of connections, of which no Secret tells."""
    assert course.facts.store is not None
    assert course.facts.store.view is not None
    view = replace(course.facts.store.view, config={"limit": 5})
    course.facts = replace(course.facts, store=replace(course.facts.store, view=view))
    changes = course.plan()
    assert [type(change) for change in changes] == [EnsureStore]
    course.settle()
    assert not course.assess().ensure_due


def test_replicas_that_a_store_cannot_bear_are_refused(course: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    """What runs is left as it is, and the sentence names the field."""
    facts: Facts = course.facts
    assert facts.store is not None
    monkeypatch.setattr(type(facts.store.driver), "CAPABILITIES", frozenset())
    deployment = msgspec.structs.replace(facts.tenant.spec.control_plane.deployment, replicas=2)
    control_plane = msgspec.structs.replace(facts.tenant.spec.control_plane, deployment=deployment)
    spec = msgspec.structs.replace(facts.tenant.spec, control_plane=control_plane)
    tenant = msgspec.structs.replace(facts.tenant, spec=spec)
    course.facts = replace(facts, tenant=tenant)
    (problem,) = course.assess().problems
    assert "spec.controlPlane.deployment.replicas: 2 API servers cannot work" in problem.message
    assert course.plan() == ()


def test_a_sleeping_tenant_has_no_earlier_pods() -> None:
    """Its Deployment moves to no ReplicaSet that becomes available."""
    live = {"metadata": {"generation": 2}, "spec": {}, "status": {"observedGeneration": 2}}
    found = earlier_pods_end(live)
    assert found is not None
    assert found < NOW
