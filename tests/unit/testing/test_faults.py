"""Rules tell requests apart as Kubernetes' authorisation does: by verb and path."""

import pytest

from kamaji_core.testing import Drop, Rule
from kamaji_core.testing.faults import fits, verb_of


@pytest.mark.parametrize(
    ("method", "path", "query", "verb"),
    [
        ("GET", "/api/v1/configmaps", {}, "list"),
        ("GET", "/api/v1/namespaces/a/configmaps", {"limit": "500"}, "list"),
        ("GET", "/api/v1/namespaces/a/configmaps", {"watch": "true"}, "watch"),
        ("GET", "/api/v1/configmaps", {"watch": "1"}, "watch"),
        ("GET", "/api/v1/namespaces/a/configmaps/b", {}, "get"),
        ("GET", "/api/v1/namespaces", {}, "list"),
        ("GET", "/api/v1/namespaces/a", {}, "get"),
        ("GET", "/apis/apps/v1/deployments", {}, "list"),
        ("GET", "/apis/apps/v1/namespaces/a/deployments", {}, "list"),
        ("GET", "/apis/apps/v1/namespaces/a/deployments/b", {}, "get"),
        ("GET", "/apis/apps/v1/namespaces/a/deployments/b/status", {}, "get"),
        ("GET", "/version", {}, "get"),
        ("GET", "/", {}, "get"),
        ("POST", "/api/v1/namespaces", {}, "create"),
        ("PUT", "/api/v1/namespaces/a", {}, "update"),
        ("PATCH", "/api/v1/namespaces/a", {}, "patch"),
        ("DELETE", "/api/v1/namespaces/a", {}, "delete"),
        ("DELETE", "/api/v1/namespaces/a/configmaps", {}, "deletecollection"),
        ("OPTIONS", "/", {}, "options"),
    ],
)
def test_verbs(method: str, path: str, query: dict[str, str], verb: str) -> None:
    """Each request has the verb that an authoriser would be asked about."""
    assert verb_of(method, path, query) == verb


@pytest.mark.parametrize(
    ("verbs", "pattern", "does"),
    [
        (None, "*", True),
        ({"get"}, "*", True),
        ({"list", "watch"}, "*", False),
        (None, "*/secrets/*", True),
        (None, "/api/v1/namespaces/a/secrets/b", True),
        (None, "*/configmaps*", False),
        (None, "*/SECRETS/*", False),
    ],
)
def test_fitting(verbs: set[str] | None, pattern: str, does: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """Verb and path both have to fit."""
    assert fits("get", "/api/v1/namespaces/a/secrets/b", verbs=verbs, pattern=pattern) is does


def test_a_rule_counts_and_ends() -> None:
    """It befalls what fits, as often as was asked for."""
    rule = Rule(Drop(), verbs={"get"}, path="*", times=2)
    assert [rule.take("get", "/a"), rule.take("list", "/a"), rule.take("get", "/b"), rule.take("get", "/c")] == [
        True,
        False,
        True,
        False,
    ]
    assert rule.hits == 2


def test_a_rule_without_an_end() -> None:
    """Without a number it befalls all that fits."""
    rule = Rule(Drop(), verbs=None, path="*", times=None)
    assert all(rule.take("get", "/a") for _ in range(100))
