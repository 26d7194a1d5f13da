"""What counts as a difference, on objects written down here; `tests/cluster` shows the same on a server's own."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from kamaji_core.kube import differences, keep_own_managed_fields

ME = "kamaji"


def owned(fields: dict[str, Any], *, manager: str = ME, operation: str = "Apply", **more: str) -> dict[str, Any]:
    """One entry of managedFields."""
    return {"manager": manager, "operation": operation, "apiVersion": "v1", "fieldsV1": fields, **more}


def live(spec: dict[str, Any], *entries: dict[str, Any]) -> dict[str, Any]:
    """An object as a server shows it."""
    return {
        "metadata": {
            "name": "a",
            "namespace": "n",
            "uid": "u",
            "resourceVersion": "5",
            "generation": 2,
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "managedFields": list(entries),
        },
        "spec": spec,
        "status": {"ready": True},
    }


def intent(spec: dict[str, Any]) -> dict[str, Any]:
    """What we want, as it would be applied."""
    return {"apiVersion": "v1", "kind": "Thing", "metadata": {"name": "a", "namespace": "n"}, "spec": spec}


def compare(wanted: dict[str, Any], shown: dict[str, Any], *entries: dict[str, Any]) -> list[str]:
    """Compare two specs."""
    return differences(intent(wanted), live(shown, *entries), manager=ME)


def test_equal() -> None:
    """The same values with the server's own metadata, a status and no kind are no difference."""
    assert compare({"a": 1, "b": {"c": ["x"]}}, {"a": 1, "b": {"c": ["x"]}}) == []


def test_defaults_and_foreign_fields_are_no_difference() -> None:
    """What the server or others add beside our fields stays."""
    others = owned({"f:spec": {"f:theirs": {}}}, manager="kubectl")
    assert compare({"a": {"b": 1}}, {"a": {"b": 1, "default": 2}, "theirs": 3}, others) == []


@pytest.mark.parametrize(
    ("wanted", "shown", "path"),
    [
        ({"a": 1}, {"a": 2}, "spec.a"),
        ({"a": 1}, {}, "spec.a"),
        ({"a": True}, {"a": 1}, "spec.a"),
        ({"a": {"b": 1}}, {"a": "text"}, "spec.a"),
        ({"a": ["x", "y"]}, {"a": ["y", "x"]}, "spec.a[0]"),
        ({"a": ["x"]}, {"a": ["x", "y"]}, "spec.a"),
        ({"labels": {"x.y/z": "1"}}, {"labels": {}}, "spec.labels[x.y/z]"),
        ({"env": [{"name": "A", "value": "1000m"}]}, {"env": [{"name": "A", "value": "1"}]}, "spec.env[name=A].value"),
        ({"containers": [{"name": "c"}]}, {"containers": []}, "spec.containers[name=c]"),
        ({"ports": [{"port": 1, "name": "a"}]}, {"ports": [{"port": 1, "protocol": "TCP"}]}, None),
    ],
)
def test_values_that_differ(wanted: dict[str, Any], shown: dict[str, Any], path: str | None) -> None:
    """A changed, missing or differently typed value is named by its path."""
    assert compare(wanted, shown)[0].startswith(path or "spec.ports[port=1,protocol=TCP].name")


@pytest.mark.parametrize(
    ("wanted", "shown"),
    [
        ({"limits": {"cpu": "1000m", "memory": 1024}}, {"limits": {"cpu": "1", "memory": "1Ki"}}),
        ({"emptyDir": {"sizeLimit": "0.5Gi"}}, {"emptyDir": {"sizeLimit": "512Mi"}}),
        ({"targetPort": "6443", "maxSurge": 1}, {"targetPort": 6443, "maxSurge": "1"}),
        ({"a": None}, {"a": 3}),
        ({"a": None}, {}),
        ({"containers": [{"name": "b"}]}, {"containers": [{"name": "a"}, {"name": "b", "image": "i"}]}),
        ({"finalizers": ["b"]}, {"finalizers": ["a", "b"]}),
    ],
)
def test_values_that_mean_the_same(wanted: dict[str, Any], shown: dict[str, Any]) -> None:
    """Quantities, ports, nulls, foreign elements of keyed lists and sets."""
    assert compare(wanted, shown) == []


