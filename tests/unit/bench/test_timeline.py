"""Which stages objects show, and when each was first shown."""

from __future__ import annotations

from typing import Any

import pytest

from bench import timeline
from bench.timeline import Timeline, deployment_is_ready, stages_shown, tenant_of
from kamaji_core.api.labels import COMPONENT_LABEL, NAME_LABEL


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now


def tenant(status: str = "Ready", **conditions: str) -> dict[str, Any]:
    """A tenant's object."""
    return {
        "kind": "TenantControlPlane",
        "metadata": {"name": "a"},
        "status": {
            "kubernetesResources": {"version": {"status": status}},
            "conditions": [{"type": name, "status": value} for name, value in conditions.items()],
        },
    }


def deployment(
    wanted: int = 1, ready: int = 1, *, updated: int = 1, total: int = 1, observed: int = 2
) -> dict[str, Any]:
    """A tenant's Deployment, of generation 2."""
    return {
        "kind": "Deployment",
        "metadata": {"name": "a", "generation": 2, "labels": {NAME_LABEL: "a"}},
        "spec": {"replicas": wanted},
        "status": {
            "observedGeneration": observed,
            "replicas": total,
            "updatedReplicas": updated,
            "readyReplicas": ready,
        },
    }


def pod(name: str = "a-1", *, running: int = 2, ready: str = "True", restarts: int = 0) -> dict[str, Any]:
    """A tenant's pod with two containers."""
    return {
        "kind": "Pod",
        "metadata": {"name": name, "labels": {NAME_LABEL: "a"}},
        "spec": {"containers": [{"name": "one"}, {"name": "two"}]},
        "status": {
            "conditions": [{"type": "Ready", "status": ready}],
            "containerStatuses": [
                {"name": container, "restartCount": restarts, "state": {"running": {}} if number < running else {}}
                for number, container in enumerate(("one", "two"))
            ],
        },
    }


def service(component: str) -> dict[str, Any]:
    """A tenant's Service."""
    return {"kind": "Service", "metadata": {"name": "a", "labels": {COMPONENT_LABEL: component}}}


@pytest.mark.parametrize(
    ("obj", "stages"),
    [
        (tenant("Provisioning"), []),
        (tenant("Ready", DataStoreReady="True", Ready="False"), ["condition DataStoreReady", "tenant Ready"]),
        ({"kind": "TenantControlPlane", "metadata": {"name": "a"}}, []),
        (deployment(), ["Deployment created", "Deployment ready"]),
        (deployment(ready=0), ["Deployment created"]),
        (pod(running=1, ready="False"), ["pod created"]),
        (pod(ready="False"), ["pod created", "containers started"]),
        (pod(), ["pod created", "containers started", "pod Ready"]),
        ({**pod(), "status": {}}, ["pod created"]),
        (service("service"), ["Service put back"]),
        (service(timeline.DRIFTED), []),
        ({"kind": "Secret", "metadata": {"name": "a"}}, []),
    ],
)
def test_stages_that_an_object_shows(obj: dict[str, Any], stages: list[str]) -> None:
    """An object shows a stage also when it was reached long before."""
    assert list(stages_shown(obj)) == stages


@pytest.mark.parametrize(
    "obj",
    [
        deployment(wanted=0, ready=0, updated=0, total=0),
        deployment(observed=1),
        deployment(updated=0),
        deployment(total=2),
        deployment(wanted=2),
        {"kind": "Deployment", "metadata": {"name": "a"}, "spec": {"replicas": 1}},
    ],
    ids=["asleep", "not observed", "old pods", "an old pod beside", "too few", "no status"],
)
def test_a_deployment_that_is_not_ready(obj: dict[str, Any]) -> None:
    """Only new pods, all of them, and nothing else."""
    assert not deployment_is_ready(obj)


def test_an_object_belongs_to_the_tenant_in_its_label() -> None:
    """The tenant's own object has none."""
    assert tenant_of(pod()) == "a"
    assert tenant_of(tenant()) == "a"
    assert tenant_of({"metadata": {"name": "b", "labels": None}}) == "b"


def test_the_first_moment_counts() -> None:
    """Seconds count from the timeline's beginning; later events of the same change nothing."""
    clock = Clock()
    line = Timeline(clock)
    clock.now += 2
    line.tell(pod(ready="False"))
    clock.now += 3
    line.tell(pod())
    assert line.at(timeline.POD) == {"a": 2.0}
    assert line.at(timeline.POD_READY) == {"a": 5.0}
    assert line.reached(timeline.POD_READY) == 1
    assert line.has("a", timeline.POD)
    assert not line.has("b", timeline.POD)
    assert line.at(timeline.READY) == {}


def test_stages_are_told_in_their_order() -> None:
    """Conditions, which not every operator has, come last."""
    line = Timeline(Clock())
    for obj in (tenant("Ready", MaterialReady="True", EndpointReady="True"), pod(), deployment()):
        line.tell(obj)
    assert line.stages() == [*timeline.STAGES[:6], "condition EndpointReady", "condition MaterialReady"]


def test_a_tenant_is_gone_when_its_object_is() -> None:
    """What a deleted object last showed is no news, and a pod's end is not the tenant's."""
    line = Timeline(Clock())
    line.tell(pod(), gone=True)
    assert line.stages() == []
    line.tell(tenant(), gone=True)
    assert line.stages() == [timeline.GONE]


def test_restarts_are_counted_over_all_pods() -> None:
    """The last count of each container, those of pods that are gone included."""
    line = Timeline(Clock())
    assert line.restarts() == {}
    line.tell(pod("a-1", restarts=1))
    line.tell(pod("a-1", restarts=3), gone=True)
    line.tell(pod("a-2", restarts=2))
    line.tell(pod("a-3"))
    assert line.restarts() == {"one": 5, "two": 5}
