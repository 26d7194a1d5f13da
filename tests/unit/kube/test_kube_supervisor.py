"""Long-lived tasks are started again, each for itself, and none is left behind."""

import asyncio
import itertools

import pytest
import structlog.testing

from kamaji_core.kube import Supervisor

pytestmark = pytest.mark.looptime


def now() -> float:
    """The loop's time, seconds."""
    return asyncio.get_running_loop().time()


async def test_a_failing_task_is_started_again_and_disturbs_nobody() -> None:
    """It comes back after growing pauses, its failures are logged, and its sibling does not notice."""
    starts: list[float] = []
    sibling = asyncio.Event()

    async def failing() -> None:
        starts.append(now())
        raise ValueError("no luck")

    async def steady() -> None:
        await asyncio.sleep(30)
        sibling.set()
        await asyncio.Event().wait()

    with structlog.testing.capture_logs() as logs:
        async with Supervisor() as supervisor:
            supervisor.start("failing", failing)
            supervisor.start("steady", steady)
            await sibling.wait()
    pauses = [after - before for before, after in itertools.pairwise(starts)]
    assert 4 <= len(pauses) <= 8
    assert pauses[0] <= 0.5
    assert pauses[-1] > 4
    assert {entry["task"] for entry in logs} == {"failing"}
    assert {entry.get("why") for entry in logs} >= {"ValueError"}
    assert any(entry.get("exc_info") for entry in logs)


async def test_a_task_that_ends_is_started_again() -> None:
    """Coming to an end is no reason to stay away."""
    starts: list[float] = []

    async def ends() -> None:
        starts.append(now())

    async with Supervisor() as supervisor:
        supervisor.start("ends", ends)
        await asyncio.sleep(10)
    assert len(starts) > 2


async def test_a_task_that_lived_long_comes_back_soon() -> None:
    """Failures count in a row only: after a minute of health the pause is short again."""
    starts: list[float] = []

    async def mostly_well() -> None:
        starts.append(now())
        await asyncio.sleep(100)
        raise ValueError

    async with Supervisor() as supervisor:
        supervisor.start("well", mostly_well)
        await asyncio.sleep(1000)
    pauses = [after - before - 100 for before, after in itertools.pairwise(starts)]
    assert max(pauses) <= 0.5


async def test_leaving_cancels_and_awaits_all() -> None:
    """A task's clean-up is done when the context is left."""
    cleaned: list[str] = []

    def task(name: str) -> None:
        async def run() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(1)
                cleaned.append(name)

        supervisor.start(name, run)

    async with Supervisor() as supervisor:
        task("a")
        task("b")
        await asyncio.sleep(1)
    assert sorted(cleaned) == ["a", "b"]
    assert now() == 2


@pytest.mark.parametrize("end", ["raises", "returns"])
async def test_a_task_that_makes_something_else_of_its_cancellation_ends(end: str) -> None:
    """A task that fails or returns when cancelled is not started again on the way out."""
    starts = 0

    async def stubborn() -> None:
        nonlocal starts
        starts += 1
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if end == "raises":
                raise ValueError from None

    async with Supervisor() as supervisor:
        supervisor.start("stubborn", stubborn)
        await asyncio.sleep(1)
    assert starts == 1
    assert now() == 1


async def test_a_task_that_does_not_end_is_named() -> None:
    """Leaving takes no longer than the grace; who is late stands in the log."""
    release = asyncio.Event()

    async def deaf() -> None:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue

    with structlog.testing.capture_logs() as logs:
        async with Supervisor(grace=3) as supervisor:
            supervisor.start("deaf", deaf)
            await asyncio.sleep(1)
        assert now() == 4
    assert [entry["task"] for entry in logs if entry["log_level"] == "error"] == ["deaf"]
    release.set()
    await asyncio.sleep(1)


async def test_a_cancellation_from_within_is_a_failure() -> None:
    """A task whose own inner task was cancelled is started again."""
    starts = 0

    async def cancelled_inside() -> None:
        nonlocal starts
        starts += 1
        inner = asyncio.ensure_future(asyncio.Event().wait())
        inner.cancel()
        await inner

    async with Supervisor() as supervisor:
        supervisor.start("inside", cancelled_inside)
        await asyncio.sleep(5)
    assert starts > 1


async def test_who_owns_nothing_starts_nothing() -> None:
    """Outside its context a supervisor refuses to start tasks, and a name is given once."""
    supervisor = Supervisor()

    async def run() -> None:
        await asyncio.Event().wait()

    with pytest.raises(RuntimeError, match="Enter the supervisor"):
        supervisor.start("a", run)
    async with supervisor:
        supervisor.start("a", run)
        with pytest.raises(ValueError, match="runs already"):
            supervisor.start("a", run)
