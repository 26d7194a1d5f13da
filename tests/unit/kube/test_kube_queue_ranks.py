"""A queue under load: whose turn it is, what a rank survives, and what metrics are told."""

from __future__ import annotations

import asyncio

import looptime
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kamaji_core.kube import Priority, WorkQueue, run_workers

pytestmark = pytest.mark.looptime

INTERACTIVE, EVENT, BACKLOG = Priority


class Observer:
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.depths: list[int] = []
        self.waits: list[tuple[float, Priority]] = []
        self.works: list[float] = []
        self.retries = 0

    def depth(self, keys: int) -> None:
        """See `QueueObserver`."""
        self.depths.append(keys)

    def waited(self, seconds: float, priority: Priority) -> None:
        """See `QueueObserver`."""
        self.waits.append((seconds, priority))

    def worked(self, seconds: float) -> None:
        """See `QueueObserver`."""
        self.works.append(seconds)

    def retried(self) -> None:
        """See `QueueObserver`."""
        self.retries += 1


def namespace(key: str) -> str:
    """A key's group: `a` of `a/1`."""
    return key.partition("/")[0]


@pytest.fixture
def observer() -> Observer:
    """What is told of the queue."""
    return Observer()


@pytest.fixture
async def queue(observer: Observer) -> WorkQueue[str]:
    """An empty queue whose keys share turns by namespace."""
    return WorkQueue(first_retry=1.0, longest_retry=60.0, group=namespace, observer=observer)


def now() -> float:
    """The loop's time, seconds."""
    return asyncio.get_running_loop().time()


async def take(queue: WorkQueue[str]) -> str:
    """Look at one key, at once."""
    key = await queue.get()
    queue.done(key)
    return key


async def test_ranks(queue: WorkQueue[str]) -> None:
    """A user's change goes before an event, an event before the backlog of a restart."""
    queue.add("a/1", BACKLOG)
    queue.add("a/2")
    queue.add("a/3", INTERACTIVE)
    assert [await take(queue) for _ in range(3)] == ["a/3", "a/2", "a/1"]


async def test_a_user_does_not_wait_for_a_restart(queue: WorkQueue[str], observer: Observer) -> None:
    """With a thousand tenants to look at after a restart, a change is the next thing that is looked at."""
    for number in range(1000):
        queue.add(f"a/{number}", BACKLOG)
    await take(queue)
    queue.add("b/changed", INTERACTIVE)
    assert await take(queue) == "b/changed"
    queue.add("a/999", INTERACTIVE)
    assert await take(queue) == "a/999"
    assert observer.depths[-1] == len(queue) == 998


async def test_the_backlog_passes_newer_events_after_30_seconds(queue: WorkQueue[str], observer: Observer) -> None:
    """Under a load that never ends, nothing waits for more than 30 s behind what came later."""
    stop = asyncio.Event()

    async def load() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            queue.add(f"busy/{number}", INTERACTIVE if number % 2 else EVENT)
            await asyncio.sleep(0.5)

    async def handle(key: str) -> None:
        await asyncio.sleep(1)
        if key.startswith("old/"):
            left.discard(key)
            if not left:
                stop.set()
                queue.shut_down()

    left = {f"old/{number}" for number in range(5)}
    for key in left:
        queue.add(key, BACKLOG)
    async with asyncio.timeout(300), asyncio.TaskGroup() as group:
        group.create_task(load())
        group.create_task(run_workers(queue, handle, workers=1))
    waits = [seconds for seconds, priority in observer.waits if priority is BACKLOG]
    # One at a time, with the load's late keys taking turns: the first at its 30 s, the others right behind it.
    assert len(waits) == 5
    assert waits[0] == pytest.approx(30, abs=1.01)
    assert waits[-1] <= 30 + 2 * 5
    assert stop.is_set()


async def test_a_shorter_patience(observer: Observer) -> None:
    """How long a key can be overtaken for is the queue's to say."""
    queue = WorkQueue[str](patience=5.0, observer=observer)
    queue.add("old", BACKLOG)
    await asyncio.sleep(4.9)
    queue.add("new", INTERACTIVE)
    assert await take(queue) == "new"
    queue.add("new", INTERACTIVE)
    await asyncio.sleep(0.2)
    assert await take(queue) == "old"
    assert observer.waits[-1] == (pytest.approx(5.1), BACKLOG)


