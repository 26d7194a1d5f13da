"""The store never goes back: whatever order lists, events and answers to own writes arrive in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kamaji_core.kube import Key
from kamaji_core.kube.store import Store, is_newer

A: Key = ("n", "a")
B: Key = ("n", "b")
Change = tuple[Key, str | None, str | None]


@pytest.fixture
def changes() -> list[Change]:
    """What was reported, in order."""
    return []


@pytest.fixture
def store(changes: list[Change]) -> Store[str]:
    """A store that lists A at 10 and stands at position 20."""
    store = Store[str](lambda *change: changes.append(change))
    store.begin_list()
    store.replace({A: ("10", "a10")}, set(), "20")
    changes.clear()
    return store


def test_a_list_is_reported_once(changes: list[Change]) -> None:
    """Objects of the first list are new; the same list again is no change."""
    store = Store[str](lambda *change: changes.append(change))
    for _ in range(2):
        store.begin_list()
        store.replace({A: ("1", "a"), B: ("2", "b")}, set(), "5")
    assert changes == [(A, None, "a"), (B, None, "b")]
    assert dict(store) == {A: "a", B: "b"}
    assert store.position == "5"


def test_a_later_list_reports_the_difference(store: Store[str], changes: list[Change]) -> None:
    """Changed, added and deleted objects are each reported with before and after."""
    store.observe(B, "21", "b21")
    changes.clear()
    store.begin_list()
    store.replace({A: ("25", "a25"), ("n", "c"): ("26", "c26")}, set(), "30")
    assert sorted(changes, key=str) == sorted([(A, "a10", "a25"), (B, "b21", None), (("n", "c"), None, "c26")], key=str)


def test_what_cannot_be_decoded_is_not_gone(store: Store[str], changes: list[Change]) -> None:
    """An object that is listed but unreadable keeps its last known state: a deletion would be torn down."""
    store.begin_list()
    store.replace({}, {A}, "30")
    assert (dict(store), changes) == ({A: "a10"}, [])


def test_events(store: Store[str], changes: list[Change]) -> None:
    """New states and deletions are taken and reported."""
    store.observe(A, "21", "a21")
    store.observe(A, "22", None)
    store.observe(A, "23", None)
    assert changes == [(A, "a10", "a21"), (A, "a21", None)]
    assert len(store) == 0


def test_an_answer_is_seen_at_once_and_its_event_is_no_change(store: Store[str], changes: list[Change]) -> None:
    """What was just written is there, and is reported once."""
    store.fold_in(A, "30", "a30")
    assert store[A] == "a30"
    store.observe(A, "30", "a30")
    assert changes == [(A, "a10", "a30")]


def test_an_event_from_before_the_answer_is_passed_over(store: Store[str]) -> None:
    """An event that was under way when we wrote does not bring the old state back."""
    store.fold_in(A, "30", "a30")
    store.observe(A, "25", "a25")
    assert store[A] == "a30"
    store.observe(A, "31", "a31")
    assert store[A] == "a31"


def test_a_late_answer_is_left_out(store: Store[str]) -> None:
    """When the watch was quicker, the answer to our write is the older one."""
    store.observe(A, "40", "a40")
    store.fold_in(A, "30", "a30")
    assert store[A] == "a40"


def test_a_late_answer_does_not_revive_a_deleted_object(store: Store[str]) -> None:
    """Written at 30, deleted by another at 35, the answer arrives last: the object is gone."""
    store.observe(B, "30", "b30")
    store.observe(B, "35", None)
    store.advance("35")
    store.fold_in(B, "30", "b30")
    assert B not in store


def test_a_created_object_is_there_before_its_event(store: Store[str]) -> None:
    """An answer newer than the watch's position is a new object."""
    store.fold_in(B, "21", "b21")
    assert store[B] == "b21"


def test_deleted_and_created_again(store: Store[str]) -> None:
    """The deletion of an earlier incarnation does not take away the one that we just created."""
    store.fold_in(A, "30", "new a")
    store.observe(A, "25", None)
    assert store[A] == "new a"


def test_an_answer_during_a_list_survives_it(store: Store[str]) -> None:
    """A list that was begun before the write does not know it, and does not undo it."""
    store.begin_list()
    store.fold_in(A, "33", "a33")
    store.fold_in(B, "34", "b34")
    store.replace({A: ("10", "a10")}, set(), "32")
    assert dict(store) == {A: "a33", B: "b34"}


def test_a_restored_server_is_believed(store: Store[str]) -> None:
    """After a restore from a backup all versions are smaller: a list that was begun after is the truth."""
    store.fold_in(A, "90", "a90")
    store.begin_list()
    store.replace({A: ("7", "a7")}, set(), "8")
    assert (store[A], store.position) == ("a7", "8")
    store.observe(A, "9", "a9")
    assert store[A] == "a9"


def test_versions_that_are_no_numbers_prove_nothing(store: Store[str]) -> None:
    """Events and lists are then taken as they come, answers to writes wait for their event."""
    store.observe(A, "x-1", "ax")
    store.fold_in(A, "x-2", "ay")
    assert store[A] == "ax"
    store.observe(A, "w-0", "aw")
    assert store[A] == "aw"


@pytest.mark.parametrize(
    ("version", "than", "newer"),
    [
        ("10", "9", True),
        ("9", "10", False),
        ("9", "9", False),
        ("", "9", False),
        (None, "9", False),
        ("9", None, False),
    ],
)
def test_newer_is_a_matter_of_numbers(version: str | None, than: str | None, *, newer: bool) -> None:
    """Versions are compared as numbers, not as text."""
    assert is_newer(version, than) is newer


@given(st.data())
def test_any_order_of_answers_and_events_ends_at_the_newest(data: st.DataObject) -> None:
    """Events keep their order, answers come whenever they do: the last event's state is what remains."""
    store = Store[str](lambda *_: None)
    store.begin_list()
    store.replace({}, set(), "10")
    versions = sorted(data.draw(st.sets(st.integers(min_value=11, max_value=99), min_size=1, max_size=6)))
    own = data.draw(st.sets(st.sampled_from(versions)))
    pending = sorted(own)
    seen = 10
    for version in versions:
        while pending and data.draw(st.booleans()):
            answer = pending.pop(data.draw(st.integers(0, len(pending) - 1)))
            store.fold_in(A, str(answer), f"a{answer}")
            seen = max(seen, answer)
            assert store[A] == f"a{seen}"
        store.observe(A, str(version), f"a{version}")
        store.advance(str(version))
        seen = max(seen, version)
        assert store[A] == f"a{seen}"
    assert store[A] == f"a{versions[-1]}"
