"""Who waits goes first, groups take turns, and nothing is overtaken for ever."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kamaji_core.kube import Priority
from kamaji_core.kube.turns import ReadyKeys, Turn

PATIENCE = 30.0
INTERACTIVE, EVENT, BACKLOG = Priority


def namespace(key: str) -> str:
    """A key's group: `a` of `a/1`."""
    return key.partition("/")[0]


@pytest.fixture
def ready() -> ReadyKeys[str]:
    """No key is ready."""
    return ReadyKeys(group=namespace, patience=PATIENCE)


def all_of(ready: ReadyKeys[str], now: float = 0.0) -> list[str]:
    """Give out everything."""
    return [ready.pop(now).key for _ in range(len(ready))]


def test_nothing_is_nothing(ready: ReadyKeys[str]) -> None:
    """Without a ready key there is no turn."""
    assert len(ready) == 0
    with pytest.raises(KeyError, match="no key is ready"):
        ready.pop(0.0)


def test_a_turn_tells_rank_and_wait(ready: ReadyKeys[str]) -> None:
    """What is given out says its rank and for how long it was ready, and is ready no more."""
    assert ready.add("a/1", EVENT, 3.0)
    assert "a/1" in ready
    assert ready.pop(5.5) == Turn("a/1", EVENT, 2.5)
    assert "a/1" not in ready
    assert len(ready) == 0


def test_ranks(ready: ReadyKeys[str]) -> None:
    """Someone who waits goes before an event, an event before the backlog, whatever came first."""
    ready.add("a/1", BACKLOG, 0.0)
    ready.add("a/2", EVENT, 0.0)
    ready.add("a/3", INTERACTIVE, 0.0)
    ready.add("a/4", EVENT, 0.0)
    assert all_of(ready) == ["a/3", "a/2", "a/4", "a/1"]


def test_groups_take_turns(ready: ReadyKeys[str]) -> None:
    """A group with many keys gives one at a time; within a group the order is that of arrival."""
    for key in ("a/1", "a/2", "a/3", "b/1", "b/2", "c/1"):
        ready.add(key, EVENT, 0.0)
    assert all_of(ready) == ["a/1", "b/1", "c/1", "a/2", "b/2", "a/3"]


def test_a_new_group_waits_one_round_at_most(ready: ReadyKeys[str]) -> None:
    """A group that comes to a long line has its turn once every other had one."""
    for number in range(1000):
        ready.add(f"a/{number}", EVENT, 0.0)
        ready.add(f"b/{number}", EVENT, 0.0)
    ready.pop(0.0)
    ready.add("c/1", EVENT, 0.0)
    assert [ready.pop(0.0).key for _ in range(3)] == ["b/0", "a/1", "c/1"]


def test_a_group_that_comes_back_stands_at_the_end(ready: ReadyKeys[str]) -> None:
    """A group is not ahead for having just been served: it cannot come back before those who wait."""
    for key in ("a/1", "b/1", "c/1"):
        ready.add(key, EVENT, 0.0)
    assert ready.pop(0.0).key == "a/1"
    ready.add("a/1", EVENT, 0.0)
    assert all_of(ready) == ["b/1", "c/1", "a/1"]


def test_turns_are_taken_within_a_rank(ready: ReadyKeys[str]) -> None:
    """A group's turn among the events costs it nothing among those who wait."""
    for key in ("a/1", "a/2", "b/1"):
        ready.add(key, EVENT, 0.0)
    ready.add("a/0", INTERACTIVE, 0.0)
    assert all_of(ready) == ["a/0", "a/1", "b/1", "a/2"]


def test_duplicates_are_one(ready: ReadyKeys[str]) -> None:
    """A key that is ready is no new one, and keeps its place and the time since when it waits."""
    assert ready.add("a/1", EVENT, 0.0)
    assert ready.add("a/2", EVENT, 1.0)
    assert not ready.add("a/1", EVENT, 2.0)
    assert len(ready) == 2
    assert ready.pop(4.0) == Turn("a/1", EVENT, 4.0)
    assert ready.pop(4.0) == Turn("a/2", EVENT, 3.0)


def test_a_rank_is_raised_and_never_lowered(ready: ReadyKeys[str]) -> None:
    """The highest rank of several wishes counts; the wait is since the first of them."""
    ready.add("a/1", EVENT, 0.0)
    ready.add("a/2", BACKLOG, 0.0)
    assert not ready.add("a/2", INTERACTIVE, 1.0)
    assert not ready.add("a/2", BACKLOG, 2.0)
    assert ready.pop(3.0) == Turn("a/2", INTERACTIVE, 3.0)
    assert ready.pop(3.0) == Turn("a/1", EVENT, 3.0)


def test_raising_the_last_of_a_group_leaves_no_empty_group(ready: ReadyKeys[str]) -> None:
    """A rank whose only key was raised has nothing left to give out."""
    ready.add("a/1", BACKLOG, 0.0)
    ready.add("a/1", EVENT, 0.0)
    assert all_of(ready) == ["a/1"]
    with pytest.raises(KeyError):
        ready.pop(0.0)


