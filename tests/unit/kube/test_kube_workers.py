"""Workers handle different keys at a time, the same key never twice at a time, and survive what a handler raises."""

import asyncio
import itertools

import pytest
import structlog.testing

from kamaji_core.kube import WorkQueue, run_workers

pytestmark = pytest.mark.looptime


def now() -> float:
    """The loop's time, seconds."""
    return asyncio.get_running_loop().time()


async def test_as_many_as_wanted_at_a_time() -> None:
    """Six keys of one second each take two seconds with three workers."""
    queue: WorkQueue[int] = WorkQueue()
    finished: list[float] = []

    async def handle(key: int) -> None:
        await asyncio.sleep(1)
        finished.append(now())
        if len(finished) == 6:
            queue.shut_down()

    for key in range(6):
        queue.add(key)
    await run_workers(queue, handle, workers=3)
    assert finished == [1, 1, 1, 2, 2, 2]


async def test_one_key_is_never_handled_twice_at_a_time() -> None:
    """With idle workers at hand, a key that is wanted during its look waits for the look's end."""
    queue: WorkQueue[str] = WorkQueue()
    spans: list[tuple[float, float]] = []

    async def handle(key: str) -> None:
        began = now()
        queue.add(key)
        await asyncio.sleep(1)
        spans.append((began, now()))
        if len(spans) == 3:
            queue.shut_down()

    queue.add("a")
    await run_workers(queue, handle, workers=4)
    assert spans == [(0, 1), (1, 2), (2, 3)]


async def test_a_handler_says_when_to_look_again() -> None:
    """The seconds that a handler gives are the time to its next look."""
    queue: WorkQueue[str] = WorkQueue()
    looks: list[float] = []

    async def handle(key: str) -> float | None:
        looks.append(now())
        if len(looks) == 3:
            queue.shut_down()
        return 10.0

    queue.add("a")
    await run_workers(queue, handle, workers=1)
    assert looks == [0, 10, 20]


async def test_what_is_raised_is_logged_and_tried_again() -> None:
    """A failure costs its key a delay that grows, is logged with its traceback, and ends no worker."""
    queue: WorkQueue[str] = WorkQueue(first_retry=1.0, longest_retry=60.0)
    looks: list[float] = []

    async def handle(key: str) -> None:
        looks.append(now())
        if len(looks) < 4:
            raise ValueError("no luck")
        queue.shut_down()

    queue.add("a")
    with structlog.testing.capture_logs() as logs:
        await run_workers(queue, handle, workers=1)
    pauses = [after - before for before, after in itertools.pairwise(looks)]
    assert [0.5 <= pauses[0] <= 1, 1 <= pauses[1] <= 2, 2 <= pauses[2] <= 4] == [True] * 3
    assert [entry["event"] for entry in logs] == ["handling failed"] * 3
    assert all(entry["exc_info"] and entry["key"] == "a" for entry in logs)


async def test_a_success_forgets_failures() -> None:
    """After a success the first retry is short again."""
    queue: WorkQueue[str] = WorkQueue(first_retry=1.0, longest_retry=60.0)
    outcomes = iter([False, False, True, False, True])
    looks: list[float] = []

    async def handle(key: str) -> float | None:
        looks.append(now())
        if not next(outcomes):
            raise ValueError
        if len(looks) == 5:
            queue.shut_down()
        return 100.0

    queue.add("a")
    await run_workers(queue, handle, workers=1)
    assert looks[4] - looks[3] <= 1.0


async def test_cancelling_ends_the_handler() -> None:
    """A handler under way is cancelled and its end awaited."""
    queue: WorkQueue[str] = WorkQueue()
    ended: list[float] = []

    async def handle(key: str) -> None:
        try:
            await asyncio.sleep(100)
        finally:
            await asyncio.sleep(1)
            ended.append(now())

    queue.add("a")
    running = asyncio.ensure_future(run_workers(queue, handle, workers=2))
    await asyncio.sleep(5)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert ended == [6]
