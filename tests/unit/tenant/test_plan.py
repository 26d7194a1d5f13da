"""A new tenant comes in five waves, and after them nothing differs: the second pass plans nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from kamaji_core.tenant.facts import Facts

WAVES = [
    ["AddFinalizer"],
    [
        "Apply Service shop",
        "CreateSecret Secret shop-ca",
        "CreateSecret Secret shop-front-proxy-ca-certificate",
        "CreateSecret Secret shop-sa-certificate",
        "ReserveClaim",
    ],
    [
        "Apply ConfigMap shop-kubeadmconfig",
        "CreateSecret Secret shop-admin-kubeconfig",
        "CreateSecret Secret shop-api-server-certificate",
        "CreateSecret Secret shop-api-server-kubelet-client-certificate",
        "CreateSecret Secret shop-controller-manager-kubeconfig",
        "CreateSecret Secret shop-datastore-certificate",
        "CreateSecret Secret shop-datastore-config",
        "CreateSecret Secret shop-front-proxy-client-certificate",
        "CreateSecret Secret shop-scheduler-kubeconfig",
    ],
    ["EnsureStore"],
    ["Apply Deployment shop"],
    [],
]


def test_a_new_tenant_comes_in_five_waves(course: Any) -> None:
    """Finalizer first; the Deployment last, when all that it mounts exists and the store knows the tenant."""
    assert [course.wave() for _ in WAVES] == WAVES


def test_a_second_pass_plans_nothing(course: Any) -> None:
    """Also when everything in memory is forgotten, as after a restart."""
    course.settle()
    course.facts = replace(course.facts, private={})
    assert course.plan() == ()


def test_nothing_is_planned_twice_for_the_same_facts(course: Any) -> None:
    """Plan is pure: what it returns depends on what it is given, but for new random keys."""
    course.wave()
    assert [type(change) for change in course.plan()] == [type(change) for change in course.plan()]


def without_store(facts: Facts) -> Facts:
    """The DataStore does not exist."""
    return replace(facts, store=None)


def without_store_name(facts: Facts) -> Facts:
    """No DataStore is named."""
    return replace(facts, store_name="")


def with_version(version: str) -> Callable[[Facts], Facts]:
    """Another version is asked for."""

    def bend(facts: Facts) -> Facts:
        kubernetes = msgspec.structs.replace(facts.tenant.spec.kubernetes, version=version)
        spec = msgspec.structs.replace(facts.tenant.spec, kubernetes=kubernetes)
        return replace(facts, tenant=msgspec.structs.replace(facts.tenant, spec=spec))

    return bend


@pytest.mark.parametrize("bend", [without_store, without_store_name, with_version("v1.20.0"), with_version("latest")])
def test_nothing_is_created_in_vain(course: Any, bend: Callable[[Facts], Facts]) -> None:
    """Not even a finalizer, while the specification cannot lead to a control plane."""
    course.facts = bend(course.facts)
    assert course.plan() == ()
    assert course.assess().blocked


def test_a_store_that_is_not_ready_delays_only_what_needs_it(course: Any) -> None:
    """Keys and certificates are made; the store is not asked, and no pod starts."""
    course.facts = replace(course.facts, store=replace(course.facts.store, ready=False, sentence="Refused."))
    course.settle()
    assert course.facts.deployment is None
    assert course.facts.ensured == ""
    assert len(course.facts.secrets) == 9


def test_a_store_that_fails_later_leaves_the_deployment_alone(course: Any) -> None:
    """An outage of the store changes nothing that runs."""
    course.settle()
    store = course.facts.store
    course.facts = replace(course.facts, store=replace(store, ready=False, view=None, session=None))
    assert course.plan() == ()


def test_a_due_leaf_is_replaced_and_rolls_nothing(course: Any) -> None:
    """With a precondition on what was judged; the Deployment holds no digest of it."""
    course.settle()
    later = course.assess().renew_at + timedelta(seconds=1)
    changes = course.plan(later)
    assert {change.manifest["kind"] for change in changes} == {"Secret"}
    assert all(change.manifest["metadata"]["resourceVersion"] for change in changes)
    for change in changes:
        course.fold(change)
    assert course.plan(later) == ()


def test_a_vanished_leaf_is_made_again(course: Any) -> None:
    """Only that Secret is written."""
    course.settle()
    secrets = {name: facts for name, facts in course.facts.secrets.items() if name != "api-server-certificate"}
    course.facts = replace(course.facts, secrets=secrets)
    assert course.wave() == ["CreateSecret Secret shop-api-server-certificate"]


def test_a_vanished_authority_stops_a_running_tenant(course: Any) -> None:
    """Nothing is written, whatever else may differ."""
    course.settle()
    secrets = {name: facts for name, facts in course.facts.secrets.items() if name != "ca"}
    course.facts = replace(course.facts, secrets=secrets, service=None)
    assert course.plan() == ()
    assert [problem.reason for problem in course.assess().problems] == ["Vanished"]


def test_no_credentials_are_made_for_a_claim_that_the_store_has_not_recorded(course: Any) -> None:
    """Neither for a new tenant nor for one whose Secret names another tenant's user."""
    course.wave()
    course.wave()
    course.facts = replace(course.facts, reserved=False)
    assert "ReserveClaim" in course.wave()
    course.settle()
    config = replace(course.facts.secrets["datastore-config"], plain={"DB_USER": "victim"}, checksum="other")
    secrets = {**course.facts.secrets, "datastore-config": config}
    del secrets["datastore-certificate"]
    course.facts = replace(course.facts, secrets=secrets, reserved=False)
    assert course.assess().claim.user == "victim"
    changes = course.wave()
    assert "ReserveClaim" in changes
    assert not [change for change in changes if "datastore" in change]


