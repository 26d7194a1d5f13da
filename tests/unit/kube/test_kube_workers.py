"""Workers handle different keys at a time, the same key never twice at a time, and survive what a handler raises."""

import asyncio
import itertools

import pytest
import structlog.testing

from kamaji_core.kube import WorkQueue, run_workers, step_aside

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


async def test_one_that_steps_aside_lets_another_be_worked_on() -> None:
    """With a single worker: the second is handled while the first still waits, the third after it in the same place."""
    queue: WorkQueue[str] = WorkQueue()
    finished: list[tuple[str, float]] = []

    async def handle(key: str) -> None:
        if key == "slow":
            step_aside()
            step_aside()  # once is enough
            await asyncio.sleep(10)
        else:
            await asyncio.sleep(1)
        finished.append((key, now()))
        if len(finished) == 3:
            queue.shut_down()

    for key in ("slow", "a", "b"):
        queue.add(key)
    await run_workers(queue, handle, workers=1)
    assert finished == [("a", 1), ("b", 2), ("slow", 10)]


async def test_there_are_as_many_workers_after_it_as_before() -> None:
    """Those who stepped aside are not workers any more when they come back."""
    queue: WorkQueue[str] = WorkQueue()
    at_work, most = 0, 0

    async def handle(key: str) -> None:
        nonlocal at_work, most
        if key.startswith("slow"):
            step_aside()
            await asyncio.sleep(1)
            return
        at_work += 1
        most = max(most, at_work)
        await asyncio.sleep(1)
        at_work -= 1
        if key == "last":
            queue.shut_down()

    for key in ("slow-1", "slow-2", "slow-3", *(f"quick-{number}" for number in range(8)), "last"):
        queue.add(key)
    await run_workers(queue, handle, workers=2)
    assert most == 2


async def test_a_task_of_a_look_may_step_aside_for_it() -> None:
    """And a timer of it: what they know of the look is a copy, its place is the same."""
    queue: WorkQueue[str] = WorkQueue()
    finished: list[str] = []

    async def waits() -> None:
        asyncio.get_running_loop().call_later(1, step_aside)
        await asyncio.sleep(5)

    async def handle(key: str) -> None:
        if key == "slow":
            await asyncio.create_task(waits())
        finished.append(key)
        if len(finished) == 2:
            queue.shut_down()

    queue.add("slow")
    queue.add("quick")
    await run_workers(queue, handle, workers=1)
    assert finished == ["quick", "slow"]


async def test_who_follows_does_not_speak_in_the_name_of_who_stepped_aside() -> None:
    """What a look has bound for its log lines stays its own."""
    queue: WorkQueue[str] = WorkQueue()
    bound: dict[str, object] = {}

    async def handle(key: str) -> None:
        bound[key] = structlog.contextvars.get_contextvars().get("tenant")
        if key == "slow":
            with structlog.contextvars.bound_contextvars(tenant="slow"):
                step_aside()
                await asyncio.sleep(5)
                queue.shut_down()

    queue.add("slow")
    queue.add("quick")
    await run_workers(queue, handle, workers=1)
    assert bound == {"slow": None, "quick": None}


async def test_stepping_aside_while_all_is_ended_starts_nobody() -> None:
    """A look that is cancelled and steps aside in its last words."""
    queue: WorkQueue[str] = WorkQueue()
    began = asyncio.Event()

    async def handle(_key: str) -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            step_aside()

    queue.add("a")
    queue.add("b")
    task = asyncio.create_task(run_workers(queue, handle, workers=1))
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(queue) == 1


def test_outside_of_a_look_nothing_happens() -> None:
    """Whoever asks a store by hand has no place to give up."""
    step_aside()
