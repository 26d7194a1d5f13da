"""One edit inside a tenant's cluster, and when the object was as wanted again, over a connection of the bench's own."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from bench.inside.edits import Edit, is_as_wanted, patch
from bench.inside.results import Healing
from kamaji_core.kube import ApiError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from kamaji_core.kube import KubeClient, WatchEvent
    from kamaji_core.soot.kinds import Kinds
    from kamaji_core.soot.wanted import Wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Editor:
    """Edits one tenant's objects.

    Args:
        tenant: its name.
        client: of its cluster, as its administrator.
        kinds: where its kinds are served.
    """

    tenant: str
    client: KubeClient
    kinds: Kinds

    async def edit(self, wanted: Wanted, edit: Edit, limit: float) -> Healing:
        """Edit an object and wait until it is as wanted again.

        The clock starts before the edit is sent and stops when a watch shows the object as wanted; what it showed
        before the edit does not count.

        Args:
            wanted: the object.
            edit: what to do to it.
            limit: seconds to wait.

        Raises:
            ApiError: when the edit is refused.
        """
        key = wanted.key
        resource = await self.kinds.resource(key.api_version, key.kind)
        live = await self.client.get(resource, key.name, key.namespace or None)
        events = self.client.watch(
            resource,
            key.namespace or None,
            resource_version=live["metadata"]["resourceVersion"],
            field_selector=f"metadata.name={key.name}",
        )
        watching = asyncio.create_task(_healed_at(events, wanted))
        began = time.monotonic()
        seconds = None
        try:
            if edit is Edit.DELETE:
                await self.client.delete(resource, key.name, key.namespace or None)
            else:
                await self.client.merge_patch(resource, key.name, patch(wanted, edit), key.namespace or None)
            with contextlib.suppress(TimeoutError, ApiError):
                async with asyncio.timeout(limit):
                    seconds = await watching - began
        finally:
            watching.cancel()
        return Healing(tenant=self.tenant, kind=key.kind, object=str(key), edit=str(edit), seconds=seconds)


async def _healed_at(events: AsyncGenerator[WatchEvent, None], wanted: Wanted) -> float:
    """Wait for the first event that shows the object as wanted after one that does not; gives when that was."""
    broken = False
    async with contextlib.aclosing(events):
        async for event in events:
            if event.type == "BOOKMARK":
                continue
            good = event.type != "DELETED" and is_as_wanted(wanted, msgspec.json.decode(event.object))
            if good and broken:
                return time.monotonic()
            broken = broken or not good
    raise TimeoutError  # the server ended the watch after minutes
