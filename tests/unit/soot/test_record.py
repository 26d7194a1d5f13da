"""The note of unusual kinds: what is written is read again, and nothing else is taken from it."""

from __future__ import annotations

import pytest

from kamaji_core.soot.record import MOST_KINDS, KindName, record, recorded, unusual_kinds
from kamaji_core.soot.wanted import ObjectKey

BUDGET = KindName("policy", "PodDisruptionBudget")
SECRET = KindName("", "Secret")


def test_what_is_written_is_read_again() -> None:
    """Of the core group and of others."""
    kinds = {BUDGET: "v1", SECRET: "v1"}
    assert recorded(record(kinds)) == kinds
    assert recorded(None) == {}


def test_usual_kinds_are_not_noted() -> None:
    """They are listed in any case."""
    keys = [ObjectKey("v1", "ConfigMap", "a", "b"), ObjectKey("policy/v1", "PodDisruptionBudget", "a", "b")]
    assert unusual_kinds(keys) == {BUDGET: "v1"}
    assert recorded({"data": {"ConfigMap": "v1", "Deployment.apps": "v1"}}) == {}


@pytest.mark.parametrize(
    ("name", "version"),
    [("", "v1"), ("A/b", "v1"), ("A..", "v1"), (".policy", "v1"), ("A.policy", "v1/x"), ("A", "../.."), ("A", None)],
)
def test_what_can_be_no_kind_is_left_out(name: str, version: object) -> None:
    """It would become part of an address."""
    assert recorded({"data": {name: version, "Secret": "v1"}}) == {SECRET: "v1"}


def test_it_is_bounded() -> None:
    """A tenant cannot have any number of kinds asked for."""
    assert len(recorded({"data": {f"Kind{number}.example.com": "v1" for number in range(1000)}})) == MOST_KINDS
