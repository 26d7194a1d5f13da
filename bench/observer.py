"""The fleet as the management cluster's watches show it, for whoever waits for something or notes when it happened.

It stands on the operator's own informers: they survive what may happen to a watch within the half hour that a large
measurement takes.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any, Self

import msgspec

from bench.errors import BenchError
from bench.fleet import NAMESPACE
from bench.timeline import Timeline
from kamaji_core.kube import DEPLOYMENTS, PODS, SERVICES, Informer, KubeClient, Resource, Supervisor
from kamaji_core.tenancy import TENANT_CONTROL_PLANES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kamaji_core.kube import Key

_SYNC_LIMIT = 30.0
_FOLLOWED = (TENANT_CONTROL_PLANES, DEPLOYMENTS, PODS, SERVICES)


class Observer:
    """Follows tenants, Deployments, pods and Services of the fleet's namespace while its context is entered.

    Args:
        client: of the management cluster, as its administrator.
    """

    def __init__(self, client: KubeClient) -> None:
        self.timeline = Timeline(time.monotonic)
        self._informers = {resource.kind: self._informer(client, resource) for resource in _FOLLOWED}
        self._news: set[asyncio.Event] = set()
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Begin; returns when everything that exists is known.

        Raises:
            BenchError: when the API server does not give it.
        """
        supervisor = await self._stack.enter_async_context(Supervisor())
        for kind, informer in self._informers.items():
            supervisor.start(f"watch {kind}", informer.run)
        try:
            async with asyncio.timeout(_SYNC_LIMIT):
                for informer in self._informers.values():
                    await informer.synced.wait()
        except BaseException as error:
            await self._stack.aclose()
            if isinstance(error, TimeoutError):
                raise BenchError("the API server does not list the fleet: see `python -m sandbox status`") from error
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @property
    def tenants(self) -> Mapping[Key, dict[str, Any]]:
        """The tenants' objects as they are."""
        return self._informers["TenantControlPlane"].store

    @property
    def deployments(self) -> Mapping[Key, dict[str, Any]]:
        """Their Deployments."""
        return self._informers["Deployment"].store

    @property
    def pods(self) -> Mapping[Key, dict[str, Any]]:
        """Their pods."""
        return self._informers["Pod"].store

    @property
    def services(self) -> Mapping[Key, dict[str, Any]]:
        """Their Services."""
        return self._informers["Service"].store

    def deployment(self, name: str) -> dict[str, Any] | None:
        """One tenant's Deployment, if there is one."""
        return self.deployments.get((NAMESPACE, name))

    def begin(self) -> Timeline:
        """Begin another timeline, which notes what happens from now on."""
        self.timeline = Timeline(time.monotonic)
        return self.timeline

    async def until(self, holds: Callable[[], bool], limit: float) -> bool:
        """Wait until something holds, looked at after each event; False when it does not within `limit` seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit):
                while not holds():
                    await self._next()
        return holds()

    async def _next(self) -> None:
        news = asyncio.Event()
        self._news.add(news)
        try:
            await news.wait()
        finally:
            self._news.discard(news)

    def _informer(self, client: KubeClient, resource: Resource) -> Informer[dict[str, Any]]:
        def decode(raw: msgspec.Raw) -> dict[str, Any]:
            obj: dict[str, Any] = msgspec.json.decode(raw)
            obj["metadata"].pop("managedFields", None)
            return {**obj, "kind": resource.kind}  # items of lists do not say it

        return Informer(client, resource, decode=decode, on_change=self._changed, namespace=NAMESPACE)

    def _changed(self, _key: Key, before: dict[str, Any] | None, after: dict[str, Any] | None) -> None:
        obj = after or before
        if obj is not None:
            self.timeline.tell(obj, gone=after is None)
        for news in self._news:
            news.set()
