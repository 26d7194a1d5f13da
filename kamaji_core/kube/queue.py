"""Keys to look at, each at most once at a time: what turns any number of events into one pass.

The queue holds keys, never objects: a pass reads what is, not what an event told. It is a plain object of one event
loop; nothing in it is safe for threads.
"""

from __future__ import annotations

import asyncio
from collections.abc import Hashable
from typing import TYPE_CHECKING, Generic, TypeVar

import structlog

from kamaji_core.kube.backoff import spread

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

K = TypeVar("K", bound=Hashable)

log = structlog.get_logger()


class QueueShutDownError(Exception):
    """The queue gives out nothing any more: end the worker."""


class WorkQueue(Generic[K]):
    """A queue of keys without duplicates.

    A key is in at most one of these states: ready, in work, in work and wanted again, waiting for its time. Of several
    wishes the earliest counts.

    Args:
        first_retry: upper bound of the first delay after a failure, seconds; it doubles with each failure in a row.
        longest_retry: upper bound of any such delay, seconds.
    """

    def __init__(self, *, first_retry: float = 0.5, longest_retry: float = 120.0) -> None:
        self._first_retry = first_retry
        self._longest_retry = longest_retry
        self._ready: dict[K, None] = {}  # in order of arrival
        self._in_work: set[K] = set()
        self._wanted_again: set[K] = set()
        self._waiting: dict[K, asyncio.TimerHandle] = {}
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

    def add(self, key: K) -> None:
        """Have a key looked at as soon as possible; after its present look, when it is in work."""
        if self._shut_down:
            return
        self._stop_waiting(key)
        if key in self._in_work:
            self._wanted_again.add(key)
        elif key not in self._ready:
            self._ready[key] = None
            self._arrived.release()

    def add_after(self, key: K, seconds: float) -> None:
        """Have a key looked at in so many seconds, unless that happens earlier anyway."""
        if seconds <= 0:
            self.add(key)
            return
        if self._shut_down or key in self._ready or key in self._wanted_again:
            return
        loop = asyncio.get_running_loop()
        due = loop.time() + seconds
        waiting = self._waiting.get(key)
        if waiting is not None and waiting.when() <= due:
            return
        self._stop_waiting(key)
        self._waiting[key] = loop.call_at(due, self.add, key)

    async def get(self) -> K:
        """Wait for the next key and take it into work; `done` must follow.

        Raises:
            QueueShutDownError: when the queue is shut down.
        """
        await self._arrived.acquire()
        if self._shut_down:
            self._arrived.release()  # for the next one who waits
            raise QueueShutDownError
        key = next(iter(self._ready))
        del self._ready[key]
        self._in_work.add(key)
        return key

    def done(self, key: K) -> None:
        """End a key's present look; it is ready again at once when it was added meanwhile."""
        self._in_work.discard(key)
        if key in self._wanted_again:
            self._wanted_again.discard(key)
            self.add(key)

    def retry(self, key: K) -> float:
        """Have a key looked at again after a failure, later with each in a row, and give the delay in seconds."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        delay = spread(self._first_retry, self._longest_retry, failures)
        self.add_after(key, delay)
        return delay

    def forget(self, key: K) -> None:
        """Forget a key's failures, after a success."""
        self._failures.pop(key, None)

    def shut_down(self) -> None:
        """Give out nothing any more: what is ready or waiting is dropped, and every `get` raises."""
        self._shut_down = True
        for timer in self._waiting.values():
            timer.cancel()
        self._waiting.clear()
        self._ready.clear()
        self._wanted_again.clear()
        self._arrived.release()

    def _stop_waiting(self, key: K) -> None:
        timer = self._waiting.pop(key, None)
        if timer is not None:
            timer.cancel()


async def run_workers(queue: WorkQueue[K], handle: Callable[[K], Awaitable[float | None]], *, workers: int) -> None:
    """Have keys handled, so many at a time, until the queue is shut down or this is cancelled.

    Args:
        queue: where keys come from.
        handle: looks at one key and gives the seconds until the next look, or None when an event will tell. What it
            raises is logged, and the key is tried again later.
        workers: keys in work at a time.
    """
    async with asyncio.TaskGroup() as group:
        for _ in range(workers):
            group.create_task(_work(queue, handle))


async def _work(queue: WorkQueue[K], handle: Callable[[K], Awaitable[float | None]]) -> None:
    while True:
        try:
            key = await queue.get()
        except QueueShutDownError:
            return
        try:
            again = await handle(key)
        except Exception:
            delay = queue.retry(key)
            log.exception("handling failed", key=key, retry_seconds=round(delay, 1))
        else:
            queue.forget(key)
            if again is not None:
                queue.add_after(key, again)
        finally:
            queue.done(key)
