"""What an add-on's author fills in: the add-on, and settings of it in words that the kit cannot guess."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kamaji_core.contracts import Addon

EXTRA = "extra"

Settings = Mapping[str, Any]
"""What stands under an add-on's key."""


class AddonUnderTest:
    """An add-on that is held against the contract; inherit, and set what differs."""

    ADDON: ClassVar[type[Addon]]
    """The add-on."""

    ENTRY: ClassVar[str]
    """The plugin's entry module."""

    EXTRA: ClassVar[bool] = True
    """Whether it is turned on below `spec.addons.extra`, as all are whose field the API does not name."""

    ON: ClassVar[Settings] = {}
    """Settings that turn it on."""

    OTHER: ClassVar[Sequence[Settings]] = ()
    """Further settings that users may have; what each wants besides must go when it is `ON` again."""

    REFUSED: ClassVar[Sequence[Settings]] = ()
    """Settings that cannot be used, beside an unknown field, which the kit tries itself."""

    TAKEN_OVER: ClassVar[Mapping[str, Any]] = {}
    """By path of a yield field, what a user sets there; the kit finds other numbers, texts and shorter lists itself."""

    @property
    def key(self) -> str:
        """The key that turns it on."""
        return self.ADDON.SPEC_KEY

    def spec(self, settings: Settings) -> dict[str, Any]:
        """`spec.addons` with these settings, and no other add-on."""
        return {EXTRA: {self.key: settings}} if self.EXTRA else {self.key: settings}

    @property
    def off(self) -> dict[str, Any]:
        """`spec.addons` in which it is not turned on."""
        return {EXTRA: {}} if self.EXTRA else {}

    @property
    def field(self) -> str:
        """Path of its settings, as sentences name it."""
        return f"spec.addons.{EXTRA}.{self.key}" if self.EXTRA else f"spec.addons.{self.key}"
