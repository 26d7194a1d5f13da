"""The same sentence is one Event with a count, and neither a storm nor a long life fills the memory."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kamaji_core.kube.event_series import Occurrence, Series, SeriesBook

START = datetime(2026, 1, 1, tzinfo=UTC)
A = Occurrence("object", "Normal", "Created", "It was created.")


def moment(now: float) -> datetime:
    """A time for people."""
    return START + timedelta(seconds=now)


def begun(book: SeriesBook[str], occurrence: Occurrence[str], now: float, *, written: bool = False) -> Series:
    """A new series in the book."""
    series = Series(name=f"{occurrence.message}.{now:g}", moment=moment(now), now=now)
    if written:
        series.note_written(1, now)
    book.begin(occurrence, series)
    return series


@pytest.fixture
def book() -> SeriesBook[str]:
    """An empty book."""
    return SeriesBook(kept=3, burst=2, refill=300.0, window=600.0)


def test_a_series_counts() -> None:
    """The first time stays, the last one moves, and what the server does not know yet is not written."""
    series = Series(name="e", moment=START, now=0.0)
    assert (series.count, series.written, series.is_written) == (1, 0, False)
    series.note_written(1, 1.0)
    assert (series.is_written, series.written_at) == (True, 1.0)
    series.repeat(moment(5), 5.0)
    assert (series.count, series.is_written) == (2, False)
    assert (series.first, series.last, series.happened_at) == (START, moment(5), 5.0)


def test_what_happened_during_a_write_is_still_to_be_written() -> None:
    """The count that was sent is noted, not the one of now."""
    series = Series(name="e", moment=START, now=0.0)
    sent = series.count
    series.repeat(moment(1), 1.0)
    series.note_written(sent, 2.0)
    assert (series.count, series.written, series.is_written) == (2, 1, False)


def test_a_success_ends_failures() -> None:
    """Failures count in a row."""
    series = Series(name="e", moment=START, now=0.0)
    series.failures = 4
    series.note_written(1, 0.0)
    assert series.failures == 0


def test_the_same_sentence_is_one_series(book: SeriesBook[str]) -> None:
    """An equal occurrence is found, whoever made it."""
    series = begun(book, A, 0.0)
    assert book.find(Occurrence(*A), 1.0) is series
    assert book.get(Occurrence(*A)) is series
    assert len(book) == 1


@pytest.mark.parametrize("field", A._fields)
def test_another_sentence_is_another_series(book: SeriesBook[str], field: str) -> None:
    """What it is about, its type, its reason and its words: each of them makes a difference."""
    begun(book, A, 0.0)
    change: dict[str, Any] = {field: "other"}
    assert book.find(A._replace(**change), 1.0) is None


def test_silence_ends_a_series(book: SeriesBook[str]) -> None:
    """After the window without a repetition the same sentence is a new Event; a repetition keeps it open."""
    series = begun(book, A, 0.0, written=True)
    assert book.find(A, 600.0) is series
    series.repeat(moment(600), 600.0)
    series.note_written(2, 600.0)
    assert book.find(A, 1200.0) is series
    assert book.find(A, 1200.1) is None
    assert begun(book, A, 1200.1) is book.get(A)
    assert len(book) == 1


def test_an_unwritten_series_is_not_over(book: SeriesBook[str]) -> None:
    """As long as the server was away, a sentence is counted and not recorded anew."""
    series = begun(book, A, 0.0)
    assert book.find(A, 5000.0) is series


def test_the_book_is_bounded(book: SeriesBook[str]) -> None:
    """The series that was silent for the longest is forgotten; one that was found lately is not."""
    occurrences = [A._replace(message=str(number)) for number in range(4)]
    for now, occurrence in enumerate(occurrences[:3]):
        begun(book, occurrence, float(now))
    assert book.find(occurrences[0], 3.0)
    begun(book, occurrences[3], 4.0)
    assert len(book) == 3
    assert book.get(occurrences[1]) is None
    assert all(book.get(occurrences[number]) for number in (0, 2, 3))


def test_ending_a_series(book: SeriesBook[str]) -> None:
    """What was dropped is not found, may begin anew, and ending it twice is no error."""
    begun(book, A, 0.0)
    book.end(A)
    book.end(A)
    assert book.get(A) is None
    assert book.find(A, 0.0) is None
    assert book.unwritten() == []


def test_unwritten(book: SeriesBook[str]) -> None:
    """Those are told of which the server does not know all: new ones, and counts that wait for their minute."""
    B, C = A._replace(message="b"), A._replace(message="c")  # noqa: N806 - constants of this test
    begun(book, A, 0.0)
    begun(book, B, 0.0, written=True)
    begun(book, C, 0.0, written=True).repeat(moment(1), 1.0)
    assert book.unwritten() == [A, C]


def test_a_burst_is_limited_for_each_object(book: SeriesBook[str]) -> None:
    """An object has so many new Events at once and then one per refill; another object has its own."""
    assert [book.allows("storm", 0.0) for _ in range(4)] == [True, True, False, False]
    assert book.allows("calm", 0.0)
    assert not book.allows("storm", 299.0)
    assert book.allows("storm", 300.0)
    assert not book.allows("storm", 300.0)


def test_asking_in_vain_costs_nothing(book: SeriesBook[str]) -> None:
    """A storm of refusals does not put off the next allowed one."""
    for now in range(300):
        book.allows("storm", float(now))
    assert book.allows("storm", 300.5)


def test_an_allowance_does_not_pile_up(book: SeriesBook[str]) -> None:
    """A day of silence allows one burst, not a day's worth."""
    assert book.allows("object", 0.0)
    assert [book.allows("object", 86400.0) for _ in range(3)] == [True, True, False]


def test_allowances_are_bounded(book: SeriesBook[str]) -> None:
    """As many objects are remembered as series; one that is forgotten begins with a whole burst again."""
    assert [book.allows("first", 0.0) for _ in range(3)] == [True, True, False]
    for number in range(3):
        book.allows(str(number), 1.0)
    assert [book.allows("first", 1.0) for _ in range(3)] == [True, True, False]
    assert len(book._allowances) == 3


@given(
    st.lists(st.tuples(st.sampled_from(["a", "b", "c", "d", "e"]), st.sampled_from([0.0, 1.0, 60.0])), max_size=200),
    st.integers(1, 5),
)
def test_no_object_has_more_than_its_share(asked: list[tuple[str, float]], burst: int) -> None:
    """Over any time an object is allowed its burst and one per refill, and the first ones always."""
    book = SeriesBook[str](kept=100, burst=burst, refill=60.0, window=600.0)
    now, allowed = 0.0, dict.fromkeys("abcde", 0)
    for involved, passes in asked:
        now += passes
        given_before = allowed[involved]
        allowed[involved] += book.allows(involved, now)
        assert allowed[involved] <= burst + now / 60.0 + 1e-6
        assert allowed[involved] > given_before or given_before >= burst
