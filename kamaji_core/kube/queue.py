"""Keys to look at, each at most once at a time: what turns any number of events into one pass.

The queue holds keys, never objects: a pass reads what is, not what an event told. It is a plain object of one event
loop; nothing in it is safe for threads.
"""

from __future__ import annotations

import asyncio
from collections.abc import Hashable
from contextvars import ContextVar, copy_context
from typing import TYPE_CHECKING, Generic, NamedTuple, Protocol, TypeVar

import structlog

from kamaji_core.kube.backoff import spread
from kamaji_core.kube.errors import ApiError
from kamaji_core.kube.turns import Priority, ReadyKeys

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

K = TypeVar("K", bound=Hashable)

log = structlog.get_logger()


class QueueShutDownError(Exception):
    """The queue gives out nothing any more: end the worker."""


class TryAgainError(Exception):
    """A look came to nothing for a reason that is told in its sentence; it is repeated, and no traceback is logged."""


class QueueObserver(Protocol):
    """What is told of a queue's life, for metrics; its methods must be quick and not raise."""

    def depth(self, keys: int) -> None:
        """So many keys are ready now."""

    def waited(self, seconds: float, priority: Priority) -> None:
        """A key of that rank was taken into work after it had been ready for so long."""

    def worked(self, seconds: float) -> None:
        """One look at a key ended, after so long."""

    def retried(self) -> None:
        """A key is to be looked at again after a failure."""


class WorkQueue(Generic[K]):
    """A queue of keys without duplicates.

    A key is in at most one of these states: ready, in work, in work and wanted again, waiting for its time. Of several
    wishes the earliest time and the highest rank count. Whose turn it is among the ready ones, `turns` tells.

    Args:
        first_retry: upper bound of the first delay after a failure, seconds; it doubles with each failure in a row.
        longest_retry: upper bound of any such delay, seconds.
        group: keys of one group share their turns, such as the tenants of a namespace; by default all are one group.
        patience: seconds after which a ready key is overtaken by newer ones of any rank no more.
        observer: told of the queue's life.
    """

    def __init__(
        self,
        *,
        first_retry: float = 0.5,
        longest_retry: float = 120.0,
        group: Callable[[K], Hashable] | None = None,
        patience: float = 30.0,
        observer: QueueObserver | None = None,
    ) -> None:
        self._first_retry = first_retry
        self._longest_retry = longest_retry
        self._observer = observer
        self._ready: ReadyKeys[K] = ReadyKeys(group=group or _one_group, patience=patience)
        self._in_work: dict[K, _Look] = {}
        self._wanted_again: dict[K, Priority] = {}
        self._waiting: dict[K, _Waiting] = {}
        self._failures: dict[K, int] = {}
        self._arrived = asyncio.Semaphore(0)
        self._shut_down = False

    def __len__(self) -> int:
        """Keys that are ready; those in work or waiting for their time do not count."""
        return len(self._ready)

    @property
    def idle(self) -> bool:
        """Whether nothing is ready or in work; what waits for its time does not count."""
        return not self._ready and not self._in_work

    def add(self, key: K, priority: Priority = Priority.EVENT) -> None:
        """Have a key looked at as soon as its turn comes; after its present look, when it is in work.

        Args:
            key: what to look at.
            priority: its rank; one that is ready with a lower rank is raised, one with a higher keeps it.
        """
        if self._shut_down:
            return
        if (waiting := self._stop_waiting(key)) is not None:
            priority = min(priority, waiting.priority)
        if key in self._in_work:
            self._wanted_again[key] = min(priority, self._wanted_again.get(key, priority))
        elif self._ready.add(key, priority, _now()):
            self._arrived.release()
            self._tell_depth()

    def add_after(self, key: K, seconds: float, priority: Priority = Priority.EVENT) -> None:
        """Have a key looked at in so many seconds, unless that happens earlier anyway."""
        if seconds <= 0:
            self.add(key, priority)
            return
        if self._shut_down:
            return
        if key in self._ready or key in self._wanted_again:
            self.add(key, priority)  # it happens earlier anyway; of the ranks the highest counts
            return
        loop = asyncio.get_running_loop()
        due = loop.time() + seconds
        waiting = self._waiting.get(key)
        if waiting is not None:
            priority = min(priority, waiting.priority)
            due = min(due, waiting.timer.when())
        self._stop_waiting(key)
        self._waiting[key] = _Waiting(loop.call_at(due, self.add, key, priority), priority)

    async def get(self) -> K:
        """Wait for the next key and take it into work; `done` must follow.

        Raises:
            QueueShutDownError: when the queue is shut down.
        """
        await self._arrived.acquire()
        if self._shut_down:
            self._arrived.release()  # for the next one who waits
            raise QueueShutDownError
        now = _now()
        key, priority, waited = self._ready.pop(now)
        self._in_work[key] = _Look(priority, now)
        if self._observer is not None:
            self._observer.waited(waited, priority)
        self._tell_depth()
        return key

    def done(self, key: K) -> None:
        """End a key's present look; it is ready again at once when it was added meanwhile."""
        look = self._in_work.pop(key, None)
        if look is not None and self._observer is not None:
            self._observer.worked(_now() - look.began)
        if (priority := self._wanted_again.pop(key, None)) is not None:
            self.add(key, priority)

    def retry(self, key: K) -> float:
        """Have a key looked at again after a failure, later with each in a row, and give the delay in seconds.

        It keeps the rank of its present look.
        """
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        delay = spread(self._first_retry, self._longest_retry, failures)
        look = self._in_work.get(key)
        self.add_after(key, delay, look.priority if look is not None else Priority.EVENT)
        if self._observer is not None:
            self._observer.retried()
        return delay

    def forget(self, key: K) -> None:
        """Forget a key's failures, after a success."""
        self._failures.pop(key, None)

    def shut_down(self) -> None:
        """Give out nothing any more: what is ready or waiting is dropped, and every `get` raises."""
        self._shut_down = True
        for waiting in self._waiting.values():
            waiting.timer.cancel()
        self._waiting.clear()
        self._ready.clear()
        self._wanted_again.clear()
        self._tell_depth()
        self._arrived.release()

    def _stop_waiting(self, key: K) -> _Waiting | None:
        waiting = self._waiting.pop(key, None)
        if waiting is not None:
            waiting.timer.cancel()
        return waiting

    def _tell_depth(self) -> None:
        if self._observer is not None:
            self._observer.depth(len(self._ready))


