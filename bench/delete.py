"""Measuring the deletion of a whole fleet, and what it leaves behind."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import msgspec

from bench import storage
from bench.change import REPLICA_SETS
from bench.concurrency import at_most
from bench.figures import spread
from bench.fleet import NAMESPACE
from bench.results import DeleteResult
from bench.timeline import GONE
from kamaji_core.kube import CONFIG_MAPS, DEPLOYMENTS, PODS, SECRETS, SERVICES
from kamaji_core.tenancy import TENANT_CONTROL_PLANES

if TYPE_CHECKING:
    from bench.testbed import Testbed

DELETES_AT_A_TIME = 8
_KINDS = (TENANT_CONTROL_PLANES, DEPLOYMENTS, REPLICA_SETS, PODS, SERVICES, SECRETS, CONFIG_MAPS)
_EVERY_NAMESPACES_OWN = frozenset({"kube-root-ca.crt"})
_COLLECTION_LIMIT = 60.0
"""The garbage collector may need so long for what tenants owned."""
_POLL = 0.5


async def delete(bed: Testbed) -> DeleteResult:
    """Delete the fleet and wait until it is gone; what stays is told, not an error."""
    names, observer = bed.options.fleet.names, bed.observer
    bed.say(f"Deleting {len(names)} tenants.")
    mark = bed.meter.mark()
    timeline = observer.begin()

    async def remove(name: str) -> None:
        await bed.client.delete(TENANT_CONTROL_PLANES, name, NAMESPACE)

    await at_most(DELETES_AT_A_TIME, remove, names)
    await observer.until(lambda: not observer.tenants, bed.options.limit)
    pods_gone = await observer.until(lambda: not observer.pods, bed.options.limit)
    pods_gone_after = time.monotonic() - timeline.began
    left = await _left_objects(bed)
    return DeleteResult(
        gone=spread(timeline.at(GONE).values()),
        pods_gone_after=pods_gone_after if pods_gone else None,
        window=bed.meter.window(mark),
        left_at_store=storage.growth(bed.store_before, await asyncio.to_thread(bed.store.content)),
        left_objects=left,
    )


async def _left_objects(bed: Testbed) -> dict[str, int]:
    """What is in the namespace once nothing is, or once the garbage collector had its time."""
    deadline = time.monotonic() + _COLLECTION_LIMIT
    while True:
        left = await _objects(bed)
        if not left or time.monotonic() > deadline:
            return left
        await asyncio.sleep(_POLL)


async def _objects(bed: Testbed) -> dict[str, int]:
    found: dict[str, int] = {}
    for resource in _KINDS:
        listing = await bed.client.list(resource, NAMESPACE)
        names = {msgspec.json.decode(item)["metadata"]["name"] for item in listing.items}
        if count := len(names - _EVERY_NAMESPACES_OWN):
            found[resource.kind] = count
    return found
