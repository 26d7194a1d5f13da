"""Doing the same to many, a few at a time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

T = TypeVar("T")


async def at_most(width: int, work: Callable[[T], Awaitable[None]], items: Iterable[T]) -> None:
    """Do some work for each item, in the items' order; the first failure ends all.

    Args:
        width: how many at a time; 0 for all.
        work: what to do for one.
        items: for which.

    Raises:
        ExceptionGroup: of the failures.
    """
    waiting = list(items)
    turns = asyncio.Semaphore(width or max(len(waiting), 1))

    async def one(item: T) -> None:
        async with turns:
            await work(item)

    async with asyncio.TaskGroup() as group:
        for item in waiting:
            group.create_task(one(item))
