"""Clients of the real API server, straight and through a proxy that makes faults, and what several files follow.

That is objects through an informer, and who leads when; each in a namespace of the test's own.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
import uuid
from typing import TYPE_CHECKING, Any, Self

import msgspec
import pytest

from kamaji_core.kube import (
    CONFIG_MAPS,
    LEASES,
    NAMESPACES,
    ClusterConfig,
    Http2Transport,
    HttpTransport,
    Informer,
    Key,
    KubeClient,
    Leadership,
    LeaseSettings,
    config_from_kubeconfig,
    lead,
)
from kamaji_core.kube.leadership import boottime

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


WAYS: dict[str, type[HttpTransport | Http2Transport]] = {"http1": HttpTransport, "http2": Http2Transport}


@pytest.fixture(params=WAYS)
def connect(request: pytest.FixtureRequest) -> Callable[..., contextlib.AbstractAsyncContextManager[KubeClient]]:
    """Make a client as `KubeClient` does, once over each transport."""

    @contextlib.asynccontextmanager
    async def connected(config: ClusterConfig, **settings: Any) -> AsyncIterator[KubeClient]:
        async with contextlib.aclosing(WAYS[request.param](config)) as transport:
            yield KubeClient(config, transport=transport, **settings)

    return connected


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


class Cutter:
    """A relay in front of a server that counts connections, which can be cut.

    Args:
        server: the API server.
    """

    def __init__(self, server: ApiServer) -> None:
        self._server = server
        self._target = int(server.url.rpartition(":")[2])
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.connections = 0

    async def __aenter__(self) -> Self:
        """Listen."""
        self._listener = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    @property
    def config(self) -> ClusterConfig:
        """How to reach the server through it, as the administrator."""
        port = self._listener.sockets[0].getsockname()[1]
        content = self._server.kubeconfig.replace(f":{self._target}".encode(), f":{port}".encode())
        return config_from_kubeconfig(content)

    async def __aexit__(self, *_: object) -> None:
        """Cut everything and stop."""
        self._listener.close()
        self.cut()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._listener.wait_closed()

    def cut(self) -> None:
        """Reset every connection."""
        for writer in self._writers:
            writer.transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        for end in (writer, far_writer):
            self._writers.add(end)
        for source, sink in ((reader, far_writer), (far_reader, writer)):
            task = asyncio.ensure_future(self._relay(source, sink))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _relay(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while chunk := await source.read(65536):
                sink.write(chunk)
                await sink.drain()
        sink.transport.abort()
        self._writers.discard(sink)


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


class Term:
    """One time of leading: who, and when its work began, was cancelled and had ended (monotonic seconds)."""

    def __init__(self, identity: str, leadership: Leadership) -> None:
        self.identity = identity
        self.leadership = leadership
        self.began = time.monotonic()
        self.cancelled = self.ended = float("inf")


class Terms:
    """Everybody's terms of one Lease, in order; left, it ends all candidates and makes sure that no two led at a time.

    Args:
        client: with which candidates lead that are given no other.
        settings: which Lease.
    """

    def __init__(self, client: KubeClient, settings: LeaseSettings) -> None:
        self.all: list[Term] = []
        self.settings = settings
        self.may_overlap = False
        self._client = client
        self._changed = asyncio.Event()
        self._candidates: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for candidate in self._candidates:
            candidate.cancel()
        results = await asyncio.gather(*self._candidates, return_exceptions=True)
        # Whatever befell its calls, no elector died of it.
        assert all(isinstance(result, asyncio.CancelledError) for result in results)
        if not self.may_overlap:
            assert all(before.ended <= after.began for before, after in itertools.pairwise(self.all))

    def candidate(
        self,
        identity: str,
        *,
        through: KubeClient | None = None,
        ending: float = 0.0,
        clock: Callable[[], float] = boottime,
    ) -> asyncio.Task[None]:
        """Have somebody want to lead, whose work ends so many seconds after it is cancelled."""

        async def work(leadership: Leadership) -> None:
            term = Term(identity, leadership)
            self.all.append(term)
            self._changed.set()
            try:
                await asyncio.Event().wait()
            finally:
                term.cancelled = time.monotonic()
                self._changed.set()
                await asyncio.sleep(ending)
                term.ended = time.monotonic()
                self._changed.set()

        client = through or self._client
        leading = asyncio.create_task(lead(client, self.settings, work, identity=identity, clock=clock))
        self._candidates.append(leading)
        return leading

    async def until(self, condition: Callable[[], bool], *, seconds: float = 30.0) -> None:
        """Wait until something about the terms holds."""
        async with asyncio.timeout(seconds):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def begun(self, count: int) -> Term:
        """Wait for that many terms, and give the last."""
        await self.until(lambda: len(self.all) >= count)
        return self.all[count - 1]

    async def lease(
        self, condition: Callable[[dict[str, Any]], bool] = lambda _: True, *, seconds: float = 20.0
    ) -> dict[str, Any]:
        """Wait until the Lease's spec is so, and give it."""
        async with asyncio.timeout(seconds):
            listing = await self._client.list(LEASES, self.settings.namespace)
            for item in listing.items:
                spec: dict[str, Any] = msgspec.json.decode(item)["spec"]
                if condition(spec):
                    return spec
            version = listing.resource_version
            watch = self._client.watch(LEASES, self.settings.namespace, resource_version=version)
            async with contextlib.aclosing(watch) as events:
                async for event in events:
                    if event.type in ("ADDED", "MODIFIED"):
                        spec = msgspec.json.decode(event.object)["spec"]
                        if condition(spec):
                            return spec
        raise AssertionError("the watch ended")

    async def write(self, **spec: Any) -> None:
        """Write into the Lease as a stranger."""
        await self._client.merge_patch(LEASES, self.settings.name, {"spec": spec}, self.settings.namespace)


@pytest.fixture
def terms_of(client: KubeClient, namespace: str) -> Callable[..., Terms]:
    """Who led when, to be entered; a Lease of the test's namespace, with settings of one's own."""

    def make(**settings: Any) -> Terms:
        return Terms(client, LeaseSettings(**{"namespace": namespace, "retry": 0.3, **settings}))

    return make


@pytest.fixture
async def terms(terms_of: Callable[..., Terms]) -> AsyncIterator[Terms]:
    """Who led when, with little patience."""
    async with terms_of(duration=3, give_up=2) as terms:
        yield terms


@pytest.fixture
async def patient(terms_of: Callable[..., Terms]) -> AsyncIterator[Terms]:
    """The same, with patience enough for a short trouble."""
    async with terms_of(duration=9, give_up=6) as terms:
        yield terms
