"""Knowing all Secrets without having their data sent at every change, or kept.

A watch of Secrets sends the whole data with each event, of labels that changed too, and again for each object whenever
it begins anew. Here the data comes once with the list and is reduced page by page; the watch carries metadata alone,
and only for a resourceVersion that is new the data is read, by name.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar, Never, TypeVar

import msgspec

from kamaji_core.kube.errors import ApiError, ConfigError, NotFoundError
from kamaji_core.kube.informer import Informer
from kamaji_core.kube.queue import WorkQueue
from kamaji_core.kube.store import Key, is_newer

if TYPE_CHECKING:
    from collections.abc import Callable

    from kamaji_core.kube.client import KubeClient
    from kamaji_core.kube.resources import Resource

T = TypeVar("T")


class SecretInformer(Informer[T]):
    """An `Informer` whose watch carries metadata alone; used as that is.

    A change is known one read later than the watch tells of it; a deletion at once. Until a changed object is read, and
    when its new state cannot be decoded, its last state stays.

    Args:
        client: of the cluster.
        resource: what to follow; meant for Secrets, good for any kind.
        decode: makes what is stored of an object's JSON; the JSON, and with it the data, is dropped.
        on_change: told of each difference.
        label_selector: which objects; those handed to `put` must fit it too.
        field_selector: which objects.
        namespace: None for all.
        idle: seconds of silence after which a watch counts as dead.
        readers: objects read at a time.
    """

    _watches_metadata: ClassVar = True

    def __init__(
        self,
        client: KubeClient,
        resource: Resource,
        *,
        decode: Callable[[msgspec.Raw], T],
        on_change: Callable[[Key, T | None, T | None], None],
        label_selector: str = "",
        field_selector: str = "",
        namespace: str | None = None,
        idle: float = 150.0,
        readers: int = 4,
    ) -> None:
        super().__init__(
            client,
            resource,
            decode=decode,
            on_change=on_change,
            label_selector=label_selector,
            field_selector=field_selector,
            namespace=namespace,
            idle=idle,
        )
        self._readers = readers
        self._wanted: dict[Key, str] = {}  # the newest resourceVersion that the watch told of, until it is read
        self._reads: WorkQueue[Key] = WorkQueue()

    async def run(self) -> Never:
        """Follow the objects until cancelled; failures are logged and tried again."""
        # What an earlier run left unread comes with the list that each run begins with.
        self._wanted.clear()
        self._reads = WorkQueue(longest_retry=_LONGEST_RETRY)
        async with asyncio.TaskGroup() as group:
            for _ in range(self._readers):
                group.create_task(self._keep_reading())
            await super().run()

    async def _list(self) -> None:
        await super()._list()
        self._wanted.clear()  # the list is newer than what any event told before it

    def _take_state(self, key: Key, version: str, raw: msgspec.Raw) -> None:
        del raw
        if not self._is_known(key, version):
            self._wanted[key] = version
            self._reads.add(key)

    def _take_deletion(self, key: Key, version: str) -> None:
        self._wanted.pop(key, None)
        super()._take_deletion(key, version)

    def _take_answer(self, key: Key, version: str, raw: msgspec.Raw) -> None:
        # An object that the watch told of and nobody has read yet is not one that is missing because it was deleted.
        if key not in self._wanted or not self._take_read(key, raw):
            super()._take_answer(key, version, raw)

    def _is_known(self, key: Key, version: str) -> bool:
        known = self._store.version(key)
        return known == version or is_newer(known, version)

    async def _keep_reading(self) -> None:
        while True:
            key = await self._reads.get()
            try:
                settled = await self._read(key)
            except (ApiError, ConfigError) as error:
                settled = False
                self._log.warning("cannot read what changed", namespace=key[0], name=key[1], error=str(error))
            finally:
                self._reads.done(key)
            if settled:
                self._reads.forget(key)
            else:
                self._reads.retry(key)

    async def _read(self, key: Key) -> bool:
        """Read one object if that is still wanted, and tell whether nothing more is."""
        wanted, known = self._wanted.get(key), self._store.version(key)
        if wanted is None or self._is_known(key, wanted):
            self._wanted.pop(key, None)
            return True
        namespace, name = key
        try:
            raw = await self._client.get(self.resource, name, namespace or None, type=msgspec.Raw)
        except NotFoundError:
            return self._take_absence(key, wanted, known)
        return self._take_read(key, raw)

    def _take_absence(self, key: Key, wanted: str, known: str | None) -> bool:
        # Unless an event or an own write told of a newer incarnation while the answer was on its way.
        if self._wanted.get(key) == wanted:
            del self._wanted[key]
            if self._store.version(key) == known:
                self._store.drop(key)
        return key not in self._wanted

    def _take_read(self, key: Key, raw: msgspec.Raw) -> bool:
        wanted = self._wanted.get(key)
        if wanted is None or (place := self._place(raw)) is None:
            return True  # deleted, or listed, while the answer was on its way
        version = place[1]
        if is_newer(wanted, version):
            return False
        del self._wanted[key]
        if (value := self._decoded(key, raw)) is not None:
            self._store.take_read(key, version, value)
        return True


_LONGEST_RETRY = 30.0
