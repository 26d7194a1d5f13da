"""Keeping long-lived tasks alive, each for itself: one that fails is started again and never takes others with it.

A TaskGroup is for inside one pass, where the first failure ends all. What lives as long as the process lives here.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Self

import structlog

from kamaji_core.kube.backoff import Backoff

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

log = structlog.get_logger()


class Supervisor:
    """Owns named tasks from entering its context to leaving it.

    Args:
        grace: seconds that cancelled tasks have to end when leaving; the names of those that take longer are logged.
    """

    def __init__(self, *, grace: float = 10.0) -> None:
        self._grace = grace
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._entered = False

    async def __aenter__(self) -> Self:
        self._entered = True
        return self

    async def __aexit__(self, *_: object) -> None:
        self._entered = False
        tasks, self._tasks = self._tasks, {}
        for task in tasks.values():
            task.cancel()
        if not tasks:
            return
        _ended, late = await asyncio.wait(tasks.values(), timeout=self._grace)
        for task in late:
            log.error("did not end when cancelled", task=task.get_name(), seconds=self._grace)

    def start(self, name: str, factory: Callable[[], Awaitable[None]]) -> None:
        """Run what the factory gives, and again with growing, jittered pauses whenever it fails or ends.

        Args:
            name: unique among those that run; it stands in logs.
            factory: called for each start.

        Raises:
            RuntimeError: outside the supervisor's context.
            ValueError: when the name is taken.
        """
        if not self._entered:
            raise RuntimeError("Enter the supervisor's context before starting tasks: it owns them.")
        if name in self._tasks:
            raise ValueError(f"The task {name!r} runs already: give each its own name.")
        self._tasks[name] = asyncio.create_task(_keep_running(name, factory), name=name)


async def _keep_running(name: str, factory: Callable[[], Awaitable[None]]) -> None:
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    backoff = Backoff(first=_FIRST_PAUSE, longest=_LONGEST_PAUSE)
    while True:
        began = loop.time()
        why = await _run_once(name, factory)
        if task is not None and task.cancelling():
            return  # we were cancelled, and the child made something else of it
        if loop.time() - began >= _HEALTHY_SECONDS:
            backoff.reset()
        pause = backoff.next()
        log.warning("starting again", task=name, why=why, pause_seconds=round(pause, 1))
        await asyncio.sleep(pause)


async def _run_once(name: str, factory: Callable[[], Awaitable[None]]) -> str:
    """Run it to its end and tell how that came."""
    try:
        await factory()
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        # Something inside was cancelled, not we.
        return "cancelled from within"
    except Exception as error:
        log.exception("failed", task=name)
        return type(error).__name__
    return "ended"


_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0
_HEALTHY_SECONDS = 60.0
