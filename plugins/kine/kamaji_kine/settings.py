"""What a DataStore's user may choose of kine, the same for every driver that stands on it.

A driver embeds `KineConfig` in its own settings, as the field `kine`, so that the image and the resources are set at
one place whatever the store is.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

IMAGE = "docker.io/rancher/kine:v0.17.5"
"""Tested with the drivers of this repository; the tag without an architecture serves amd64 and arm64."""

_QUANTITY = re.compile(r"\d+(\.\d+)?(m|k|Ki|[MGTPE]i?)?")
_RESOURCES = ("cpu", "memory", "ephemeral-storage")


class KineConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings under `spec.config.kine` of a DataStore.

    Args:
        image: complete reference.
        requests: what the container is given, by resource.
        limits: what it may take; none by default, since one that is too small ends kine in the middle of a large list.
    """

    image: str = IMAGE
    requests: dict[str, str] = msgspec.field(default_factory=lambda: {"cpu": "10m", "memory": "40Mi"})
    limits: dict[str, str] = msgspec.field(default_factory=dict)


def kine_problems(config: KineConfig, *, field: str = "spec.config.kine") -> Iterator[str]:
    """Tell what is wrong with the settings, a sentence each, for a driver's `validate`.

    Args:
        config: the settings.
        field: their path in the DataStore.
    """
    if not config.image.strip() or any(character.isspace() for character in config.image):
        yield f"{field}.image is {config.image!r}: write a complete image reference such as {IMAGE}."
    yield from _quantity_problems(config.requests, field=f"{field}.requests")
    yield from _quantity_problems(config.limits, field=f"{field}.limits")


def _quantity_problems(quantities: Mapping[str, str], *, field: str) -> Iterator[str]:
    for name, quantity in quantities.items():
        if name not in _RESOURCES:
            yield f"{field} has {name!r}: name one of {', '.join(_RESOURCES)}."
        elif not _QUANTITY.fullmatch(quantity):
            yield f"{field}.{name} is {quantity!r}: write a quantity such as 10m for cpu or 40Mi for memory."
