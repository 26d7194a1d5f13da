"""The conformance kit, held against the add-on."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from kamaji_addon_konnectivity import Konnectivity
from kamaji_core.testing import AddonContract, AddonUnderTest


class KonnectivityUnderTest(AddonUnderTest):
    """What the kit cannot know of it."""

    ADDON = Konnectivity
    ENTRY = "kamaji_addon_konnectivity"
    EXTRA = False
    ON: ClassVar[dict[str, Any]] = {"server": {"port": 8132}}
    OTHER: ClassVar[tuple[dict[str, Any], ...]] = (
        {"server": {"port": 8132}, "agent": {"mode": "Deployment", "replicas": 2, "hostNetwork": True}},
        {"server": {"port": 9000, "extraArgs": ["--v=4"], "securityContext": {"runAsNonRoot": True}}},
    )
    REFUSED: ClassVar[tuple[dict[str, Any], ...]] = (
        {"server": {"port": "all"}},
        {"server": {"port": 8133}},
        {"agent": {"mode": "Job"}},
        {"agent": {"replicas": 2}},
        {"agent": {"extraArgs": ["v=4"]}},
    )
    TAKEN_OVER: ClassVar[dict[str, Any]] = {
        "spec.template.spec.containers[name=konnectivity-agent].resources": {"requests": {"cpu": "1"}},
        "spec.template.spec.nodeSelector": {"disk": "fast"},
    }


@pytest.mark.real
class TestKonnectivity(AddonContract):
    """All that the contract promises."""

    UNDER_TEST = KonnectivityUnderTest
