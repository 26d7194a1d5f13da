"""Reading what an API server answers: objects, pages of a list, and the lines of a watch.

Objects of lists and watches stay raw JSON until their user decodes the few fields that it needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from kamaji_core.kube.errors import ServerError, error_from_watch

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from kamaji_core.kube.requests import Request

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Listing:
    """Objects as they were at one moment.

    Args:
        items: JSON of each; built-in kinds leave out `apiVersion` and `kind` here. Each keeps its page in memory.
        resource_version: where a watch goes on from.
    """

    items: list[msgspec.Raw]
    resource_version: str


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """One event of a watch.

    Args:
        type: `ADDED`, `MODIFIED`, `DELETED` or `BOOKMARK`.
        object: JSON of the object; of a bookmark it holds the resourceVersion alone.
    """

    type: str
    object: msgspec.Raw


def object_of(request: Request, body: bytes) -> dict[str, Any]:
    """Read one object.

    Raises:
        ServerError: when it is none.
    """
    return _typed(request, body, dict)


def page_of(request: Request, body: bytes) -> tuple[Listing, str]:
    """Read one page and what to ask the next one with, empty after the last.

    Raises:
        ServerError: when it is none.
    """
    page = _typed(request, body, _List)
    return Listing(page.items or [], page.metadata.resource_version), page.metadata.following


def event_of(request: Request, line: bytes) -> WatchEvent:
    """Read one line of a watch.

    Raises:
        ServerError: when it is no event.
        ApiError: the subclass that an ERROR event stands for.
    """
    event = _typed(request, line, _Event)
    if event.type == "ERROR":
        raise error_from_watch(request.what, event.object)
    return WatchEvent(event.type, event.object)


async def lines(chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """Cut a stream into its lines; what stands after the last newline was cut off on the way and is left out."""
    rest = bytearray()
    async for chunk in chunks:
        searched = len(rest)
        rest += chunk
        end = rest.rfind(b"\n", searched)
        if end < 0:
            continue
        whole = bytes(rest[:end])
        del rest[: end + 1]
        for line in whole.split(b"\n"):
            if line:
                yield line


class _ListMetadata(msgspec.Struct):
    resource_version: str = msgspec.field(default="", name="resourceVersion")
    following: str = msgspec.field(default="", name="continue")


class _List(msgspec.Struct):
    metadata: _ListMetadata
    items: list[msgspec.Raw] | None = None


class _Event(msgspec.Struct):
    type: str
    object: msgspec.Raw


def _typed(request: Request, body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        message = "the answer is not what an API server sends"
        # Without its cause, whose words could quote the answer.
        raise ServerError(request.what, reason=type(error).__name__, message=message) from None
