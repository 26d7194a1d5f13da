"""An ERROR event that says 410 leads to a list whose differences are found, deletions too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kamaji_core.testing import ErrorEvent

if TYPE_CHECKING:
    from collections.abc import Callable

    from kamaji_core.testing import FaultProxy

pytestmark = pytest.mark.real


@pytest.mark.parametrize("reason", ["Expired", "Gone"])
async def test_what_the_error_hid_is_found(
    follow: Callable[..., Any], fault_proxy: FaultProxy, told: Callable[..., None], reason: str
) -> None:
    """The event whose place the error took, and those behind it, are known from the list."""
    rule = fault_proxy.add(ErrorEvent(1, 410, reason), verbs={"watch"}, times=1)
    async with follow() as followed:
        await fault_proxy.until(lambda: rule.hits == 1)
        await followed.write(a="2", b=None, d="1", c="2")
        healing = await followed.knows({"a": "2", "c": "2", "d": "1"})
    told(healing_seconds=healing)
    assert fault_proxy.count(verbs={"list"}) == 2
    assert healing < 5


async def test_another_error_in_the_stream_costs_no_list(
    follow: Callable[..., Any], fault_proxy: FaultProxy, told: Callable[..., None]
) -> None:
    """After an ERROR event of a failing server the watch goes on from its last event."""
    rule = fault_proxy.add(ErrorEvent(1, 500, "InternalError"), verbs={"watch"}, times=1)
    async with follow() as followed:
        await fault_proxy.until(lambda: rule.hits == 1)
        await followed.write(a="2", b=None)
        healing = await followed.knows({"a": "2", "c": "1"})
    told(healing_seconds=healing)
    assert fault_proxy.count(verbs={"list"}) == 1