class _Look(NamedTuple):
    priority: Priority
    began: float


class _Waiting(NamedTuple):
    timer: asyncio.TimerHandle
    priority: Priority


def _now() -> float:
    return asyncio.get_running_loop().time()


def _one_group(_key: object) -> None:
    return None


class _Place:
    """A worker's place; one that gives it up is followed by another worker, and ends after its present look."""

    def __init__(self, follow: Callable[[], None]) -> None:
        self._follow = follow
        self.given_up = False

    def give_up(self) -> None:
        """Let another worker have it; nothing more happens when it is asked for again."""
        if not self.given_up:
            self.given_up = True
            self._follow()


_place: ContextVar[_Place | None] = ContextVar("place", default=None)


def step_aside() -> None:
    """Let another key be worked on, because the present look waits for something that may take long.

    Tasks that a look starts may call it, too. Outside of a look nothing happens.
    """
    if (place := _place.get()) is not None:
        place.give_up()


async def run_workers(queue: WorkQueue[K], handle: Callable[[K], Awaitable[float | None]], *, workers: int) -> None:
    """Have keys handled, so many at a time, until the queue is shut down or this is cancelled.

    Args:
        queue: where keys come from.
        handle: looks at one key and gives the seconds until the next look, or None when an event will tell. What it
            raises is logged, and the key is tried again later.
        workers: keys in work at a time, beside those whose look has stepped aside.
    """
    own = copy_context()  # one that follows must not inherit what the look before it has bound
    async with asyncio.TaskGroup() as group:

        def start() -> None:
            worker = _work(queue, handle, start)
            try:
                group.create_task(worker, context=own.copy())
            except RuntimeError:  # all of it is being ended
                worker.close()

        for _ in range(workers):
            start()


async def _work(
    queue: WorkQueue[K], handle: Callable[[K], Awaitable[float | None]], follow: Callable[[], None]
) -> None:
    place = _Place(follow)
    _place.set(place)
    while not place.given_up:
        try:
            key = await queue.get()
        except QueueShutDownError:
            return
        try:
            again = await handle(key)
        except (TryAgainError, ApiError) as error:
            delay = queue.retry(key)
            log.warning("trying again", key=key, error=str(error), retry_seconds=round(delay, 1))
        except Exception:
            delay = queue.retry(key)
            log.exception("handling failed", key=key, retry_seconds=round(delay, 1))
        else:
            queue.forget(key)
            if again is not None:
                queue.add_after(key, again)
        finally:
            queue.done(key)