def test_a_change_of_the_stores_login_rolls_nothing(course: Any) -> None:
    """The credentials are looked at again, the pods stay."""
    course.settle()
    store = course.facts.store
    view = replace(store.view, content_digest="second")
    course.facts = replace(course.facts, store=replace(store, view=view))
    assert course.wave() == ["ReplaceSecret Secret shop-datastore-certificate"]
    assert course.plan() == ()


def test_names_at_the_store_follow_status_then_secret_then_specification_then_uid(course: Any) -> None:
    """Where the data is wins over what is asked for."""
    assert course.assess().claim.schema == "123"
    spec = msgspec.structs.replace(course.facts.tenant.spec, data_store_schema="asked", data_store_username="asker")
    course.facts = replace(course.facts, tenant=msgspec.structs.replace(course.facts.tenant, spec=spec))
    assert (course.assess().claim.schema, course.assess().claim.user) == ("asked", "asker")
    course.settle()
    spec = msgspec.structs.replace(spec, data_store_schema="other", data_store_username="")
    course.facts = replace(course.facts, tenant=msgspec.structs.replace(course.facts.tenant, spec=spec))
    assert (course.assess().claim.schema, course.assess().claim.user) == ("asked", "asker")


def scaled(facts: Facts, replicas: int) -> Facts:
    """Another number of control plane pods is asked for."""
    deployment = msgspec.structs.replace(facts.tenant.spec.control_plane.deployment, replicas=replicas)
    control_plane = msgspec.structs.replace(facts.tenant.spec.control_plane, deployment=deployment)
    spec = msgspec.structs.replace(facts.tenant.spec, control_plane=control_plane)
    return replace(facts, tenant=msgspec.structs.replace(facts.tenant, spec=spec))


@pytest.mark.parametrize(("before", "after", "starts"), [(1, 3, True), (1, 0, False), (0, 1, True), (3, 1, False)])
def test_only_what_starts_pods_waits_for_its_turn(course: Any, before: int, after: int, *, starts: bool) -> None:
    """Scaling down and falling asleep happen at once."""
    course.facts = scaled(course.facts, before)
    course.settle()
    course.facts = scaled(course.facts, after)
    (change,) = course.plan()
    assert change.starts_pods is starts


def test_another_version_starts_pods(course: Any) -> None:
    """A rollout is a start."""
    course.settle()
    course.facts = with_version("v1.37.2")(course.facts)
    changes = course.plan()
    assert [change.starts_pods for change in changes if change.manifest["kind"] == "Deployment"] == [True]


def installed(facts: Facts, version: str) -> Facts:
    """The tenant has run this version."""
    status = facts.tenant.status
    running = msgspec.structs.replace(status.kubernetes_resources.version, version=version)
    resources = msgspec.structs.replace(status.kubernetes_resources, version=running)
    status = msgspec.structs.replace(status, kubernetes_resources=resources)
    return replace(facts, tenant=msgspec.structs.replace(facts.tenant, status=status))


