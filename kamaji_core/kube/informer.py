"""Knowing all objects of a kind, at all times: list, then watch, and list again where the watch lost the thread.

A watch may end in many ways (410 in two forms, a cut connection, silence, a server that closes without a word). All of
them lead back to a list whose differences are reported, deletions too, or to a new watch from the last position; never
to a loop without pauses.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Never, TypeVar

import msgspec
import structlog

from kamaji_core.kube.backoff import Backoff
from kamaji_core.kube.errors import ApiError, ConfigError, GoneError, UnreachableError
from kamaji_core.kube.store import Key, Store

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

    from kamaji_core.kube.answers import WatchEvent
    from kamaji_core.kube.client import KubeClient
    from kamaji_core.kube.resources import Resource

T = TypeVar("T")

log = structlog.get_logger()


class Informer(Generic[T]):
    """Keeps the objects of one kind and reports each change.

    `on_change` is called with the key, the state before (None when new) and the state after (None when gone); it must
    be quick and is meant to add to a queue. If it raises, that is logged.

    Args:
        client: of the cluster.
        resource: what to follow.
        decode: makes what is stored of an object's JSON; the JSON is dropped.
        on_change: told of each difference.
        label_selector: which objects; those handed to `put` must fit it too.
        field_selector: which objects.
        namespace: None for all.
        idle: seconds of silence after which a watch counts as dead; bookmarks come about once a minute.
        metadata_only: have the server leave out all but the metadata.
    """

    _watches_metadata: ClassVar = False

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
        metadata_only: bool = False,
    ) -> None:
        self.resource = resource
        self.synced = asyncio.Event()
        self._client = client
        self._decode = decode
        self._on_change = on_change
        self._label_selector = label_selector
        self._field_selector = field_selector
        self._namespace = namespace
        self._idle = idle
        self._metadata_only = metadata_only
        self._store: Store[T] = Store(self._report)
        self._backoff = Backoff(first=_FIRST_PAUSE, longest=_LONGEST_PAUSE)
        self._fruitless = 0
        self._log = log.bind(resource=resource.plural)

    @property
    def store(self) -> Mapping[Key, T]:
        """What is known; complete once `synced` is set, and current as long as `run` runs."""
        return self._store

    async def run(self) -> Never:
        """Follow the objects until cancelled; failures are logged and tried again."""
        listed = False
        while True:
            at_least = 0.0
            try:
                if not listed:
                    await self._list()
                    listed = True
                await self._watch()
            except GoneError:
                self._log.info("the position is no longer kept: listing anew")
                listed = False
            except (ApiError, ConfigError) as error:
                self._log.warning("cannot follow", error=str(error))
                at_least = getattr(error, "retry_after", None) or 0.0
            # Several answered and yet fruitless watches: the position may be why, and the server does not say so.
            if self._fruitless >= _FRUITLESS_BEFORE_LIST:
                listed, self._fruitless = False, 0
            await asyncio.sleep(max(at_least, self._backoff.next()))

    def put(self, obj: dict[str, Any]) -> None:
        """Fold in the server's answer to an own write, so that the next pass sees what was just written.

        Taken only when its resourceVersion is newer than what is known; the watch tells of it once more, which then is
        no change.
        """
        raw = msgspec.Raw(msgspec.json.encode(obj))
        if (place := self._place(raw)) is None:
            return
        self._take_answer(*place, raw)

    async def _list(self) -> None:
        listed: dict[Key, tuple[str, T]] = {}
        kept: set[Key] = set()
        position = ""
        self._store.begin_list()
        async with contextlib.aclosing(
            self._client.pages(
                self.resource,
                self._namespace,
                label_selector=self._label_selector,
                field_selector=self._field_selector,
                metadata_only=self._metadata_only,
            )
        ) as pages:
            async for page in pages:
                position = page.resource_version
                for raw in page.items:
                    self._take_listed(raw, listed, kept)
        self._store.replace(listed, kept, position)
        if not self.synced.is_set():
            self._log.debug("synced", objects=len(self._store))
            self.synced.set()

    def _take_listed(self, raw: msgspec.Raw, listed: dict[Key, tuple[str, T]], kept: set[Key]) -> None:
        if (place := self._place(raw)) is None:
            return
        key, version = place
        # What is known in this version already is not decoded again: a list after an outage is mostly that.
        if self._store.version(key) == version or (value := self._decoded(key, raw)) is None:
            kept.add(key)
        else:
            listed[key] = (version, value)

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        # Counted before the answer, taken back where there was none: a server that is down says nothing of a position.
        self._fruitless += 1
        try:
            async with contextlib.aclosing(self._events()) as events:
                async for event in events:
                    self._take(event)
                    self._fruitless = 0
                    if loop.time() - began >= _HEALTHY_SECONDS:
                        self._backoff.reset()
        except UnreachableError:
            self._fruitless = 0
            raise

    def _events(self) -> AsyncGenerator[WatchEvent, None]:
        return self._client.watch(
            self.resource,
            self._namespace,
            resource_version=self._store.position,
            label_selector=self._label_selector,
            field_selector=self._field_selector,
            idle=self._idle,
            metadata_only=self._metadata_only or self._watches_metadata,
        )

    def _take(self, event: WatchEvent) -> None:
        if (place := self._place(event.object)) is None:
            return
        key, version = place
        if event.type == "DELETED":
            self._take_deletion(key, version)
        elif event.type != "BOOKMARK":
            self._take_state(key, version, event.object)
        self._store.advance(version)

    def _take_deletion(self, key: Key, version: str) -> None:
        self._store.observe(key, version, None)

    def _take_state(self, key: Key, version: str, raw: msgspec.Raw) -> None:
        if (value := self._decoded(key, raw)) is not None:
            self._store.observe(key, version, value)

    def _take_answer(self, key: Key, version: str, raw: msgspec.Raw) -> None:
        if (value := self._decoded(key, raw)) is not None:
            self._store.fold_in(key, version, value)

    def _place(self, raw: msgspec.Raw) -> tuple[Key, str] | None:
        """Read an object's key and resourceVersion."""
        try:
            metadata = msgspec.json.decode(raw, type=_Identity).metadata
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            self._log.error("left out an object without readable metadata", error=str(error))
            return None
        return (metadata.namespace, metadata.name), metadata.resource_version

    def _decoded(self, key: Key, raw: msgspec.Raw) -> T | None:
        try:
            return self._decode(raw)
        except Exception as error:  # noqa: BLE001 - one odd object must not stop the others
            # msgspec names the field; the words of other errors may quote a Secret.
            told = str(error) if isinstance(error, msgspec.MsgspecError) else ""
            self._log.error(
                "left out an object that cannot be decoded: correct it",
                namespace=key[0],
                name=key[1],
                error=f"{type(error).__name__}: {told}".removesuffix(": "),
            )
            return None

    def _report(self, key: Key, before: T | None, after: T | None) -> None:
        try:
            self._on_change(key, before, after)
        except Exception:  # noqa: BLE001 - the informer's life must not hang on who listens
            self._log.exception("reporting a change failed", namespace=key[0], name=key[1])


class _Metadata(msgspec.Struct):
    name: str = ""
    namespace: str = ""
    resource_version: str = msgspec.field(default="", name="resourceVersion")


class _Identity(msgspec.Struct):
    metadata: _Metadata


_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 15.0
_HEALTHY_SECONDS = 5.0
"""A watch that lived so long was none of those that a server closes at once."""
_FRUITLESS_BEFORE_LIST = 3
