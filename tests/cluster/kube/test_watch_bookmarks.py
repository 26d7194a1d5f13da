"""A bookmark moves the position and is no change: what did not concern us need not be listed again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kamaji_core.kube import CONFIG_MAPS
from kamaji_core.testing import ShortWatch

if TYPE_CHECKING:
    from collections.abc import Callable

    from kamaji_core.kube import KubeClient
    from kamaji_core.testing import FaultProxy

pytestmark = pytest.mark.real


async def test_a_bookmark_moves_the_position(
    follow: Callable[..., Any], fault_proxy: FaultProxy, client: KubeClient, told: Callable[..., None]
) -> None:
    """With writes elsewhere only, the next watch begins behind them, without a list and without a change reported."""
    rule = fault_proxy.add(ShortWatch(4), verbs={"watch"}, times=1)
    async with follow() as followed:
        await fault_proxy.until(lambda: rule.hits == 1)
        first = int(followed.informer.store.position)
        elsewhere = {"metadata": {"namespace": "default", "name": "elsewhere"}, "data": {"v": "1"}}
        written = await client.apply(CONFIG_MAPS, elsewhere)
        before = list(followed.changes)
        await fault_proxy.until(lambda: fault_proxy.count(verbs={"watch"}) == 2)
        position = int(followed.informer.store.position)
        assert followed.changes == before
        assert first < int(written["metadata"]["resourceVersion"]) <= position
        await followed.write(a="2")
        healing = await followed.knows({"a": "2", "b": "1", "c": "1"})
        await client.delete(CONFIG_MAPS, "elsewhere", "default")
    told(healing_seconds=healing)
    assert fault_proxy.count(verbs={"list"}) == 1
