"""Objects kept as bytes: a Deployment takes 9 KiB as JSON and 38 KiB as dictionaries, for as long as it is cached.

Whoever looks at one unpacks it, which takes some 60 microseconds and happens once a pass.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from kamaji_core.kube.compare import keep_own_managed_fields
from kamaji_core.kube.store import Key


def pack(raw: msgspec.Raw, *, manager: str) -> bytes:
    """Give an object without the other managers' entries in `metadata.managedFields`, for a cache.

    Args:
        raw: its JSON.
        manager: ours.
    """
    return msgspec.json.encode(keep_own_managed_fields(msgspec.json.decode(raw), manager))


class Unpacked(Mapping[Key, dict[str, Any]]):
    """A view of packed objects that gives each as it is asked for, anew each time.

    Args:
        packed: JSON by namespace and name.
    """

    def __init__(self, packed: Mapping[Key, bytes]) -> None:
        self._packed = packed

    def __getitem__(self, key: Key) -> dict[str, Any]:
        return dict(msgspec.json.decode(self._packed[key]))

    def __iter__(self) -> Iterator[Key]:
        return iter(self._packed)

    def __len__(self) -> int:
        return len(self._packed)

    def __contains__(self, key: object) -> bool:
        return key in self._packed  # without unpacking it
