"""The conformance kit, held against the add-on."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from kamaji_addon_kubeproxy import KubeProxy
from kamaji_core.testing import AddonContract, AddonUnderTest


class KubeProxyUnderTest(AddonUnderTest):
    """What the kit cannot know of it."""

    ADDON = KubeProxy
    ENTRY = "kamaji_addon_kubeproxy"
    EXTRA = False
    OTHER: ClassVar[tuple[dict[str, Any], ...]] = ({"imageRepository": "registry.example", "imageTag": "v2"},)
    REFUSED: ClassVar[tuple[dict[str, Any], ...]] = ({"imageTag": 1},)
    TAKEN_OVER: ClassVar[dict[str, Any]] = {
        "spec.template.spec.tolerations": [{"operator": "Exists", "effect": "NoSchedule"}],
        "spec.template.spec.containers[name=kube-proxy].resources": {"requests": {"cpu": "1"}},
    }


@pytest.mark.real
class TestKubeProxy(AddonContract):
    """All that the contract promises."""

    UNDER_TEST = KubeProxyUnderTest
