"""The conformance kit, held against the add-on."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from kamaji_addon_coredns import CoreDNS
from kamaji_core.testing import AddonContract, AddonUnderTest


class CoreDNSUnderTest(AddonUnderTest):
    """What the kit cannot know of it."""

    ADDON = CoreDNS
    ENTRY = "kamaji_addon_coredns"
    EXTRA = False
    OTHER: ClassVar[tuple[dict[str, Any], ...]] = ({"imageRepository": "registry.example", "imageTag": "v2"},)
    REFUSED: ClassVar[tuple[dict[str, Any], ...]] = ({"imageTag": 1},)
    TAKEN_OVER: ClassVar[dict[str, Any]] = {
        "spec.template.spec.affinity": {"nodeAffinity": {}},
        "spec.template.spec.containers[name=coredns].resources": {"requests": {"cpu": "1"}},
        "spec.template.spec.nodeSelector": {"disk": "fast"},
    }


@pytest.mark.real
class TestCoreDNS(AddonContract):
    """All that the contract promises."""

    UNDER_TEST = CoreDNSUnderTest