@pytest.mark.parametrize(
    ("running", "wanted"), [("v1.36.2", "v1.35.9"), ("v1.37.1", "v1.37.0"), ("v1.35.0", "v1.37.1")]
)
def test_a_version_that_cannot_be_reached_changes_nothing(course: Any, running: str, wanted: str) -> None:
    """The pods go on, and what is due is still renewed."""
    course.facts = with_version(running)(course.facts)
    course.settle()
    course.facts = with_version(wanted)(installed(course.facts, running))
    assert course.plan() == ()
    assert course.assess().held
    assert not course.assess().blocked
    later = course.assess().renew_at + timedelta(seconds=1)
    assert {change.manifest["kind"] for change in course.plan(later)} == {"Secret"}


@pytest.mark.parametrize(("running", "wanted"), [("v1.36.2", "v1.37.0"), ("v1.36.2", "v1.36.3"), ("v1.36.2", "1.36.2")])
def test_the_next_version_is_carried_out(course: Any, running: str, wanted: str) -> None:
    """A patch or the next minor; the same version written otherwise is no change of the pods."""
    course.facts = with_version(running)(course.facts)
    course.settle()
    course.facts = with_version(wanted)(installed(course.facts, running))
    kinds = [change.manifest["kind"] for change in course.plan()]
    assert ("Deployment" in kinds) is (wanted != "1.36.2")


def test_a_running_tenant_outlives_its_datastores_object(course: Any) -> None:
    """Nothing is blocked: certificates are renewed while somebody restores it."""
    course.settle()
    course.facts = replace(course.facts, store=None)
    later = course.assess().renew_at + timedelta(seconds=1)
    assert {change.manifest["kind"] for change in course.plan(later)} == {"Secret"}


@pytest.mark.parametrize(
    "suffix", ["api-server-certificate", "admin-kubeconfig", "scheduler-kubeconfig", "datastore-certificate"]
)
def test_a_rotation_that_is_asked_for_is_done_once(course: Any, suffix: str) -> None:
    """The empty annotation becomes the time; the content is new; the pods stay."""
    course.settle()
    before = course.facts.secrets[suffix]
    asked = replace(before, annotations={**before.annotations, "certs.kamaji.clastix.io/rotate": ""})
    course.facts = replace(course.facts, secrets={**course.facts.secrets, suffix: asked})
    (change,) = course.plan()
    assert change.manifest["metadata"]["annotations"]["certs.kamaji.clastix.io/rotate"] == "2030-01-01T00:00:00Z"
    course.fold(change)
    if suffix != "datastore-certificate":
        assert course.facts.secrets[suffix].checksum != before.checksum
    assert course.plan() == ()


def of_another_renderer(course: Any) -> None:
    """The Deployment was rendered by another revision from the same inputs."""
    live = course.facts.deployment
    annotations = {**live["metadata"]["annotations"], "kamaji.clastix.io/renderer": "0"}
    template = {**live["spec"]["template"], "spec": {"containers": []}}
    metadata, spec = {**live["metadata"], "annotations": annotations}, {**live["spec"], "template": template}
    course.facts = replace(course.facts, deployment={**live, "metadata": metadata, "spec": spec})


def test_a_new_operator_rolls_nobody(course: Any) -> None:
    """A template of another revision stays while its inputs are the same."""
    course.settle()
    of_another_renderer(course)
    assert course.plan() == ()


def test_a_template_that_is_kept_can_still_be_scaled(course: Any) -> None:
    """Without touching the template."""
    course.settle()
    of_another_renderer(course)
    course.facts = scaled(course.facts, 3)
    assert course.wave() == ["Scale"]
    assert course.plan() == ()


def test_a_change_that_no_pod_reads_rolls_nobody(course: Any) -> None:
    """A name in the serving certificate is none of the Deployment's inputs."""
    course.settle()
    profile = msgspec.structs.replace(course.facts.tenant.spec.network_profile, cert_sans=("api.example.org",))
    spec = msgspec.structs.replace(course.facts.tenant.spec, network_profile=profile)
    course.facts = replace(course.facts, tenant=msgspec.structs.replace(course.facts.tenant, spec=spec))
    kinds = {change.manifest["kind"] for change in course.plan()}
    assert kinds == {"Secret", "ConfigMap"}


def test_other_inputs_or_a_request_render_anew(course: Any) -> None:
    """A change of the specification, or another value of the annotation."""
    course.settle()
    of_another_renderer(course)
    tenant = course.facts.tenant
    metadata = msgspec.structs.replace(tenant.metadata, annotations={"kamaji.clastix.io/render": "please"})
    asked = replace(course.facts, tenant=msgspec.structs.replace(tenant, metadata=metadata))
    for facts in (asked, with_version("v1.37.2")(course.facts)):
        course.facts = facts
        assert "Apply Deployment shop" in course.wave()
        assert course.plan() == ()
        of_another_renderer(course)
