"""A server that ends every watch at once is asked less and less often, and nothing that happens is missed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from kamaji_core.testing import CloseAtOnce

if TYPE_CHECKING:
    from collections.abc import Callable

    from kamaji_core.testing import FaultProxy

pytestmark = pytest.mark.real

WATCHES = 6


async def test_requests_are_bounded_and_changes_found(
    follow: Callable[..., Any], fault_proxy: FaultProxy, told: Callable[..., None]
) -> None:
    """Six watches closed at once cost less than three requests a second, and lists find what happened meanwhile."""
    rule = fault_proxy.add(CloseAtOnce(), verbs={"watch"})
    began = time.monotonic()
    async with follow() as followed:
        await followed.write(a="2", b=None, d="1")
        await fault_proxy.until(lambda: rule.hits >= WATCHES)
        rate = fault_proxy.count() / (time.monotonic() - began)
        during = await followed.knows({"a": "2", "c": "1", "d": "1"})
        fault_proxy.remove(rule)
        await followed.write(a="3", c=None)
        healing = await followed.knows({"a": "3", "d": "1"})
    told(requests_per_second=rate, known_during_the_fault_seconds=during, healing_seconds=healing)
    assert rate < 3
    assert healing < 16


async def test_the_pauses_grow(follow: Callable[..., Any], fault_proxy: FaultProxy, told: Callable[..., None]) -> None:
    """From the fourth watch to the seventh it takes seconds, whatever the lists between them find."""
    rule = fault_proxy.add(CloseAtOnce(), verbs={"watch"})
    async with follow():
        await fault_proxy.until(lambda: rule.hits >= WATCHES - 2)
        began = time.monotonic()
        await fault_proxy.until(lambda: rule.hits >= WATCHES)
        rate = 2 / (time.monotonic() - began)
    told(watches_per_second=rate)
    assert rate < 1.5
