"""A watch that is refused with 410 leads to a list, also when that happens again and again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kamaji_core.testing import Refuse

if TYPE_CHECKING:
    from collections.abc import Callable

    from kamaji_core.testing import FaultProxy

pytestmark = pytest.mark.real


async def test_a_deletion_meanwhile_is_found(
    follow: Callable[..., Any], fault_proxy: FaultProxy, told: Callable[..., None]
) -> None:
    """An informer that was cut off and comes back to a server that forgot its position knows what was deleted."""
    async with follow() as followed:
        await fault_proxy.until(lambda: fault_proxy.count(verbs={"watch"}) == 1)
        rule = fault_proxy.add(Refuse(410, "Expired"), verbs={"watch"}, times=2)
        assert fault_proxy.cut(verbs={"watch"}) == 1
        await followed.write(a="2", b=None, d="1")
        healing = await followed.knows({"a": "2", "c": "1", "d": "1"})
        await fault_proxy.until(lambda: fault_proxy.count(verbs={"watch"}) == 4)
        await followed.write(d="2")
        await followed.knows({"a": "2", "c": "1", "d": "2"})
    told(healing_seconds=healing)
    assert rule.hits == 2
    assert fault_proxy.count(verbs={"list"}) == 3
    assert healing < 5
