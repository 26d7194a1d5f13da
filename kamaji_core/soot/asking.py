"""How a tenant's API server is asked: what tells our objects from others, many requests at once, whose a refusal is."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from kamaji_core.api import labels as wire
from kamaji_core.kube import ApiError, NotLeaderError

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable

T = TypeVar("T")

OURS = f"{wire.PROJECT_LABEL}={wire.PROJECT}"
"""Selects them."""

_NO_ANSWER = 0
_UNAUTHORIZED = 401


def is_about_the_object(error: ApiError) -> bool:
    """Whether the server answered about one object, by a webhook of the tenant's for instance; others may go well."""
    return error.status not in {_NO_ANSWER, _UNAUTHORIZED}


async def together(calls: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Await all at once.

    The first in order that failed is raised when all have ended, not the first in time: what is told of a server that
    refuses everything is then the same each time.
    """
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_ended(call)) for call in calls]
    results = []
    for task in tasks:
        result = task.result()
        if isinstance(result, _Failure):
            raise result.error
        results.append(result)
    return results


@dataclass(frozen=True, slots=True)
class _Failure:
    error: ApiError | NotLeaderError


async def _ended(call: Coroutine[Any, Any, T]) -> T | _Failure:
    try:
        return await call
    except (ApiError, NotLeaderError) as error:
        return _Failure(error)
