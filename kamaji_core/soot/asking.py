"""How a tenant's API server is asked: what tells our objects from others, many requests at once, whose a refusal is."""

from __future__ import annotations

import asyncio
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
    """Await all at once; the first that fails ends the others and is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(call) for call in calls]
    except* (ApiError, NotLeaderError) as errors:
        error: BaseException = errors
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise error from None
    return [task.result() for task in tasks]
