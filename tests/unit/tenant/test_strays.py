"""What no plan makes any more is known without a list, and goes only when nothing needs it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kamaji_core.kube import CONFIG_MAPS, DEPLOYMENTS, SECRETS, SERVICES, Resource
from kamaji_core.tenant.facts import SECRET_SUFFIXES
from kamaji_core.tenant.plan import Remove
from kamaji_core.tenant.strays import Stray, Strays, mounted

SHOP = ("team-a", "shop")
OLD_SECRET = Stray(SECRETS, "shop-old", "uid-old", "1-2-3")
ROLLED_OUT = {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1}


def index(*names: str, resource: Resource = SECRETS, owner_uid: str = "1-2-3") -> Strays:
    """An index that has seen these objects of the tenant team-a/shop."""
    strays = Strays()
    for name in names:
        strays.observe(resource, ("team-a", name), tenant="shop", uid=f"uid-{name}", owner_uid=owner_uid)
    return strays


def test_what_nothing_asks_for_is_found_under_its_tenant() -> None:
    """In the order of kinds and names, whatever the order of the watches."""
    strays = index("shop-old", "shop-older")
    strays.observe(CONFIG_MAPS, ("team-a", "shop-z"), tenant="shop", uid="uid-z", owner_uid="1-2-3")
    assert [(stray.resource.kind, stray.name) for stray in strays.of(SHOP, uid="1-2-3")] == [
        ("ConfigMap", "shop-z"),
        ("Secret", "shop-old"),
        ("Secret", "shop-older"),
    ]


@pytest.mark.parametrize(
    ("resource", "name"),
    [
        (SERVICES, "shop"),
        (DEPLOYMENTS, "shop"),
        (CONFIG_MAPS, "shop-kubeadmconfig"),
        *((SECRETS, f"shop-{suffix}") for suffix in SECRET_SUFFIXES),
    ],
)
def test_what_a_plan_makes_is_none(resource: Resource, name: str) -> None:
    """Every object of the usual plan, by its name; the same name as another kind's is no excuse."""
    assert index(name, resource=resource).of(SHOP, uid="1-2-3") == ()
    other = CONFIG_MAPS if resource is not CONFIG_MAPS else SECRETS
    assert len(index(name, resource=other).of(SHOP, uid="1-2-3")) == 1


@pytest.mark.parametrize("owner_uid", ["", "9-9-9"])
def test_what_is_not_owned_by_this_very_tenant_is_nobodys(owner_uid: str) -> None:
    """A user's own object, and one that an earlier tenant of the same name left to the garbage collector."""
    assert index("shop-old", owner_uid=owner_uid).of(SHOP, uid="1-2-3") == ()


def test_an_earlier_tenants_object_is_its_own() -> None:
    """The index keeps it under the UID that it names, so that two of the same name do not mix."""
    strays = index("shop-old", owner_uid="9-9-9")
    assert [stray.name for stray in strays.of(SHOP, uid="9-9-9")] == ["shop-old"]


def test_other_tenants_and_namespaces_do_not_see_it() -> None:
    """A stray belongs to the tenant of its label, in its own namespace."""
    strays = index("shop-old")
    assert strays.of(("team-a", "other"), uid="1-2-3") == ()
    assert strays.of(("team-b", "shop"), uid="1-2-3") == ()


def test_what_is_gone_is_forgotten() -> None:
    """Also when it lost its owner; a tenant without strays takes no memory."""
    strays = index("shop-old", "shop-older")
    strays.observe(SECRETS, ("team-a", "shop-old"), tenant="shop", uid="", owner_uid="")
    strays.observe(SECRETS, ("team-a", "shop-older"), tenant="shop", uid="uid-shop-older", owner_uid="")
    assert strays.of(SHOP, uid="1-2-3") == ()
    assert not strays._by_tenant


def test_the_end_of_what_was_never_seen_is_no_news() -> None:
    """A watch may tell of an end without a beginning."""
    strays = Strays()
    strays.observe(SECRETS, ("team-a", "shop-old"), tenant="shop", uid="", owner_uid="")
    assert not strays._by_tenant


