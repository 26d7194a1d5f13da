"""How much of the store a tenant's data takes, at a bounded cost.

etcd tells no sizes without sending the values, and a tenant may have a hundred thousand of them. Kubernetes lays its
keys out as `/<schema>/<resource>/...` and objects of one resource are of similar size, so a few values are read of each
resource and multiplied by its number of keys, which etcd counts from its index. Resources with few objects, and so
small tenants as a whole, are read to the last key and are exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kamaji_core.contracts import Usage

if TYPE_CHECKING:
    from kamaji_datastore_etcd.wire import Page, Wire

SAMPLE = 16
"""Values read of one resource; with etcd's limit of 1.5 MiB for a value, an answer stays below 24 MiB."""

RESOURCES = 256
"""Resources told apart; what comes after them is sampled as one. A new cluster has about 60."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """Keys and bytes of one resource."""

    keys: int
    bytes: int
    exact: bool


async def measure(wire: Wire, start: bytes, end: bytes) -> Usage:
    """Measure the keys of a range, in at most `2 * RESOURCES + 4` requests that no other member is asked for.

    Args:
        wire: the store's methods.
        start: first key of the range, ending in a slash.
        end: first key after it.
    """
    before = await wire.count(start, end)
    parts: list[_Part] = []
    cursor = start
    while len(parts) < RESOURCES:
        first = await wire.page(cursor, end, limit=1, keys_only=True, exact=False)
        if not first.entries:
            break
        resource, cursor = resource_range(first.entries[0][0], start)
        parts.append(_part(await wire.page(resource, cursor, limit=SAMPLE, exact=False)))
    else:
        parts.append(_part(await wire.page(cursor, end, limit=SAMPLE, exact=False)))
    keys = sum(part.keys for part in parts)
    # Parts are read one after another: when keys came or went meanwhile, the sum is of no moment in particular.
    exact = all(part.exact for part in parts) and before == keys == await wire.count(start, end)
    return Usage(keys=keys, bytes=sum(part.bytes for part in parts), exact=exact)


def resource_range(key: bytes, start: bytes) -> tuple[bytes, bytes]:
    """Tell the range of the resource that a key belongs to, within a schema's range that begins at `start`."""
    resource, slash, _ = key[len(start) :].partition(b"/")
    if not slash:
        return key, key + b"\0"
    prefix = start + resource
    return prefix + b"/", prefix + b"0"


def _part(page: Page) -> _Part:
    size = sum(len(key) + len(value) for key, value in page.entries)
    if not page.more:
        return _Part(keys=len(page.entries), bytes=size, exact=True)
    return _Part(keys=page.count, bytes=round(size / len(page.entries) * page.count), exact=False)