def test_patience_ends_overtaking(ready: ReadyKeys[str]) -> None:
    """The backlog goes before a newer event, and before someone who waits, once it is out of patience."""
    ready.add("a/old", BACKLOG, 0.0)
    ready.add("b/1", EVENT, 1.0)
    ready.add("b/2", INTERACTIVE, 2.0)
    assert ready.pop(PATIENCE - 0.1).key == "b/2"
    ready.add("b/2", INTERACTIVE, PATIENCE)
    assert ready.pop(PATIENCE) == Turn("a/old", BACKLOG, PATIENCE)
    assert all_of(ready, PATIENCE) == ["b/2", "b/1"]


def test_newer_events_do_not_starve_the_backlog(ready: ReadyKeys[str]) -> None:
    """With a new event for each turn, the backlog's key is given out the moment its patience ends, not later."""
    ready.add("z/backlog", BACKLOG, 0.0)
    now, given = 0.0, ""
    while given != "z/backlog":
        now += 0.5
        ready.add(f"a/{now}", INTERACTIVE, now)
        ready.add(f"b/{now}", EVENT, now)
        given, _, waited = ready.pop(now)
    assert waited == PATIENCE


def test_late_keys_take_turns_by_group(ready: ReadyKeys[str]) -> None:
    """Of those out of patience no group waits behind the whole of another one."""
    for number in range(3):
        ready.add(f"a/{number}", BACKLOG, 0.0)
    ready.add("b/0", BACKLOG, 1.0)
    assert all_of(ready, 2 * PATIENCE) == ["a/0", "b/0", "a/1", "a/2"]


def test_a_late_key_that_is_raised_stays_late(ready: ReadyKeys[str]) -> None:
    """Being asked for again does not put a key that is out of patience back among the others."""
    ready.add("a/1", BACKLOG, 0.0)
    ready.add("b/1", BACKLOG, 0.0)
    ready.add("c/1", EVENT, 35.0)
    assert ready.pop(35.0).key == "a/1"
    assert not ready.add("b/1", INTERACTIVE, 36.0)
    assert ready.pop(40.0) == Turn("b/1", INTERACTIVE, 40.0)
    assert ready.pop(40.0).key == "c/1"


def test_a_raised_key_still_runs_out_of_patience(ready: ReadyKeys[str]) -> None:
    """Raising a rank does not begin the wait anew."""
    ready.add("a/1", BACKLOG, 0.0)
    ready.add("a/1", EVENT, 20.0)
    ready.add("b/1", INTERACTIVE, 29.0)
    assert all_of(ready, PATIENCE) == ["a/1", "b/1"]


def test_clearing_forgets_all(ready: ReadyKeys[str]) -> None:
    """Late keys and fresh ones are gone, and each can be new again."""
    ready.add("a/1", BACKLOG, 0.0)
    ready.add("b/1", EVENT, 0.0)
    ready.pop(PATIENCE)
    ready.add("c/1", EVENT, PATIENCE)
    ready.clear()
    assert len(ready) == 0
    with pytest.raises(KeyError):
        ready.pop(2 * PATIENCE)
    assert ready.add("a/1", EVENT, 0.0)
    assert ready.add("b/1", EVENT, 0.0)


class Step(NamedTuple):
    """Time passes, then a key is added, or (None) one is given out."""

    passes: float
    key: str | None
    priority: Priority


STEPS = st.lists(
    st.builds(
        Step,
        passes=st.sampled_from([0.0, 1.0, 7.0, 40.0]),
        key=st.sampled_from([None, None, "a/1", "a/2", "a/3", "b/1", "b/2", "c/1"]),
        priority=st.sampled_from(Priority),
    ),
    max_size=60,
)


@given(STEPS)
def test_every_turn_is_due(steps: list[Step]) -> None:
    """Whatever comes in whatever order, each turn's rank and wait are right, and none passes over one that is due.

    Late keys go before all, and where none is late nobody of a higher rank is ready.
    """
    ready = ReadyKeys[str](group=namespace, patience=PATIENCE)
    model: dict[str, tuple[Priority, float]] = {}
    now = 0.0
    for passes, key, priority in steps:
        now += passes
        if key is not None:
            before, since = model.get(key, (priority, now))
            assert ready.add(key, priority, now) is (key not in model)
            model[key] = (min(before, priority), since)
        elif model:
            late = {key for key, (_, since) in model.items() if now - since >= PATIENCE}
            best = min(rank for rank, _ in model.values())
            turn = ready.pop(now)
            rank, since = model.pop(turn.key)
            assert turn == (turn.key, rank, now - since)
            assert turn.key in late if late else rank == best
        assert len(ready) == len(model)
        assert all(key in ready for key in model)
    assert set(all_of(ready, now)) == set(model)


@given(
    sizes=st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 20), min_size=1),
    priority=st.sampled_from(Priority),
    waited=st.sampled_from([0.0, 2 * PATIENCE]),
)
def test_groups_differ_by_one_turn_at_most(sizes: dict[str, int], priority: Priority, waited: float) -> None:
    """At each moment, groups that still have keys were served equally often, give or take one: late ones too."""
    ready = ReadyKeys[str](group=namespace, patience=PATIENCE)
    for group, size in sizes.items():
        for number in range(size):
            ready.add(f"{group}/{number}", priority, 0.0)
    served = dict.fromkeys(sizes, 0)
    for _ in range(sum(sizes.values())):
        served[namespace(ready.pop(waited).key)] += 1
        waiting = [served[group] for group in sizes if served[group] < sizes[group]]
        assert not waiting or max(served.values()) - min(waiting) <= 1
