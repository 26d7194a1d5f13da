"""A transport that follows a script: faults that a real server shows only once in a year, put in at the seam."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from kamaji_core.kube import ClusterConfig, KubeClient, Request, UnreachableError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence


@dataclass
class Reply:
    """One answer.

    Args:
        status: HTTP status.
        body: what is sent: bytes, seconds of silence, or an error that cuts the connection.
        headers: of the answer.
        delay: seconds before the head.
    """

    status: int = 200
    body: Sequence[bytes | float | Exception] = ()
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0

    async def read(self) -> bytes:
        """See `Answer`."""
        return b"".join([chunk async for chunk in self.chunks()])

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """See `Answer`."""
        for part in self.body:
            if isinstance(part, bytes):
                yield part
            elif isinstance(part, Exception):
                raise part
            else:
                await asyncio.sleep(part)


class Script:
    """Answers each request with what `reply` makes of it, and remembers all.

    Args:
        reply: gives the answer, or raises.
    """

    def __init__(self, reply: Callable[[Request], Reply]) -> None:
        self.reply = reply
        self.sent: list[tuple[float, Request]] = []
        self.open = 0

    @contextlib.asynccontextmanager
    async def send(self, request: Request) -> AsyncIterator[Reply]:
        """See `Transport`."""
        self.sent.append((asyncio.get_running_loop().time(), request))
        reply = self.reply(request)
        self.open += 1
        try:
            await asyncio.sleep(reply.delay)
            yield reply
        finally:
            self.open -= 1

    def times(self, what: str) -> list[float]:
        """When requests of this kind (`list`, `watch`) were sent."""
        return [when for when, request in self.sent if request.what.startswith(what)]

    def client(self, **settings: Any) -> KubeClient:
        """A client that goes by this script."""
        return KubeClient(ClusterConfig(server="https://api.example"), transport=self, **settings)


def make_json(value: object) -> bytes:
    """Write JSON."""
    return msgspec.json.encode(value)


def make_refusal(code: int, reason: str = "", **headers: str) -> Reply:
    """An answer with a Status."""
    body = make_json({"kind": "Status", "code": code, "reason": reason, "message": "no"})
    return Reply(code, [body], {name.replace("_", "-"): value for name, value in headers.items()})


@pytest.fixture
def script() -> type[Script]:
    """The scripted transport."""
    return Script


@pytest.fixture
def reply() -> type[Reply]:
    """One of its answers."""
    return Reply


@pytest.fixture
def refusal() -> Callable[..., Reply]:
    """An answer with a Status."""
    return make_refusal


@pytest.fixture
def cut() -> UnreachableError:
    """A connection that breaks."""
    return UnreachableError("watch pods", message="cut the connection")