def test_a_new_incarnation_takes_the_place_of_the_old() -> None:
    """The UID told last is the one that may be removed."""
    strays = index("shop-old")
    strays.observe(SECRETS, ("team-a", "shop-old"), tenant="shop", uid="uid-new", owner_uid="1-2-3")
    assert [stray.uid for stray in strays.of(SHOP, uid="1-2-3")] == ["uid-new"]


seen = st.tuples(
    st.sampled_from(["shop-a", "shop-b", "shop-ca"]), st.sampled_from(["", "u1", "u2"]), st.sampled_from(["", "1", "2"])
)


@given(st.lists(seen, max_size=30))
def test_the_index_tells_the_last_state_of_everything(changes: list[tuple[str, str, str]]) -> None:
    """Whatever happened before, and with nothing left over of what is gone."""
    strays = Strays()
    last: dict[str, tuple[str, str]] = {}
    for name, uid, owner_uid in changes:
        strays.observe(SECRETS, ("team-a", name), tenant="shop", uid=uid, owner_uid=owner_uid)
        last[name] = uid, owner_uid
    for asked in ("1", "2"):
        expected = {(name, uid) for name, (uid, owner) in last.items() if uid and owner == asked and name != "shop-ca"}
        assert {(stray.name, stray.uid) for stray in strays.of(SHOP, uid=asked)} == expected
    assert bool(strays._by_tenant) is any(uid and owner and name != "shop-ca" for name, (uid, owner) in last.items())


def pod(**spec: Any) -> dict[str, Any]:
    """A Deployment of such pods."""
    return {"spec": {"template": {"spec": spec}}}


@pytest.mark.parametrize(
    ("deployment", "found"),
    [
        (pod(volumes=[{"name": "v", "secret": {"secretName": "a"}}]), {("Secret", "a")}),
        (pod(volumes=[{"name": "v", "configMap": {"name": "a"}}]), {("ConfigMap", "a")}),
        (
            pod(volumes=[{"projected": {"sources": [{"secret": {"name": "a"}}, {"configMap": {"name": "b"}}]}}]),
            {("Secret", "a"), ("ConfigMap", "b")},
        ),
        (pod(containers=[{"envFrom": [{"secretRef": {"name": "a"}}]}]), {("Secret", "a")}),
        (pod(initContainers=[{"envFrom": [{"configMapRef": {"name": "a"}}]}]), {("ConfigMap", "a")}),
        (pod(containers=[{"env": [{"valueFrom": {"secretKeyRef": {"name": "a"}}}]}]), {("Secret", "a")}),
        (pod(containers=[{"env": [{"valueFrom": {"configMapKeyRef": {"name": "a"}}}]}]), {("ConfigMap", "a")}),
        (pod(volumes=None, containers=[{"env": [{"name": "A", "value": "b"}], "envFrom": None}]), set()),
        (pod(volumes=[{"name": "v", "emptyDir": {}}, {"projected": {"sources": None}}]), set()),
        ({}, set()),
    ],
)
def test_every_way_of_mounting_counts(deployment: dict[str, Any], found: set[tuple[str, str]]) -> None:
    """Volumes, projected ones, and environments; what mounts nothing needs nothing."""
    assert {(kind, name) for kind, name in mounted(deployment) if name} == found


def test_the_usual_pods_mount_what_the_plan_makes(course: Any) -> None:
    """So whatever is removed, nothing of these is: the names come from the rendered Deployment itself."""
    course.settle()
    names = {name for kind, name in mounted(course.facts.deployment) if kind == "Secret" and name}
    assert names
    assert names <= {f"shop-{suffix}" for suffix in SECRET_SUFFIXES}


@pytest.fixture
def settled(course: Any) -> Any:
    """A tenant that is rolled out, with one Secret that nothing asks for."""
    course.settle()
    course.facts = replace(course.facts, strays=(OLD_SECRET,))
    return with_status(course, ROLLED_OUT)


def with_status(course: Any, status: dict[str, Any]) -> Any:
    """The Deployment's controller has told this."""
    course.facts = replace(course.facts, deployment={**course.facts.deployment, "status": status})
    return course


