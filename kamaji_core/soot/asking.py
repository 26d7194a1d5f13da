"""How a tenant's API server is asked: what tells our objects from others, how much at a time, whose a refusal is."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from kamaji_core.api import labels as wire

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from kamaji_core.kube import ApiError

A = TypeVar("A")
T = TypeVar("T")

OURS = f"{wire.PROJECT_LABEL}={wire.PROJECT}"
"""Selects them."""

_NO_ANSWER = 0
_UNAUTHORIZED = 401


def is_about_the_object(error: ApiError) -> bool:
    """Whether the server answered about one object, by a webhook of the tenant's for instance; others may go well."""
    return error.status not in {_NO_ANSWER, _UNAUTHORIZED}


async def together(call: Callable[[A], Awaitable[T]], about: Iterable[A], *, at_once: int) -> list[T]:
    """Make a call about each, so many at a time, and give what they give.

    Of those that fail, the first in order is raised when all have ended, not the first in time: what is told of a
    server that refuses everything is then the same each time.
    """
    turns = asyncio.Semaphore(at_once)

    async def in_turn(one: A) -> T:
        async with turns:
            return await call(one)

    results = await asyncio.gather(*map(in_turn, about), return_exceptions=True)
    done: list[T] = []
    for result in results:
        if isinstance(result, BaseException):
            raise result
        done.append(result)
    return done
