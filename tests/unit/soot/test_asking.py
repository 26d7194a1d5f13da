"""Of many requests that fail, the same one is told of each time."""

from __future__ import annotations

import asyncio

import pytest

from kamaji_core.kube import ForbiddenError
from kamaji_core.soot.asking import together


async def refused(what: str, seconds: float) -> None:
    """A request that fails after a time."""
    await asyncio.sleep(seconds)
    raise ForbiddenError(what, status=403)


@pytest.mark.parametrize("seconds", [(0.0, 0.02), (0.02, 0.0)])
async def test_the_first_in_order_is_raised(seconds: tuple[float, float]) -> None:
    """Otherwise a tenant's condition would change with each try, and each time be written."""
    first, second = seconds
    with pytest.raises(ForbiddenError, match="list a"):
        await together([refused("list a", first), refused("list b", second)])


async def test_a_mistake_ends_the_others() -> None:
    """What is no answer of a server is not waited for."""

    async def mistake() -> None:
        raise KeyError("x")

    async with asyncio.timeout(1):
        with pytest.raises(ExceptionGroup):
            await together([mistake(), refused("list a", 60)])