def test_it_goes_when_nothing_else_is_to_be_done(settled: Any) -> None:
    """With its UID, so that a new object of the same name stays."""
    assert settled.plan() == (Remove(stray=OLD_SECRET),)


def test_nothing_is_removed_twice(settled: Any) -> None:
    """After the wave that removed it, nothing differs."""
    settled.facts = replace(settled.facts, strays=())
    assert settled.plan() == ()


@pytest.mark.parametrize(
    "status",
    [
        {},
        {"observedGeneration": 0, "replicas": 1, "updatedReplicas": 1},
        {"observedGeneration": 1, "replicas": 2, "updatedReplicas": 1},
        {"observedGeneration": 1, "replicas": 1},
    ],
)
def test_pods_of_an_older_template_may_need_it(settled: Any, status: dict[str, Any]) -> None:
    """While one of them may run, and before the controller has seen the present template, it stays."""
    assert with_status(settled, status).plan() == ()


def test_a_sleeping_tenant_needs_none(settled: Any) -> None:
    """No pods, no mounts."""
    assert with_status(settled, {"observedGeneration": 1}).plan() == (Remove(stray=OLD_SECRET),)


def test_what_somebody_else_mounts_into_our_pods_stays(settled: Any) -> None:
    """Another field manager's volume in our Deployment is theirs; what is not mounted goes all the same."""
    live = settled.facts.deployment
    pods = live["spec"]["template"]["spec"]
    volumes = [*pods["volumes"], {"name": "theirs", "secret": {"secretName": "shop-old"}}]
    template = {**live["spec"]["template"], "spec": {**pods, "volumes": volumes}}
    other = Stray(CONFIG_MAPS, "shop-old", "uid-map", "1-2-3")
    settled.facts = replace(
        settled.facts,
        deployment={**live, "spec": {**live["spec"], "template": template}},
        strays=(other, OLD_SECRET),
    )
    assert settled.plan() == (Remove(stray=other),)


def test_it_waits_for_whatever_else_is_to_be_done(settled: Any) -> None:
    """A wave that writes removes nothing: its pods may still need it."""
    secrets = {name: facts for name, facts in settled.facts.secrets.items() if name != "api-server-certificate"}
    settled.facts = replace(settled.facts, secrets=secrets)
    assert settled.wave() == ["CreateSecret Secret shop-api-server-certificate"]
    assert settled.plan() == (Remove(stray=OLD_SECRET),)


def test_nothing_is_removed_before_there_are_pods(course: Any) -> None:
    """A tenant without a Deployment is on its way, or somebody's to look at."""
    course.facts = replace(course.facts, strays=(OLD_SECRET,), store=replace(course.facts.store, ready=False))
    course.settle()
    assert course.facts.deployment is None
    assert course.plan() == ()


def held(facts: Any) -> Any:
    """The tenant has run v1.37.1 and somebody asks for an older version."""
    status = facts.tenant.status
    running = msgspec.structs.replace(status.kubernetes_resources.version, version="v1.37.1")
    resources = msgspec.structs.replace(status.kubernetes_resources, version=running)
    kubernetes = msgspec.structs.replace(facts.tenant.spec.kubernetes, version="v1.36.0")
    tenant = msgspec.structs.replace(
        facts.tenant,
        status=msgspec.structs.replace(status, kubernetes_resources=resources),
        spec=msgspec.structs.replace(facts.tenant.spec, kubernetes=kubernetes),
    )
    return replace(facts, tenant=tenant)


def test_nothing_is_removed_while_the_tenant_is_held(settled: Any) -> None:
    """Neither alone nor beside a renewal: what runs is left as it is."""
    settled.facts = held(settled.facts)
    assert settled.assess().held
    assert settled.plan() == ()
    later = settled.assess().renew_at + timedelta(seconds=1)
    changes = settled.plan(later)
    assert changes
    assert not [change for change in changes if isinstance(change, Remove)]


def test_nothing_is_removed_while_the_tenant_is_blocked(settled: Any) -> None:
    """A lost authority stops everything, also this."""
    secrets = {name: facts for name, facts in settled.facts.secrets.items() if name != "ca"}
    settled.facts = replace(settled.facts, secrets=secrets)
    assert settled.assess().blocked
    assert settled.plan() == ()
