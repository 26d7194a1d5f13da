"""The conformance kit, held against the add-on."""

from __future__ import annotations

from typing import Any, ClassVar

from kamaji_addon_hello import Hello
from kamaji_core.testing import AddonContract, AddonUnderTest


class HelloUnderTest(AddonUnderTest):
    """What the kit cannot know of it."""

    ADDON = Hello
    ENTRY = "kamaji_addon_hello"
    OTHER: ClassVar[tuple[dict[str, Any], ...]] = ({"greeting": "Good morning", "readable": False},)
    REFUSED: ClassVar[tuple[dict[str, Any], ...]] = ({"greeting": " "}, {"greeting": 1}, {"readable": "yes"})


class TestHello(AddonContract):
    """All that the contract promises."""

    UNDER_TEST = HelloUnderTest
