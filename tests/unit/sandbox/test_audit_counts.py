"""Requests counted from an audit log."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from sandbox import audit
from sandbox.audit import Request, count_requests


def line(
    user: str, verb: str, resource: str = "pods", subresource: str = "", at: str = "2026-01-01T00:00:00.000001Z"
) -> str:
    """One event as kube-apiserver writes it."""
    target = {"resource": resource, "subresource": subresource} if subresource else {"resource": resource}
    event = {"user": {"username": user}, "verb": verb, "objectRef": target, "requestReceivedTimestamp": at}
    return json.dumps(event) + "\n"


def test_equal_requests_are_counted_together() -> None:
    """User, verb and resource make a kind of request."""
    counts = count_requests([line("a", "get"), line("a", "get"), line("b", "get"), line("a", "list")])
    assert counts[Request(user="a", verb="get", resource="pods")] == 2
    assert audit.by_user(counts) == {"a": 3, "b": 1}


def test_a_status_patch_is_told_from_a_patch() -> None:
    """A subresource is part of the name."""
    counts = count_requests([line("a", "patch", subresource="status"), line("a", "patch")])
    assert {request.resource for request in counts} == {"pods", "pods/status"}


def test_a_path_that_is_no_resource_is_named() -> None:
    """Discovery and health have paths instead."""
    event = {"user": {"username": "a"}, "verb": "get", "requestURI": "/apis?timeout=32s"}
    assert count_requests([json.dumps(event)]) == {Request(user="a", verb="get", resource="/apis"): 1}


def test_an_unfinished_line_is_passed_over() -> None:
    """The log is read while it is written."""
    assert sum(count_requests([line("a", "get"), line("a", "get")[:20]]).values()) == 1


def test_older_requests_can_be_left_out() -> None:
    """Only what was received at or after a time counts."""
    lines = [line("a", "get", at="2026-01-01T00:00:00.000000Z"), line("a", "get", at="2026-01-01T00:00:10.500000Z")]
    assert sum(count_requests(lines, datetime(2026, 1, 1, 0, 0, 10, tzinfo=UTC)).values()) == 1


def test_the_json_form_starts_with_the_most_frequent() -> None:
    """Each entry is flat."""
    counts = count_requests([line("a", "get"), line("b", "list"), line("b", "list")])
    assert audit.as_json(counts)[0] == {"user": "b", "verb": "list", "resource": "pods", "count": 2}


def test_a_refused_request_is_told_from_others() -> None:
    """By what the authorizer decided, not by the answer's code: admission may refuse with the same."""
    allowed = line("a", "get").replace("{", '{"annotations":{"authorization.k8s.io/decision":"allow"},', 1)
    forbidden = line("b", "get").replace("{", '{"annotations":{"authorization.k8s.io/decision":"forbid"},', 1)
    assert audit.by_user(count_requests(audit.refused([allowed, forbidden]))) == {"b": 1}
