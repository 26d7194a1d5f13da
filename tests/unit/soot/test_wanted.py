"""What of an object is ours to write, and what is left to its users."""

from __future__ import annotations

from typing import Any

import pytest

from kamaji_core.contracts import TenantObject
from kamaji_core.soot.wanted import Wanted, intent, is_stray, needs_write

DEPLOYMENT: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "namespace": "n", "labels": {"a": "b"}},
    "spec": {
        "replicas": 2,
        "template": {"spec": {"containers": [{"name": "web", "image": "i", "resources": {"limits": {"cpu": "1"}}}]}},
    },
}
RESOURCES = "spec.template.spec.containers[name=web].resources"


def wanted(**settings: Any) -> Wanted:
    """The Deployment, wanted by an add-on."""
    return Wanted(owner="hello", object=TenantObject(manifest=DEPLOYMENT, **settings))


def live(manager: str, fields: dict[str, Any], *, subresource: str = "") -> dict[str, Any]:
    """The Deployment as it is, with one owner of fields."""
    entry = {"manager": manager, "operation": "Update", "subresource": subresource, "fieldsV1": fields}
    return {**DEPLOYMENT, "metadata": {**DEPLOYMENT["metadata"], "managedFields": [entry]}}


def test_it_says_whose_it_is() -> None:
    """Its own labels stay, and the manifest that was handed over is left as it was."""
    labels = intent(wanted(), None).manifest["metadata"]["labels"]
    assert labels == {"a": "b", "kamaji.clastix.io/project": "kamaji", "kamaji.clastix.io/addon": "hello"}
    assert DEPLOYMENT["metadata"]["labels"] == {"a": "b"}
    plain = Wanted(owner="", object=TenantObject(manifest=DEPLOYMENT))
    assert "kamaji.clastix.io/addon" not in intent(plain, None).manifest["metadata"]["labels"]


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("spec.replicas", {"f:spec": {"f:replicas": {}}}),
        (
            RESOURCES,
            {
                "f:spec": {
                    "f:template": {
                        "f:spec": {"f:containers": {'k:{"name":"web"}': {"f:resources": {"f:limits": {"f:cpu": {}}}}}}
                    }
                }
            },
        ),
    ],
)
def test_a_field_that_somebody_took_over_is_left_out(path: str, fields: dict[str, Any]) -> None:
    """Of those that may be taken over; a field of the same object that may not is put back."""
    taken = intent(wanted(yield_fields=(path,)), live("kubectl-edit", fields))
    assert taken.yielded == (path,)
    kept = intent(wanted(), live("kubectl-edit", fields))
    assert kept.yielded == ()
    assert kept.manifest["spec"] == DEPLOYMENT["spec"]
    assert taken.manifest["spec"] != DEPLOYMENT["spec"]


@pytest.mark.parametrize(
    ("manager", "subresource"), [("kamaji", ""), ("kube-controller-manager", "status")], ids=["ours", "status"]
)
def test_who_takes_nothing_over(manager: str, subresource: str) -> None:
    """We ourselves, and whoever only tells the status."""
    fields = {"f:spec": {"f:replicas": {}}}
    assert intent(wanted(yield_fields=("spec.replicas",)), live(manager, fields, subresource=subresource)).yielded == ()


def test_an_autoscaler_takes_over() -> None:
    """It writes through the scale subresource."""
    fields = {"f:spec": {"f:replicas": {}}}
    taken = intent(wanted(yield_fields=("spec.replicas",)), live("hpa", fields, subresource="scale"))
    assert "replicas" not in taken.manifest["spec"]


def test_the_digest_stands_in_the_pod_template() -> None:
    """Pods restart when it changes."""
    template = intent(wanted(restart_on_digest="d"), None).manifest["spec"]["template"]
    assert template["metadata"]["annotations"] == {"kamaji.clastix.io/restart-digest": "d"}


def test_what_is_as_intended_needs_no_write() -> None:
    """By meaning: other fields of others do not count."""
    intended = intent(wanted(), None)
    assert not needs_write(intended, {**intended.manifest, "status": {"replicas": 7}})
    assert needs_write(intended, DEPLOYMENT)


@pytest.mark.parametrize(
    ("owner", "is_wanted", "going", "stray"),
    [
        ("hello", False, False, True),
        ("hello", True, False, False),
        ("hello", False, True, False),
        ("other", False, False, False),
        (None, False, False, False),
    ],
)
def test_strays(*, owner: str | None, is_wanted: bool, going: bool, stray: bool) -> None:
    """Only what an add-on made that is known to want nothing else, and that is not going already."""
    labels = {"kamaji.clastix.io/project": "kamaji"} | ({"kamaji.clastix.io/addon": owner} if owner else {})
    one = {"metadata": {"labels": labels, **({"deletionTimestamp": "t"} if going else {})}}
    assert is_stray(one, wanted=is_wanted, settled=frozenset({"hello"})) is stray
