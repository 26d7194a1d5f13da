"""A watch that is held to what writes promised: each resourceVersion and each deletion must be told, once or more.

It goes on from the last event it saw when its connection ends, as every client of Kubernetes does; only what it then
still lacks is lost.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Self

import msgspec

from kamaji_core.kube import CONFIG_MAPS, ApiError, GoneError, UnreachableError

if TYPE_CHECKING:
    from kamaji_core.kube import KubeClient, WatchEvent

AGAIN_SECONDS = 0.5


class _Metadata(msgspec.Struct, frozen=True, rename="camel"):
    name: str = ""
    resource_version: str = ""


class _Object(msgspec.Struct, frozen=True):
    metadata: _Metadata


class Watching:
    """Watches the ConfigMaps of a namespace; an async context manager.

    Args:
        client: of the tenant.
        namespace: to watch.
        resource_version: where it begins.

    Attributes:
        errors: why it had to begin anew, but for connections that ended.
    """

    def __init__(self, client: KubeClient, namespace: str, resource_version: str) -> None:
        self._client = client
        self._namespace = namespace
        self._from = resource_version
        self._expected: set[tuple[str, str]] = set()
        self._seen: set[tuple[str, str]] = set()
        self._came = asyncio.Event()
        self.errors: list[str] = []

    @property
    def expected(self) -> int:
        """Events that were promised."""
        return len(self._expected)

    @property
    def delivered(self) -> int:
        """Of these, those that came."""
        return len(self._expected & self._seen)

    def expect(self, name: str, resource_version: str) -> None:
        """A write's answer promised the event of this state of an object."""
        self._expected.add((name, resource_version))

    def expect_deletion(self, name: str) -> None:
        """An answer promised the event of an object's end."""
        self._expected.add((name, _DELETED))

    async def until_all(self, seconds: float) -> None:
        """Wait until every promised event has come, but no longer than this."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.delivered < self.expected:
                    self._came.clear()
                    await self._came.wait()

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            try:
                events = self._client.watch(CONFIG_MAPS, self._namespace, resource_version=self._from)
                async with contextlib.aclosing(events):
                    async for event in events:
                        self._take(event)
            except UnreachableError:
                await asyncio.sleep(AGAIN_SECONDS)
            except GoneError as error:
                self.errors.append(str(error))
                return  # what lies between is lost, and shows in the figures
            except ApiError as error:
                self.errors.append(str(error))
                await asyncio.sleep(AGAIN_SECONDS)

    def _take(self, event: WatchEvent) -> None:
        metadata = msgspec.json.decode(event.object, type=_Object).metadata
        self._from = metadata.resource_version or self._from
        if event.type == "BOOKMARK":
            return
        self._seen.add((metadata.name, _DELETED if event.type == "DELETED" else metadata.resource_version))
        self._came.set()


_DELETED = "deleted"
"""Stands for the resourceVersion of an object's end, which its answer does not tell."""
