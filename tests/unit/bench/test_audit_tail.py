"""The operator's own lines of the audit log, over its rotations."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from bench.requests import AskedRequest, AuditTail, counts, parse

if TYPE_CHECKING:
    from pathlib import Path

USER = "operator"


def line(verb: str = "get", resource: str = "pods", user: str = USER, **changes: Any) -> bytes:
    """One event as kube-apiserver writes it."""
    resource, _, subresource = resource.partition("/")
    event = {
        "kind": "Event",
        "stage": "ResponseComplete",
        "requestURI": f"/api/v1/{resource}?limit=1",
        "verb": verb,
        "user": {"username": user, "groups": ["system:masters"]},
        "objectRef": {"resource": resource, **({"subresource": subresource} if subresource else {})},
        "responseStatus": {"code": 200},
        "requestReceivedTimestamp": "2026-01-01T00:00:01.500000Z",
        **changes,
    }
    return json.dumps(event).encode() + b"\n"


def test_a_request_is_read() -> None:
    """Time, verb, resource with its subresource, and the answer."""
    request = parse(line("patch", "tenantcontrolplanes/status", responseStatus={"code": 409}), USER)
    assert request == AskedRequest(at=1767225601.5, verb="patch", resource="tenantcontrolplanes/status", status=409)
    assert request.is_write


def test_a_path_that_is_no_resource_is_named() -> None:
    """Discovery has a path and no object."""
    content = json.loads(line())
    del content["objectRef"]
    request = parse(json.dumps(content).encode(), USER)
    assert request is not None
    assert request.resource == "/api/v1/pods"


@pytest.mark.parametrize(
    "other",
    [
        line(user="operator-of-somebody-else"),
        line("update", "leases"),
        line("watch"),
        line()[:50],
    ],
    ids=["other user", "lease", "end of a watch", "cut line"],
)
def test_what_is_not_counted(other: bytes) -> None:
    """Other users, Leases, and watches for the second time."""
    assert parse(other, USER) is None


def test_a_watch_counts_when_it_begins() -> None:
    """It may end much later than anyone looks."""
    assert parse(line("watch", stage="ResponseStarted"), USER) is not None


def test_only_what_comes_is_told(tmp_path: Path) -> None:
    """What was asked before the tail began belongs to another measurement."""
    log = tmp_path / "audit.log"
    log.write_bytes(line())
    with AuditTail(log, USER) as tail:
        assert tail.read() == []
        with log.open("ab") as file:
            file.write(line("list") + line("get", user="another") + line("create")[:20])
        assert [request.verb for request in tail.read()] == ["list"]
        with log.open("ab") as file:
            file.write(line("create")[20:])
        assert [request.verb for request in tail.read()] == ["list", "create"]


def test_a_rotation_loses_nothing(tmp_path: Path) -> None:
    """What was written to the old file after the last look, and to the new one since, is all there."""
    log = tmp_path / "audit.log"
    log.write_bytes(b"")
    with AuditTail(log, USER) as tail:
        with log.open("ab") as file:
            file.write(line("get"))
        log.rename(tmp_path / "audit-2026.log")
        assert [request.verb for request in tail.read()] == ["get"]
        log.write_bytes(line("list"))
        assert [request.verb for request in tail.read()] == ["get", "list"]
        assert [request.verb for request in tail.read()] == ["get", "list"]


def test_a_tail_outside_of_its_context_says_so(tmp_path: Path) -> None:
    """It has no open file."""
    with pytest.raises(RuntimeError, match="Enter the tail's context"):
        AuditTail(tmp_path / "audit.log", USER).read()


def test_requests_are_counted_by_kind() -> None:
    """The most frequent kind is first; a conflict is counted beside its kind."""
    requests = [
        AskedRequest(at=1.0, verb="get", resource="pods", status=200),
        AskedRequest(at=2.0, verb="patch", resource="pods", status=409),
        AskedRequest(at=3.0, verb="patch", resource="pods", status=200),
    ]
    found = counts(requests)
    assert (found.requests, found.writes, found.conflicts) == (3, 2, 1)
    assert list(found.kinds.items()) == [("patch pods", 2), ("get pods", 1)]
