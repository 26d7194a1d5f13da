"""Clients of the real API server, straight and through a proxy that makes faults, and a namespace for each test."""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from kamaji_core.kube import (
    CONFIG_MAPS,
    NAMESPACES,
    ClusterConfig,
    Informer,
    Key,
    KubeClient,
    config_from_kubeconfig,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from kamaji_core.testing import ApiServer, FaultProxy


@pytest.fixture
def config(api_server: ApiServer) -> ClusterConfig:
    """How to reach the server as its administrator."""
    return config_from_kubeconfig(api_server.kubeconfig)


@pytest.fixture
async def client(config: ClusterConfig) -> AsyncIterator[KubeClient]:
    """An administrator's client."""
    async with KubeClient(config) as client:
        yield client


@pytest.fixture
async def namespace(client: KubeClient) -> str:
    """A new namespace; without controllers nothing would empty a deleted one, so it stays."""
    name = f"test-{uuid.uuid4().hex[:10]}"
    await client.create(NAMESPACES, {"metadata": {"name": name}})
    return name


@pytest.fixture
async def proxied(fault_proxy: FaultProxy) -> AsyncIterator[KubeClient]:
    """A client that goes through the proxy."""
    async with KubeClient(fault_proxy.config) as client:
        yield client


def value_of(raw: msgspec.Raw) -> str:
    """What is kept of a ConfigMap."""
    value: str = msgspec.json.decode(raw)["data"]["v"]
    return value


class Followed:
    """A namespace's ConfigMaps as an informer behind the proxy knows them, and as they are.

    Args:
        client: straight to the server.
        proxied: through the proxy.
        namespace: whose ConfigMaps.
        idle: seconds of silence that the informer bears.
    """

    def __init__(self, client: KubeClient, proxied: KubeClient, namespace: str, idle: float) -> None:
        self.changes: list[tuple[str, str | None, str | None]] = []
        self._changed = asyncio.Event()
        self._client = client
        self._namespace = namespace
        self.informer: Informer[str] = Informer(
            proxied, CONFIG_MAPS, decode=value_of, on_change=self._note, namespace=namespace, idle=idle
        )

    def _note(self, key: Key, before: str | None, after: str | None) -> None:
        self.changes.append((key[1], before, after))
        self._changed.set()

    @property
    def known(self) -> dict[str, str]:
        """Values by name, as the informer knows them."""
        return {name: value for (_, name), value in self.informer.store.items()}

    async def write(self, **values: str | None) -> None:
        """Create, change or (None) delete ConfigMaps, past the proxy."""
        for name, value in values.items():
            if value is None:
                await self._client.delete(CONFIG_MAPS, name, self._namespace)
            else:
                metadata = {"namespace": self._namespace, "name": name}
                await self._client.apply(CONFIG_MAPS, {"metadata": metadata, "data": {"v": value}})

    async def knows(self, expected: dict[str, str], *, seconds: float = 40.0) -> float:
        """Wait until the informer knows just this, and tell how many seconds that took."""
        began = time.monotonic()
        async with asyncio.timeout(seconds):
            while self.known != expected:
                self._changed.clear()
                await self._changed.wait()
        return time.monotonic() - began

    def assert_consistent(self) -> None:
        """Each change began where the one before of that object ended: nothing lost, doubled or resurrected."""
        states: dict[str, str | None] = {}
        for name, before, after in self.changes:
            assert states.get(name) == before
            assert before != after
            states[name] = after


@pytest.fixture
def follow(
    client: KubeClient, proxied: KubeClient, namespace: str
) -> Callable[..., contextlib.AbstractAsyncContextManager[Followed]]:
    """Run an informer of the namespace's ConfigMaps `a`, `b` and `c`; gives a `Followed`."""

    @contextlib.asynccontextmanager
    async def run(*, idle: float = 150.0) -> AsyncIterator[Followed]:
        followed = Followed(client, proxied, namespace, idle)
        await followed.write(a="1", b="1", c="1")
        task = asyncio.ensure_future(followed.informer.run())
        try:
            async with asyncio.timeout(30):
                await followed.informer.synced.wait()
            yield followed
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        followed.assert_consistent()

    return run


@pytest.fixture
def told(record_property: Callable[[str, object], None]) -> Callable[..., None]:
    """Print measured figures (seen with `-s`) and put them into the test's report."""

    def tell(**figures: Any) -> None:
        for name, figure in figures.items():
            record_property(name, round(figure, 3))
            print(f"\n  {name} = {figure:.3f}", end="")  # noqa: T201 - that is what it is for

    return tell
