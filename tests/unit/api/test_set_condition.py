"""How a list of conditions changes."""

from datetime import UTC, datetime, timedelta

import pytest

from kamaji_core.api.conditions import (
    MESSAGE_LIMIT,
    Condition,
    ConditionStatus,
    DataStoreReason,
    TenantCondition,
    TenantReason,
    set_condition,
)
from kamaji_core.api.model import manifest

NOW = datetime(2026, 5, 1, 12, 0, 0, 250_000, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)


def told(
    conditions: tuple[Condition, ...] = (),
    *,
    kind: str = "Ready",
    status: ConditionStatus = "True",
    reason: str = "Ready",
    message: str = "It serves.",
    generation: int = 1,
    now: datetime = NOW,
) -> tuple[Condition, ...]:
    """Set a condition that is fine unless a test says otherwise."""
    return set_condition(
        conditions, type=kind, status=status, reason=reason, message=message, observed_generation=generation, now=now
    )


def test_a_first_condition_carries_everything_that_is_known() -> None:
    """A condition that was not there is added, its time cut to the second as the API server stores it."""
    assert told() == (
        Condition(
            type="Ready",
            status="True",
            reason="Ready",
            message="It serves.",
            observed_generation=1,
            last_transition_time=NOW.replace(microsecond=0),
        ),
    )


def test_nothing_new_changes_nothing() -> None:
    """Setting the same again gives what was there, so that no status is written."""
    before = told()
    assert told(before, now=LATER) == before


@pytest.mark.parametrize(("field", "value"), [("reason", "Slow"), ("message", "It serves slowly."), ("generation", 2)])
def test_the_time_stays_while_the_status_does(field: str, value: str | int) -> None:
    """A new reason, message or generation is told without touching the time of the last transition."""
    before = told()
    (after,) = told(before, now=LATER, **{field: value})  # type: ignore[arg-type] # one of three keywords
    assert after != before[0]
    assert after.last_transition_time == before[0].last_transition_time


@pytest.mark.parametrize("status", ["False", "Unknown"])
def test_the_time_moves_with_the_status(status: ConditionStatus) -> None:
    """Another status is a transition, and happened now."""
    (after,) = told(told(), status=status, now=LATER)
    assert after.last_transition_time == LATER.replace(microsecond=0)


def test_other_conditions_and_their_order_stay() -> None:
    """One condition changes in its place; the others are left alone."""
    conditions = told(told(told(), kind="EndpointReady"), kind="MaterialReady")
    changed = told(conditions, kind="EndpointReady", status="False")
    assert [condition.type for condition in changed] == ["Ready", "EndpointReady", "MaterialReady"]
    assert [condition.status for condition in changed] == ["True", "False", "True"]
    assert (changed[0], changed[2]) == (conditions[0], conditions[2])


def test_an_endless_message_is_cut_to_what_the_api_server_takes() -> None:
    """A message that would have the whole status refused is cut, and says so with an ellipsis."""
    (condition,) = told(message="x" * (MESSAGE_LIMIT + 1))
    assert len(condition.message) == MESSAGE_LIMIT
    assert condition.message.endswith("x…")
    (whole,) = told(message="x" * MESSAGE_LIMIT)
    assert whole.message == "x" * MESSAGE_LIMIT


def test_a_condition_is_written_as_kubernetes_expects() -> None:
    """Names are in camelCase, the time has its zone, and enumerations are plain text."""
    (condition,) = told(kind=TenantCondition.DATA_STORE_READY, reason=TenantReason.PENDING, status="False")
    assert manifest(condition) == {
        "type": "DataStoreReady",
        "status": "False",
        "observedGeneration": 1,
        "lastTransitionTime": "2026-05-01T12:00:00Z",
        "reason": "Pending",
        "message": "It serves.",
    }


def test_types_and_reasons_are_words_in_camel_case() -> None:
    """Types and reasons fit the patterns of the schema and follow from their Python names."""
    words: list[TenantCondition | TenantReason | DataStoreReason] = [
        *TenantCondition,
        *TenantReason,
        *DataStoreReason,
    ]
    for word in words:
        assert word.isalpha()
        assert word.lower() == word.name.replace("_", "").lower()
