"""Object metadata, as far as we read it.

It is decoded from what the API server answers and so has no schema of its own: the server knows `metadata` already.
"""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from kamaji_core.api.model import Model


class OwnerReference(Model, frozen=True, kw_only=True):
    """Whom an object belongs to."""

    api_version: str
    kind: str
    name: str
    uid: str
    controller: bool = False


class ObjectMeta(Model, frozen=True, kw_only=True):
    """Metadata of one object.

    `generation` counts changes of the specification; 0 in an object that no API server has seen. Times are UTC.
    """

    name: str
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: datetime | None = None
    deletion_timestamp: datetime | None = None
    finalizers: tuple[str, ...] = ()
    labels: Mapping[str, str] = msgspec.field(default_factory=dict)
    annotations: Mapping[str, str] = msgspec.field(default_factory=dict)
    owner_references: tuple[OwnerReference, ...] = ()
