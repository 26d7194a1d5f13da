"""A connection that is reset within an event loses nothing: the watch goes on after the last whole event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kamaji_core.testing import Cut

if TYPE_CHECKING:
    from collections.abc import Callable

    from kamaji_core.testing import FaultProxy

pytestmark = pytest.mark.real


@pytest.mark.parametrize("whole", [0, 1, 2])
async def test_half_an_event_is_none(
    follow: Callable[..., Any], fault_proxy: FaultProxy, told: Callable[..., None], whole: int
) -> None:
    """After so many whole events and half of one, the others come with the next watch, each once, without a list."""
    rule = fault_proxy.add(Cut(whole), verbs={"watch"}, times=1)
    async with follow() as followed:
        await fault_proxy.until(lambda: rule.hits == 1)
        followed.changes.clear()
        await followed.write(a="2", b=None, d="1")
        healing = await followed.knows({"a": "2", "c": "1", "d": "1"})
        changes = followed.changes[:]
        followed.changes.clear()
    told(healing_seconds=healing)
    assert changes == [("a", "1", "2"), ("b", "1", None), ("d", None, "1")]
    assert fault_proxy.count(verbs={"list"}) == 1
    assert healing < 5


async def test_cut_again_and_again(
    follow: Callable[..., Any], fault_proxy: FaultProxy, told: Callable[..., None]
) -> None:
    """Even when each watch dies within its second event, all events are known in the end."""
    rule = fault_proxy.add(Cut(1), verbs={"watch"}, times=4)
    async with follow() as followed:
        await fault_proxy.until(lambda: rule.hits == 1)
        for number in range(2, 8):
            await followed.write(a=str(number))
        healing = await followed.knows({"a": "7", "b": "1", "c": "1"})
    told(healing_seconds=healing)
    assert fault_proxy.count(verbs={"list"}) == 1