async def test_namespaces_take_turns(queue: WorkQueue[str]) -> None:
    """One namespace with a thousand events does not keep another one's only event waiting."""
    order: list[str] = []

    async def handle(key: str) -> None:
        order.append(key)
        await asyncio.sleep(1)
        if not len(queue):
            queue.shut_down()

    for number in range(1000):
        queue.add(f"crowd/{number}")
    for name in ("b", "c"):
        queue.add(f"{name}/1")
        queue.add(f"{name}/2")
    await run_workers(queue, handle, workers=2)
    assert len(order) == 1004
    assert order.index("b/1") < 4
    assert order.index("c/1") < 4
    assert max(order.index("b/2"), order.index("c/2")) < 8


async def test_without_groups_order_is_that_of_arrival(observer: Observer) -> None:
    """A queue that was told of no groups has one."""
    queue = WorkQueue[str](observer=observer)
    keys = ["a/1", "a/2", "b/1"]
    for key in keys:
        queue.add(key)
    assert [await take(queue) for _ in keys] == keys


async def test_a_ready_key_is_raised(queue: WorkQueue[str], observer: Observer) -> None:
    """A ready key takes the highest rank of its wishes, stays one, and its wait counts from the first."""
    queue.add("a/1", EVENT)
    queue.add("a/2", BACKLOG)
    await asyncio.sleep(3)
    queue.add("a/2", INTERACTIVE)
    queue.add("a/2", BACKLOG)
    assert len(queue) == 2
    assert await take(queue) == "a/2"
    assert observer.waits == [(3, INTERACTIVE)]


async def test_a_rank_given_during_a_look_counts_after_it(queue: WorkQueue[str]) -> None:
    """What is wanted again while in work comes with the highest rank that was asked for meanwhile."""
    queue.add("a/1", BACKLOG)
    assert await queue.get() == "a/1"
    queue.add("a/1", BACKLOG)
    queue.add("a/1", INTERACTIVE)
    queue.add("a/1", EVENT)
    queue.add("a/2", EVENT)
    queue.done("a/1")
    assert [await take(queue), await take(queue)] == ["a/1", "a/2"]


async def test_the_rank_of_the_last_look_is_over(queue: WorkQueue[str]) -> None:
    """Having been urgent once does not make the next look urgent."""
    queue.add("a/1", INTERACTIVE)
    assert await queue.get() == "a/1"
    queue.add("a/1", BACKLOG)
    queue.done("a/1")
    queue.add("a/2", EVENT)
    assert [await take(queue), await take(queue)] == ["a/2", "a/1"]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
async def test_of_two_delays_the_higher_rank_counts(queue: WorkQueue[str], order: tuple[int, int]) -> None:
    """A key that waits for its time keeps the earlier time and the higher rank, whichever wish these came from."""
    wishes = [(10.0, INTERACTIVE), (5.0, BACKLOG)]
    for index in order:
        queue.add_after("a/1", *wishes[index])
    await asyncio.sleep(5)
    queue.add("a/2", EVENT)
    assert [await take(queue), await take(queue)] == ["a/1", "a/2"]
    assert now() == 5


async def test_an_event_keeps_the_rank_of_what_waits(queue: WorkQueue[str]) -> None:
    """A lowly wish that makes a waiting key ready at once does not take away its rank."""
    queue.add_after("a/1", 10, INTERACTIVE)
    queue.add("a/2", EVENT)
    queue.add("a/1", BACKLOG)
    assert [await take(queue), await take(queue)] == ["a/1", "a/2"]


async def test_a_later_wish_raises_what_is_ready(queue: WorkQueue[str]) -> None:
    """The order of two wishes does not matter: a ready key takes the rank of one for later."""
    queue.add("a/1", BACKLOG)
    queue.add("a/2", EVENT)
    queue.add_after("a/1", 10, INTERACTIVE)
    assert [await take(queue), await take(queue)] == ["a/1", "a/2"]


