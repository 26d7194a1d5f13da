"""A server that refuses watches with 500 or 429 is asked less and less often and followed again once it is well."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from kamaji_core.testing import Refuse

if TYPE_CHECKING:
    from collections.abc import Callable

    from kamaji_core.testing import FaultProxy

pytestmark = pytest.mark.real


@pytest.mark.parametrize(
    "fault", [Refuse(500, "InternalError"), Refuse(429, "TooManyRequests", retry_after=1)], ids=str
)
async def test_followed_again_once_it_is_well(
    follow: Callable[..., Any], fault_proxy: FaultProxy, told: Callable[..., None], fault: Refuse
) -> None:
    """Five refusals cost less than three requests a second; afterwards everything is known."""
    rule = fault_proxy.add(fault, verbs={"watch"}, times=5)
    began = time.monotonic()
    async with follow() as followed:
        await fault_proxy.until(lambda: rule.hits == 5)
        rate = fault_proxy.count() / (time.monotonic() - began)
        await followed.write(a="2", b=None, d="1")
        healing = await followed.knows({"a": "2", "c": "1", "d": "1"})
    told(requests_per_second=rate, healing_seconds=healing)
    assert rate < 5  # jitter allows for seven in the first second and a half
    assert healing < 16


async def test_a_first_list_that_fails(
    follow: Callable[..., Any], fault_proxy: FaultProxy, told: Callable[..., None]
) -> None:
    """Nothing counts as known until a list has succeeded."""
    rule = fault_proxy.add(Refuse(500, "InternalError"), verbs={"list"}, times=3)
    async with follow() as followed:
        assert rule.hits == 3
        assert followed.known == {"a": "1", "b": "1", "c": "1"}
