"""A stranger's add-on that wants whatever objects a test gives it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from kamaji_core.contracts import Addon, TenantObject

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class NoSettings(msgspec.Struct, frozen=True):
    """It has none."""


class Stranger(Addon):
    """Wants the objects of some manifests.

    Args:
        manifests: what it wants; may be changed.
        name: what it is called.
    """

    NAME: ClassVar[str] = "stranger"
    SPEC_KEY: ClassVar[str] = "stranger"
    API_VERSION: ClassVar[tuple[int, int]] = (0, 1)
    CONFIG: ClassVar[type[msgspec.Struct]] = NoSettings
    STATUS: ClassVar[type[msgspec.Struct]] = NoSettings

    def __init__(self, *manifests: Any) -> None:
        self.manifests = list(manifests)

    def config(self, spec: Mapping[str, Any]) -> NoSettings | None:
        """On when the specification names it."""
        return NoSettings() if "stranger" in (spec.get("extra") or {}) else None

    def tenant_objects(self, *_: object) -> Sequence[TenantObject]:
        """All of them, none watched."""
        return [TenantObject(manifest=one) for one in self.manifests]

    def status(self, *_: object) -> NoSettings:
        """Say that it is on."""
        return NoSettings()
