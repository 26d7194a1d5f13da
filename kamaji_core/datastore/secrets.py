"""The Secrets that DataStores refer to: watched by name, since they carry no label of ours.

A rotated login is noticed at once, and a probe reads nothing from the API server. There are as many watches as there
are such Secrets, which is a handful: they belong to stores, not to tenants.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from kamaji_core.certificates import secret_data
from kamaji_core.kube import SECRETS, Informer, Supervisor, UnreachableError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kamaji_core.kube import Key, KubeClient

SYNC_LIMIT_SECONDS = 10.0


@dataclass(slots=True)
class _Watched:
    informer: Informer[dict[str, bytes]]
    stack: contextlib.AsyncExitStack
    readers: set[str] = field(default_factory=set)


class ReferencedSecrets:
    """Content of Secrets, current for as long as a DataStore refers to them.

    Args:
        client: of the management cluster.
        changed: told the name of each DataStore whose Secret has changed since it was read.
    """

    def __init__(self, client: KubeClient, *, changed: Callable[[str], None]) -> None:
        self._client = client
        self._changed = changed
        self._watched: dict[Key, _Watched] = {}

    async def read(self, reader: str, namespace: str, name: str) -> Mapping[str, bytes] | None:
        """Read a Secret's data; None when it does not exist.

        Args:
            reader: name of the DataStore that refers to it.
            namespace: of the Secret.
            name: of the Secret.

        Raises:
            UnreachableError: when the API server does not answer in time.
        """
        key = (namespace, name)
        if key not in self._watched:
            self._watched[key] = await self._watch(key)
        watched = self._watched[key]
        watched.readers.add(reader)
        try:
            async with asyncio.timeout(SYNC_LIMIT_SECONDS):
                await watched.informer.synced.wait()
        except TimeoutError:
            message = f"no answer within {SYNC_LIMIT_SECONDS:.0f} s"
            raise UnreachableError(f"read Secret {namespace}/{name}", reason="Timeout", message=message) from None
        return watched.informer.store.get(key)

    async def keep(self, reader: str, keys: set[Key]) -> None:
        """Forget the Secrets that a DataStore no longer refers to.

        Args:
            reader: name of the DataStore.
            keys: namespace and name of those that it still refers to.
        """
        for key, watched in list(self._watched.items()):
            if reader in watched.readers and key not in keys:
                watched.readers.discard(reader)
                if not watched.readers:
                    del self._watched[key]
                    await watched.stack.aclose()

    async def aclose(self) -> None:
        """End all watches."""
        watched = list(self._watched.values())
        self._watched.clear()
        for one in watched:
            await one.stack.aclose()

    async def _watch(self, key: Key) -> _Watched:
        namespace, name = key
        informer = Informer[dict[str, bytes]](
            self._client,
            SECRETS,
            decode=lambda raw: secret_data(msgspec.json.decode(raw)),
            on_change=lambda _key, _before, _after: self._report(key),
            field_selector=f"metadata.name={name}",
            namespace=namespace,
        )
        stack = contextlib.AsyncExitStack()
        supervisor = await stack.enter_async_context(Supervisor())
        supervisor.start(f"watch Secret {namespace}/{name}", informer.run)
        return _Watched(informer=informer, stack=stack)

    def _report(self, key: Key) -> None:
        watched = self._watched.get(key)
        if watched is None or not watched.informer.synced.is_set():
            return  # the first list: whoever asked for it is waiting
        for reader in watched.readers:
            self._changed(reader)
