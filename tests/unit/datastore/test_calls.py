"""A driver may do anything: the answer comes in time, and what goes wrong is one sentence without a secret."""

from __future__ import annotations

import asyncio
import traceback
from typing import Any

import pytest
from structlog.testing import capture_logs

from kamaji_core.contracts import ProbeKind, StoreError, UnsupportedError
from kamaji_core.datastore.calls import ask

pytestmark = pytest.mark.looptime(start=0)
WORDS = "postgres://kamaji:hunter2@db"


async def answer(value: Any = None, *, after: float = 0.0) -> Any:
    """A driver that answers, or raises what it is given."""
    await asyncio.sleep(after)
    if isinstance(value, BaseException):
        raise value
    return value


def asked(call: Any, *, seconds: float = 30.0) -> Any:
    """Ask for the claims."""
    return ask(call, seconds=seconds, to="tell whose data it holds")


async def test_an_answer_is_given_as_it_is() -> None:
    """Also one that is false, and one that comes in the last moment."""
    assert await asked(answer("well")) == "well"
    assert await asked(answer(after=29.9)) is None
    assert await asked(answer(())) == ()


@pytest.mark.parametrize(
    "error", [StoreError("Refused: log in again.", kind=ProbeKind.AUTH, retry=False), UnsupportedError("whose it is")]
)
async def test_a_drivers_own_sentence_passes_unchanged(error: StoreError) -> None:
    """The very same error: its kind and whether to try again go with it."""
    with pytest.raises(StoreError) as caught:
        await asked(answer(error))
    assert caught.value is error


async def test_a_silent_driver_is_given_up_in_time() -> None:
    """It is cancelled, the sentence says what it did not do, and it is worth trying again."""
    cancelled = asyncio.Event()

    async def silent() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    with pytest.raises(
        StoreError, match=r"^It did not tell whose data it holds within 30 s; trying again\.$"
    ) as caught:
        await asked(silent())
    assert (caught.value.kind, caught.value.retry) == (ProbeKind.TIMEOUT, True)
    assert asyncio.get_running_loop().time() == 30
    assert cancelled.is_set()


class StrangeError(Exception):
    """A driver's own, which quotes what it was given."""


ODD = [
    StrangeError(WORDS),
    ValueError(WORDS),
    KeyError(WORDS),
    OSError(111, WORDS),
    ExceptionGroup("all failed", [StrangeError(WORDS)]),
    RuntimeError(),
]


@pytest.mark.parametrize("error", ODD, ids=lambda error: type(error).__name__)
async def test_whatever_a_driver_raises_is_a_sentence_without_its_words(error: Exception) -> None:
    """The sort of error is told, and whose business it is."""
    with pytest.raises(StoreError) as caught:
        await asked(answer(error))
    sentence = str(caught.value)
    assert sentence == (
        f"Its driver failed to tell whose data it holds ({type(error).__name__}): report it to the driver's authors."
    )
    assert (caught.value.kind, caught.value.retry) == (ProbeKind.REFUSED, True)


@pytest.mark.parametrize("error", ODD[:-1], ids=lambda error: type(error).__name__)
async def test_its_words_reach_neither_the_log_nor_a_traceback(error: Exception) -> None:
    """A pass that fails by it is logged with its whole chain of causes."""
    with capture_logs() as logs, pytest.raises(StoreError) as caught:
        await asked(answer(error))
    assert logs[0]["log_level"] == "warning"
    assert type(error).__name__ in logs[0]["error"]
    assert "hunter2" not in repr(logs)
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


async def test_the_log_says_where_a_driver_failed() -> None:
    """File and line, which its authors need and which hold no value."""
    with capture_logs() as logs, pytest.raises(StoreError):
        await asked(answer(StrangeError(WORDS)))
    file, _, line = logs[0]["at"].rpartition(":")
    assert file.endswith("test_calls.py")
    assert line.isdecimal()


async def test_a_drivers_own_time_out_is_one() -> None:
    """Whatever it waited for, the store was silent."""
    with pytest.raises(StoreError) as caught:
        await asked(answer(TimeoutError(WORDS)))
    assert caught.value.kind is ProbeKind.TIMEOUT
    assert "hunter2" not in str(caught.value)


async def test_being_cancelled_is_no_failure() -> None:
    """The operator stops: nothing is said of the store."""
    task = asyncio.create_task(asked(answer(after=20)))
    await asyncio.sleep(1)
    task.cancel()
    with capture_logs() as logs, pytest.raises(asyncio.CancelledError):
        await task
    assert logs == []
