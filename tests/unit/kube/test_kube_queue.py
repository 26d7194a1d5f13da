"""Any number of events on one key become one look at a time, and no wish is lost."""

import asyncio

import pytest

from kamaji_core.kube import QueueShutDownError, WorkQueue

pytestmark = pytest.mark.looptime


@pytest.fixture
async def queue() -> WorkQueue[str]:
    """An empty queue."""
    return WorkQueue(first_retry=1.0, longest_retry=60.0)


def now() -> float:
    """The loop's time, seconds."""
    return asyncio.get_running_loop().time()


async def test_duplicates_are_one(queue: WorkQueue[str]) -> None:
    """A key that is ready is not added again; order is that of arrival."""
    for key in ("a", "b", "a"):
        queue.add(key)
    assert len(queue) == 2
    assert [await queue.get(), await queue.get()] == ["a", "b"]
    assert len(queue) == 0


async def test_a_key_in_work_comes_again_when_done(queue: WorkQueue[str]) -> None:
    """What happens during a look leads to exactly one more."""
    queue.add("a")
    assert await queue.get() == "a"
    queue.add("a")
    queue.add("a")
    assert len(queue) == 0
    queue.done("a")
    assert len(queue) == 1
    assert await queue.get() == "a"
    queue.done("a")
    assert len(queue) == 0


async def test_get_waits(queue: WorkQueue[str]) -> None:
    """An empty queue gives its key as soon as there is one."""
    waiting = asyncio.ensure_future(queue.get())
    asyncio.get_running_loop().call_later(5, queue.add, "a")
    assert await waiting == "a"
    assert now() == 5


async def test_a_cancelled_get_loses_no_key(queue: WorkQueue[str]) -> None:
    """A worker that is cancelled while it waits leaves the key to the next."""
    first, second = asyncio.ensure_future(queue.get()), asyncio.ensure_future(queue.get())
    await asyncio.sleep(1)
    queue.add("a")
    first.cancel()
    assert await second == "a"


async def test_later_means_later(queue: WorkQueue[str]) -> None:
    """A delayed key is not ready before its time."""
    queue.add_after("a", 10)
    assert len(queue) == 0
    assert await queue.get() == "a"
    assert now() == 10


@pytest.mark.parametrize("delays", [(10, 3), (3, 10)])
async def test_of_two_delays_the_earlier_counts(queue: WorkQueue[str], delays: tuple[float, float]) -> None:
    """Whatever their order, a key comes at the earlier time, and once."""
    for delay in delays:
        queue.add_after("a", delay)
    assert await queue.get() == "a"
    assert now() == 3
    queue.done("a")
    await asyncio.sleep(20)
    assert len(queue) == 0


async def test_now_wins_over_later(queue: WorkQueue[str]) -> None:
    """An event takes the place of a planned look; the look itself plans the next one."""
    queue.add_after("a", 10)
    queue.add("a")
    queue.add_after("a", 5)
    assert await queue.get() == "a"
    assert now() == 0
    queue.done("a")
    await asyncio.sleep(20)
    assert len(queue) == 0


async def test_a_planned_look_during_a_look(queue: WorkQueue[str]) -> None:
    """A delay that is given, or ends, during a look leads to one more after it."""
    queue.add("a")
    await queue.get()
    queue.add_after("a", 2)
    await asyncio.sleep(3)
    assert len(queue) == 0
    queue.done("a")
    assert await queue.get() == "a"


@pytest.mark.parametrize("seconds", [0, -1])
async def test_no_delay_is_now(queue: WorkQueue[str], seconds: float) -> None:
    """A time that has passed already is now."""
    queue.add_after("a", seconds)
    assert len(queue) == 1


async def test_retries_grow_and_are_forgotten(queue: WorkQueue[str]) -> None:
    """Delays double up to a bound for each failure of that key in a row, with jitter."""
    delays = []
    for _ in range(9):
        delays.append(queue.retry("a"))
        assert await queue.get() == "a"
        queue.done("a")
    for failures, delay in enumerate(delays):
        bound = min(60.0, 2.0**failures)
        assert bound / 2 <= delay <= bound
    assert now() == pytest.approx(sum(delays), abs=0.01)
    assert queue.retry("b") <= 1.0
    queue.forget("a")
    assert queue.retry("a") <= 1.0


async def test_an_event_does_not_wait_for_a_retry(queue: WorkQueue[str]) -> None:
    """When something changed, a failed key is looked at at once."""
    queue.retry("a")
    queue.add("a")
    assert await queue.get() == "a"
    assert now() == 0


async def test_shutting_down_wakes_everyone(queue: WorkQueue[str]) -> None:
    """All who wait are told to end, and so is who comes later; nothing is given out or taken any more."""
    waiting = [asyncio.ensure_future(queue.get()) for _ in range(3)]
    await asyncio.sleep(1)
    queue.add_after("late", 5)
    queue.shut_down()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(result) for result in results] == [QueueShutDownError] * 3
    queue.add("a")
    queue.add_after("b", 1)
    await asyncio.sleep(10)
    assert len(queue) == 0
    with pytest.raises(QueueShutDownError):
        await queue.get()


async def test_shutting_down_drops_the_backlog(queue: WorkQueue[str]) -> None:
    """Keys that are ready are not worked off on the way out: the next process lists everything anyway."""
    queue.add("a")
    queue.shut_down()
    with pytest.raises(QueueShutDownError):
        await queue.get()