async def test_a_later_wish_raises_what_is_wanted_again(queue: WorkQueue[str]) -> None:
    """The same holds for a key that comes again after its present look."""
    queue.add("a/1", BACKLOG)
    assert await queue.get() == "a/1"
    queue.add("a/1", BACKLOG)
    queue.add_after("a/1", 10, INTERACTIVE)
    queue.add("a/2", EVENT)
    queue.done("a/1")
    assert [await take(queue), await take(queue)] == ["a/1", "a/2"]


@pytest.mark.parametrize("priority", Priority)
async def test_a_retry_keeps_the_rank(queue: WorkQueue[str], observer: Observer, priority: Priority) -> None:
    """A failed look comes again with the rank it had: a restart's failures do not become urgent."""
    queue.add("a/1", priority)
    key = await queue.get()
    queue.retry(key)
    queue.done(key)
    assert await take(queue) == "a/1"
    assert observer.waits == [(0, priority), (0, priority)]
    assert observer.retries == 1


async def test_the_observer_hears_all(queue: WorkQueue[str], observer: Observer) -> None:
    """Depth at each change, the wait before and the length of each look, and each retry."""
    queue.add("a/1")
    queue.add("a/2")
    queue.add("a/1")
    await asyncio.sleep(2)
    key = await queue.get()
    await asyncio.sleep(3)
    queue.done(key)
    queue.retry("a/3")
    queue.shut_down()
    assert observer.depths == [1, 2, 1, 0]
    assert observer.waits == [(2, EVENT)]
    assert observer.works == [3]
    assert observer.retries == 1


async def test_waiting_for_its_time_is_not_waiting(queue: WorkQueue[str], observer: Observer) -> None:
    """A planned look's delay is neither depth nor wait: only being ready counts."""
    queue.add_after("a/1", 100)
    assert observer.depths == []
    assert queue.idle
    assert await take(queue) == "a/1"
    assert observer.waits == [(0, EVENT)]


async def test_done_without_a_look_tells_nothing(queue: WorkQueue[str], observer: Observer) -> None:
    """Ending a look that never began is no look."""
    queue.done("a/1")
    assert observer.works == []


async def test_a_failing_handler_is_seen(queue: WorkQueue[str], observer: Observer) -> None:
    """A look that raises counts as a look and as a retry, and comes again with its rank."""
    failures = 2

    async def handle(_key: str) -> None:
        nonlocal failures
        await asyncio.sleep(1)
        if not failures:
            queue.shut_down()
            return
        failures -= 1
        raise ValueError

    queue.add("a/1", BACKLOG)
    await run_workers(queue, handle, workers=1)
    assert observer.works == pytest.approx([1, 1, 1])
    assert observer.retries == 2
    assert [priority for _, priority in observer.waits] == [BACKLOG] * 3


KEYS = st.sampled_from(["a/1", "a/2", "b/1", "c/1"])
Action = tuple[str, str, float, Priority]
ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["add", "add_after", "get", "done", "pass"]),
        KEYS,
        st.sampled_from([0.0, 1.0, 5.0]),
        st.sampled_from(Priority),
    ),
    max_size=50,
)


@given(ACTIONS)
def test_no_wish_is_lost_and_none_is_doubled(actions: list[Action]) -> None:
    """After any history, each key that was wanted since its last look began is looked at once more, and only once."""
    with asyncio.Runner(loop_factory=lambda: looptime.new_event_loop(start=0)) as runner:
        runner.run(_follow(actions))


async def _follow(actions: list[Action]) -> None:
    queue = WorkQueue[str](group=namespace)
    wanted: set[str] = set()
    in_work: list[str] = []
    for action, key, seconds, priority in actions:
        if action == "add":
            queue.add(key, priority)
            wanted.add(key)
        elif action == "add_after":
            queue.add_after(key, seconds, priority)
            wanted.add(key)
        elif action == "get" and len(queue):
            given = await queue.get()
            assert given in wanted
            assert given not in in_work
            wanted.discard(given)
            in_work.append(given)
        elif action == "done" and in_work:
            queue.done(in_work.pop(0))
        elif action == "pass":
            await asyncio.sleep(seconds)
    for key in in_work:
        queue.done(key)
    await asyncio.sleep(10)
    assert len(queue) == len(wanted)
    assert {await take(queue) for _ in range(len(queue))} == wanted
    assert queue.idle
