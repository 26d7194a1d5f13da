"""Health endpoints for the kubelet: `/healthz` while the loop turns, `/readyz` once work has begun."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable


class AddressError(ValueError):
    """An address is not `host:port`, or cannot be listened on."""


def parse_address(address: str) -> tuple[str | None, int]:
    """Split `host:port`; an empty host means all addresses.

    Raises:
        AddressError: when there is no numeric port.
    """
    host, separator, port = address.rpartition(":")
    if not separator or not port.isdecimal():
        raise AddressError(f"{address!r} is not host:port, such as :8081 or 127.0.0.1:8081.")
    return host.strip("[]") or None, int(port)


@contextlib.asynccontextmanager
async def serve_health(address: str, *, ready: Callable[[], bool]) -> AsyncIterator[None]:
    """Serve the health endpoints.

    Args:
        address: `host:port`.
        ready: whether work has begun.

    Raises:
        AddressError: when the address cannot be listened on.
    """
    host, port = parse_address(address)

    async def healthz(_request: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def readyz(_request: web.Request) -> web.Response:
        if ready():
            return web.Response(text="ok")
        return web.Response(text="the caches are not complete yet", status=503)

    application = web.Application()
    application.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz)])
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            raise AddressError(f"cannot listen on {address}: {error.strerror}; choose another address.") from error
        yield
    finally:
        await runner.cleanup()
