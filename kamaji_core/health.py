"""What the operator serves: health for the kubelet and metrics for Prometheus, on plain HTTP.

`/healthz` answers while the loop turns, `/readyz` once the caches are complete, whoever leads, `/metrics` always.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable


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
        ready: whether the caches are complete: it works, or would at once if the one that leads ended.

    Raises:
        AddressError: when the address cannot be listened on.
    """

    async def healthz(_request: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def readyz(_request: web.Request) -> web.Response:
        if ready():
            return web.Response(text="ok")
        return web.Response(text="the caches are not complete yet", status=503)

    async with _serve(address, [web.get("/healthz", healthz), web.get("/readyz", readyz)]):
        yield


@contextlib.asynccontextmanager
async def serve_metrics(address: str, *, render: Callable[[], Awaitable[bytes]]) -> AsyncIterator[None]:
    """Serve the metrics.

    Args:
        address: `host:port`.
        render: makes them, in Prometheus' text format.

    Raises:
        AddressError: when the address cannot be listened on.
    """

    async def metrics(_request: web.Request) -> web.Response:
        return web.Response(body=await render(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})

    async with _serve(address, [web.get("/metrics", metrics)]):
        yield


@contextlib.asynccontextmanager
async def _serve(address: str, routes: Iterable[web.RouteDef]) -> AsyncIterator[None]:
    host, port = parse_address(address)
    application = web.Application()
    application.add_routes(routes)
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
