"""Objects kept as bytes: a Deployment takes 9 KiB as JSON and 38 KiB as dictionaries, for as long as it is cached.

Whoever looks at one unpacks it, which takes some 60 microseconds and happens once a pass. Who wants one thing of it
decodes that alone, which takes some five.
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


class Owner(msgspec.Struct):
    """Who an object belongs to."""

    uid: str = ""
    controller: bool | None = None


class Metadata(msgspec.Struct):
    """What a packed object says of itself, as far as somebody asks."""

    uid: str = ""
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    owners: tuple[Owner, ...] | None = msgspec.field(default=None, name="ownerReferences")

    @property
    def controller(self) -> str:
        """UID of the owner that is its controller; empty without one."""
        return next((one.uid for one in self.owners or () if one.controller), "")


class _Named(msgspec.Struct):
    metadata: Metadata


def metadata_of(packed: bytes) -> Metadata:
    """Read the metadata of a packed object alone."""
    return msgspec.json.decode(packed, type=_Named).metadata


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