def test_what_we_applied_and_no_longer_want_is_a_difference() -> None:
    """A field, an element of a keyed list and an element of a set that we own are named when the intent lacks them."""
    entry = owned(
        {
            "f:metadata": {"f:labels": {"f:old": {}}, "f:finalizers": {'v:"x/old"': {}}},
            "f:spec": {"f:a": {}, "f:containers": {'k:{"name":"old"}': {".": {}, "f:name": {}}}},
        }
    )
    assert sorted(compare({"containers": [{"name": "new"}]}, {"containers": [{"name": "new"}]}, entry)) == [
        "metadata.finalizers (no longer wanted)",
        "metadata.labels (no longer wanted)",
        "spec.a (no longer wanted)",
        "spec.containers[name=old] (no longer wanted)",
    ]


def test_what_others_own_or_we_own_otherwise_is_none() -> None:
    """Another manager's fields, our updates and our status are not what an apply would remove."""
    fields = {"f:spec": {"f:b": {}}}
    entries = (
        owned(fields, manager="kubectl"),
        owned(fields, operation="Update"),
        owned({"f:status": {"f:ready": {}}}, subresource="status"),
        owned(fields, subresource="scale"),
        owned({"f:status": {"f:ready": {}}}),
    )
    assert compare({"a": 1}, {"a": 1, "b": 2}, *entries) == []


def test_zero_values_that_the_server_left_out() -> None:
    """A zero value that is not shown is equal if the server recorded our ownership, else it is still to be applied.

    An empty list is always equal to none: the server forgets our ownership of a list that was emptied.
    """
    wanted = {"hostNetwork": False, "selector": {}, "list": [], "text": "", "count": 0}
    assert compare(wanted, {}, owned({"f:spec": {f"f:{name}": {} for name in wanted}})) == []
    assert compare(wanted, {}) == [f"spec.{name}" for name in wanted if name != "list"]
    assert compare({"automount": False}, {"automount": True}, owned({"f:spec": {"f:automount": {}}}))


def test_lists_that_are_owned_whole_have_nothing_else() -> None:
    """In a list that the server keeps as one value, a field that the intent lacks was removed from it."""
    entry = owned({"f:spec": {"f:tolerations": {}}})
    wanted = {"tolerations": [{"key": "a"}]}
    assert compare(wanted, {"tolerations": [{"key": "a", "tolerationSeconds": 3}]}, entry) == [
        "spec.tolerations[0].tolerationSeconds"
    ]
    # Without the record we cannot tell a removal from a default.
    assert compare(wanted, {"tolerations": [{"key": "a", "tolerationSeconds": 3}]}) == []


def test_defaults_within_lists_that_are_owned_whole() -> None:
    """What the server itself adds there is known."""
    entry = owned({"f:spec": {"f:sources": {}}})
    wanted = {"sources": [{"serviceAccountToken": {"path": "t"}}, {"fieldRef": {"fieldPath": "p"}}]}
    shown = {
        "sources": [
            {"serviceAccountToken": {"path": "t", "expirationSeconds": 3600}},
            {"fieldRef": {"fieldPath": "p", "apiVersion": "v1"}},
        ]
    }
    assert compare(wanted, shown, entry) == []


def test_maps_that_are_owned_whole_have_nothing_else() -> None:
    """The same for maps, such as a Service's selector."""
    entry = owned({"f:spec": {"f:selector": {}}})
    assert compare({"selector": {"a": "b"}}, {"selector": {"a": "b", "c": "d"}}, entry) == ["spec.selector.c"]
    assert compare({"selector": {}}, {"selector": {"c": "d"}}, entry) == []


