"""Users of a tenant's API server, at a steady pace: one on a kept connection, one on a new connection each time.

Every second request writes, so that it reaches the store. A pace that does not wait for answers shows a stall as many
late calls instead of as one. What no answer comes to in time is told apart from what fails: a loaded machine makes the
former, and a tenant that nobody touches tells how many.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bench.figures import spread
from kamaji_core.kube import CONFIG_MAPS, ApiError, KubeClient
from kamaji_core.kube.http2 import Http2Transport

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from bench.figures import Spread
    from kamaji_core.kube import ClusterConfig

CALL_SECONDS = 5.0
"""After which a call counts as not answered in time."""

NAMESPACE = "default"
_KEPT, _NEW = "bench-kept", "bench-new"


@dataclass(slots=True)
class Calls:
    """What became of one prober's calls.

    Args:
        seconds: of each call that was answered well.
        failed: the sentences of those that failed, with the moment, seconds since the prober began.
        late: how many were not answered in time.
    """

    seconds: list[float] = field(default_factory=list)
    failed: list[tuple[float, str]] = field(default_factory=list)
    late: int = 0

    @property
    def count(self) -> int:
        """All of them."""
        return len(self.seconds) + len(self.failed) + self.late

    @property
    def spread(self) -> Spread:
        """Of the answered ones' seconds."""
        return spread(self.seconds)


class Prober:
    """Calls one API server again and again.

    Args:
        config: as its administrator.
        rate: calls a second, shared by kept and new connections.
    """

    def __init__(self, config: ClusterConfig, *, rate: float) -> None:
        self._config = config
        self._interval = 2 / rate
        self.kept = Calls()
        self.new = Calls()
        self._began = 0.0

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Prober]:
        """Call until the context is left; calls that are under way then are answered first."""
        self._began = time.monotonic()
        async with KubeClient(self._config, user_agent="bench/1") as client:
            for name in (_KEPT, _NEW):
                manifest = {"metadata": {"name": name, "namespace": NAMESPACE}, "data": {"number": "0"}}
                await client.apply(CONFIG_MAPS, manifest, field_manager="bench")
        loops = [asyncio.create_task(self._on_kept()), asyncio.create_task(self._on_new())]
        try:
            yield self
        finally:
            for loop in loops:
                loop.cancel()
            await asyncio.gather(*loops, return_exceptions=True)

    def take(self) -> tuple[Calls, Calls]:
        """Give what became of the calls since it was last asked: on kept, on new connections."""
        taken = self.kept, self.new
        self.kept, self.new = Calls(), Calls()
        return taken

    async def _on_kept(self) -> None:
        transport = Http2Transport(self._config, user_agent="bench/1")
        try:
            async with KubeClient(self._config, transport=transport) as client:
                await self._paced(lambda number: self._call(client, _KEPT, number))
        finally:
            await transport.aclose()

    async def _on_new(self) -> None:
        async def call(number: int) -> None:
            async with KubeClient(self._config, user_agent="bench/1") as client:
                await self._call(client, _NEW, number)

        await self._paced(call)

    async def _paced(self, call: Callable[[int], Coroutine[Any, Any, None]]) -> None:
        loop = asyncio.get_running_loop()
        begin = loop.time()
        async with asyncio.TaskGroup() as group:
            for number in itertools.count():
                await asyncio.sleep(begin + number * self._interval - loop.time())
                group.create_task(call(number))

    async def _call(self, client: KubeClient, name: str, number: int) -> None:
        began = time.monotonic()
        calls = self.kept if name == _KEPT else self.new
        try:
            async with asyncio.timeout(CALL_SECONDS):
                if number % 2:
                    await client.merge_patch(CONFIG_MAPS, name, {"data": {"number": str(number)}}, NAMESPACE)
                else:
                    await client.get(CONFIG_MAPS, name, NAMESPACE)
        except TimeoutError:
            calls.late += 1
        except ApiError as error:
            calls.failed.append((round(began - self._began, 2), f"{type(error).__name__}: {error}"))
        else:
            calls.seconds.append(time.monotonic() - began)
