"""A store that takes nothing more is told by its own name; what runs on it is left as it is."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from kamaji_core.api.conditions import DataStoreReason
from kamaji_core.contracts import ProbeKind, StoreError
from kamaji_core.tenant.act import Failure
from kamaji_core.tenant.plan import EnsureStore
from kamaji_core.tenant.report import Outcome, conditions

NOW = datetime(2030, 1, 1, tzinfo=UTC)
SENTENCE = "No space is left: give it more."


def fill(course: Any) -> None:
    """Let the store's probe say that it is full."""
    full = replace(course.facts.store, ready=False, reason=DataStoreReason.DATA_STORE_FULL, sentence=SENTENCE)
    course.facts = replace(course.facts, store=full)


def told(course: Any, **outcome: Any) -> tuple[str, str, str]:
    """The tenant's condition about its store."""
    found = conditions(Outcome(facts=course.facts, assessment=course.assess(), **outcome), now=NOW)
    condition = next(one for one in found if one.type == "DataStoreReady")
    return condition.status, condition.reason, condition.message


def test_it_has_a_reason_of_its_own(course: Any) -> None:
    """On the tenant, with the store's name and the driver's sentence."""
    fill(course)
    assert told(course) == ("False", "DataStoreFull", f"The DataStore 'fast' is full: {SENTENCE}")


def test_what_runs_is_left(course: Any) -> None:
    """Nothing is planned, nothing is held, and it is well again when the store is."""
    course.settle()
    well = course.facts.store
    fill(course)
    assert course.plan() == ()
    assert not course.assess().held
    course.facts = replace(course.facts, store=well)
    assert told(course)[:2] == ("True", "Ready")


@pytest.mark.parametrize(
    ("kind", "reason"), [(ProbeKind.FULL, "DataStoreFull"), (ProbeKind.PERMISSION, "DataStoreRefused")]
)
def test_a_write_that_finds_it_full_says_so_too(course: Any, kind: ProbeKind, reason: str) -> None:
    """Between two probes; other refusals stay refusals."""
    change = EnsureStore(claim=course.assess().claim, credentials=None)  # type: ignore[arg-type]  # nobody looks
    failure = Failure(change=change, error=StoreError(SENTENCE, kind=kind))
    assert told(course, failures=(failure,)) == ("False", reason, f"The DataStore 'fast': {SENTENCE}")