def test_the_key_of_a_list_is_read_from_the_record() -> None:
    """A custom resource's keyed list needs no table: the server says by which fields its elements are told apart."""
    entry = owned({"f:spec": {"f:things": {'k:{"id":"b"}': {".": {}, "f:id": {}, "f:x": {}}}}})
    shown = {"things": [{"id": "a", "x": 1}, {"id": "b", "x": 2, "default": 3}]}
    assert compare({"things": [{"id": "b", "x": 2}]}, shown, entry) == []
    assert compare({"things": [{"id": "b", "x": 3}]}, shown, entry) == ["spec.things[id=b].x"]


def test_order_matters_where_it_means_something() -> None:
    """Init containers run in order and variables refer backwards; foreign elements between ours do no harm."""
    shown = [{"name": "a"}, {"name": "foreign"}, {"name": "b"}]
    wanted = [{"name": "a"}, {"name": "b"}]
    for name in ("initContainers", "env", "containers"):
        assert compare({name: wanted}, {name: shown}) == []
    for name in ("initContainers", "env"):
        assert compare({name: wanted[::-1]}, {name: shown}) == [f"spec.{name} (order)"]
    assert compare({"containers": wanted[::-1]}, {"containers": shown}) == []


def test_a_missing_protocol_is_tcp() -> None:
    """Ports are told apart by number and protocol, TCP by default, in what we want and in what is recorded."""
    entry = owned({"f:spec": {"f:ports": {'k:{"port":53,"protocol":"TCP"}': {".": {}, "f:port": {}}}}})
    shown = {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP", "nodePort": 30000}]}
    assert compare({"ports": [{"port": 53}]}, shown, entry) == []
    assert compare({"ports": [{"port": 53, "protocol": "UDP"}]}, shown, entry) == [
        "spec.ports[port=53,protocol=TCP] (no longer wanted)"
    ]


def test_several_records_of_ours_count_together() -> None:
    """Ownership that was recorded under two versions of the API is the sum of both."""
    entries = (
        owned({"f:spec": {"f:a": {"f:x": {}}, "f:b": {}}}),
        owned({"f:spec": {"f:a": {"f:y": {}}}}, apiVersion="v2"),
    )
    assert compare({"a": {"x": 1}, "b": 1}, {"a": {"x": 1, "y": 1}, "b": 1}, *entries) == [
        "spec.a.y (no longer wanted)"
    ]


def test_no_value_stands_in_a_path() -> None:
    """Differences are logged and stand in Events: a Secret's data does not."""
    secret = {"metadata": {"name": "a"}, "data": {"password": "aHVudGVyMg=="}}
    assert differences(secret, {"metadata": {"name": "a"}, "data": {"password": "b2xk"}}, manager=ME) == [
        "data.password"
    ]


def test_the_arguments_stay_as_they_are() -> None:
    """Comparing changes neither side: the live one is a cache's."""
    wanted, shown = intent({"a": [1]}), live({"a": [2]}, owned({"f:spec": {"f:b": {}}}))
    before = copy.deepcopy((wanted, shown))
    differences(wanted, shown, manager=ME)
    assert (wanted, shown) == before


def test_keeping_our_record_alone() -> None:
    """Others' records are dropped from a copy; an object without records is passed through."""
    mine, theirs = owned({"f:spec": {}}), owned({"f:spec": {}}, manager="kubectl")
    obj = live({"a": 1}, theirs, mine)
    kept = keep_own_managed_fields(obj, ME)
    assert kept["metadata"]["managedFields"] == [mine]
    assert obj["metadata"]["managedFields"] == [theirs, mine]
    assert kept["spec"] is obj["spec"]
    bare = {"metadata": {"name": "a"}}
    assert keep_own_managed_fields(bare, ME) is bare
