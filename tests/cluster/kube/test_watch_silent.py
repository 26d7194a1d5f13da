"""A connection that lives and says nothing is left after a while, whoever fell silent: a watch, a list, a write."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kamaji_core.kube import CONFIG_MAPS, KubeClient, UnreachableError
from kamaji_core.testing import Drop, Stall

if TYPE_CHECKING:
    from collections.abc import Callable

    from kamaji_core.testing import FaultProxy

pytestmark = pytest.mark.real

IDLE = 1.5


@pytest.mark.parametrize("passed", [0, 1])
async def test_a_silent_watch_is_left(
    follow: Callable[..., Any], fault_proxy: FaultProxy, told: Callable[..., None], passed: int
) -> None:
    """What happens after a watch fell silent is known within the time that silence is borne for, and a pause."""
    rule = fault_proxy.add(Stall(passed), verbs={"watch"}, times=1)
    async with follow(idle=IDLE) as followed:
        await fault_proxy.until(lambda: rule.hits == 1)
        await followed.write(a="2", b=None, d="1")
        healing = await followed.knows({"a": "2", "c": "1", "d": "1"})
    told(idle_limit_seconds=IDLE, healing_seconds=healing)
    assert fault_proxy.count(verbs={"list"}) == 1
    assert healing < IDLE + 2


@pytest.mark.parametrize("fault", [Drop(), Stall(0)], ids=str)
async def test_a_silent_request_is_given_up(fault_proxy: FaultProxy, fault: Any) -> None:
    """A read that is never answered, or whose answer stops after its head, ends at the client's limit."""
    fault_proxy.add(fault)
    async with KubeClient(fault_proxy.config, timeout=0.5) as client:
        with pytest.raises(UnreachableError, match="within"):
            await client.get(CONFIG_MAPS, "a", "default")
