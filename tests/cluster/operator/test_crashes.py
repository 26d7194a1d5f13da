"""Wherever the operator dies, and whichever answer is lost, the end is the same: one authority, nothing doubled.

A tenant is created, moved to another version, put to sleep, woken and deleted. In each run the operator is stopped for
good right after one of its outward writes (to the API server or to the store) was carried out, or that write's answer
is lost; a fresh operator goes on. `make explore` visits every write without a node, `make explore-pods` in the sandbox
with real pods; a seeded sample runs with the tests, without a node.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import pytest

from kamaji_core.api import admission_plugins
from kamaji_core.kube import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    NAMESPACES,
    SECRETS,
    SERVICES,
    HttpTransport,
    KubeClient,
    NotFoundError,
    Request,
    UnreachableError,
    config_from_kubeconfig,
)
from kamaji_core.manager import Manager, Settings
from kamaji_core.plugins import Plugins, load_plugins
from kamaji_core.tenancy import TENANT_CONTROL_PLANES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from kamaji_core.kube import Answer

pytestmark = pytest.mark.real

WITH_PODS = "KAMAJI_EXPLORE_PODS" in os.environ
"""Whether this runs inside the sandbox, on its management cluster."""

How = Literal["killed", "answer lost"]
WRITES = 56
"""More than a run makes, so that the last points show that the end of a run was reached."""
SAMPLE = 6
SUFFIXES = (
    "admin-kubeconfig",
    "api-server-certificate",
    "api-server-kubelet-client-certificate",
    "ca",
    "controller-manager-kubeconfig",
    "datastore-certificate",
    "datastore-config",
    "front-proxy-ca-certificate",
    "front-proxy-client-certificate",
    "sa-certificate",
    "scheduler-kubeconfig",
)


class Fate:
    """Decides at which write of which run something happens."""

    def __init__(self, at: int, how: How) -> None:
        self.crashed = asyncio.Event()
        self.writes = 0
        self._at = at
        self._how = how

    async def after_write(self, what: str) -> None:
        """Called when the server has carried out a write, before the operator hears of it."""
        self.writes += 1
        if self.writes != self._at:
            return
        if self._how == "answer lost":
            raise UnreachableError(what, reason="Lost", message="the answer was lost")
        self.crashed.set()
        await asyncio.Event().wait()


class FatefulTransport:
    """Carries requests, and has writes meet their fate."""

    def __init__(self, transport: HttpTransport, fate: Fate) -> None:
        self._transport = transport
        self._fate = fate

    @contextlib.asynccontextmanager
    async def send(self, request: Request) -> AsyncIterator[Answer]:
        """Send a request; a write's answer is given only when fate lets it."""
        async with self._transport.send(request) as answer:
            if request.method != "GET":
                body = await answer.read()
                await self._fate.after_write(request.what)
                yield _Read(answer, body)
            else:
                yield answer


class _Read:
    """An answer whose body was read already."""

    def __init__(self, answer: Answer, body: bytes) -> None:
        self.status = answer.status
        self.headers = answer.headers
        self._body = body

    async def read(self) -> bytes:
        """The body."""
        return self._body

    async def chunks(self) -> Any:
        """The body in one piece."""
        yield self._body


def fateful(plugins: Plugins, fate: Fate) -> Plugins:
    """The same plugins, their stores' writes meeting the same fate."""
    driver = plugins.datastores["etcd"]

    class Fateful(type(driver)):  # type: ignore[misc]  # a subclass of whatever is installed
        def open(self, store: Any) -> Any:
            session = super().open(store)
            for name in ("reserve", "ensure", "revoke", "remove"):
                setattr(session, name, _then(getattr(session, name), fate, name))
            return session

    return Plugins(datastores={"etcd": Fateful()}, origins=plugins.origins)


def _then(call: Callable[..., Awaitable[None]], fate: Fate, name: str) -> Callable[..., Awaitable[None]]:
    async def called(*arguments: Any) -> None:
        await call(*arguments)
        try:
            await fate.after_write(name)
        except UnreachableError:
            raise TimeoutError from None

    return called


@dataclass(frozen=True)
class Course:
    """What a tenant goes through.

    Args:
        change: of its specification, which rolls its pods once.
        version: that it is at afterwards.
        plays_node: whether readiness is played, because no node is there.
    """

    change: dict[str, Any]
    version: str
    plays_node: bool


WITHOUT_NODE = Course({"kubernetes": {"version": "v1.37.2"}}, "v1.37.2", plays_node=True)
ON_PODS = Course(
    {"kubernetes": {"admissionControllers": [*admission_plugins.DEFAULT, "DenyServiceExternalIPs"]}},
    "v1.37.1",  # the one whose images the sandbox has
    plays_node=False,
)


class Story:
    """One tenant's life under an operator that dies once."""

    def __init__(self, cluster: Any, namespace: str, until: Any, course: Course) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._until = until
        self._course = course

    async def run(self, fate: Fate) -> None:
        """Live it to the end and check that the end is right."""
        tasks = [asyncio.create_task(self._operators(fate))]
        if self._course.plays_node:
            tasks.append(asyncio.create_task(self._node()))
        version = self._course.version
        try:
            await self._cluster.create_tenant(self._namespace, "shop")
            await self._reaches("Ready", "v1.37.1", tasks)
            authority = await self._digest("ca")
            await self._change(self._course.change)
            await self._reaches("Ready", version, tasks)
            await self._change({"controlPlane": {"deployment": {"replicas": 0}}})
            await self._reaches("Sleeping", version, tasks)
            await self._change({"controlPlane": {"deployment": {"replicas": 1}}})
            await self._reaches("Ready", version, tasks)
            await self._check(authority)
            schema = (await self._tenant())["metadata"]["uid"].replace("-", "")
            await self._cluster.client.delete(TENANT_CONTROL_PLANES, "shop", self._namespace)
            await self._until(self._is_gone, "the tenant to be gone", tasks[0])
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for what in (("user", "list"), ("role", "list"), ("get", "--prefix", "", "--keys-only")):
            assert schema not in self._cluster.etcdctl(*what)

    async def _operators(self, fate: Fate) -> None:
        """The operator that meets its fate, then one that does not."""
        running = asyncio.create_task(self._operator(fate))
        crash = asyncio.create_task(fate.crashed.wait())
        try:
            await asyncio.wait({running, crash}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (running, crash):
                task.cancel()
            await asyncio.gather(running, crash, return_exceptions=True)
        await self._operator(Fate(-1, "killed"))

    async def _operator(self, fate: Fate) -> None:
        config = config_from_kubeconfig(self._cluster.kubeconfig)
        http = HttpTransport(config, user_agent="kamaji/test")
        settings = Settings(health_address="", metrics_address="", boot_width=10_000, tenant_sessions=False)
        try:
            async with KubeClient(config, transport=FatefulTransport(http, fate)) as client:
                manager = Manager(client, plugins=fateful(load_plugins(), fate), settings=settings)
                await manager.run(asyncio.Event())
        finally:
            await http.aclose()

    async def _node(self) -> None:
        """Play the Deployment's controller and its node."""
        client = self._cluster.client
        while True:
            await asyncio.sleep(0.05)
            try:
                live = await client.get(DEPLOYMENTS, "shop", self._namespace)
            except NotFoundError:
                continue
            generation, wanted = live["metadata"]["generation"], live["spec"]["replicas"]
            if live.get("status", {}).get("observedGeneration") == generation:
                continue
            names = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
            status = {"observedGeneration": generation, **dict.fromkeys(names, wanted)}
            with contextlib.suppress(NotFoundError):
                await client.merge_patch(DEPLOYMENTS, "shop", {"status": status}, self._namespace, subresource="status")

    async def _reaches(self, status: str, version: str, tasks: list[asyncio.Task[None]]) -> None:
        async def reached() -> bool:
            tenant = await self._tenant()
            found = tenant.get("status", {}).get("kubernetesResources", {}).get("version", {})
            observed = tenant.get("status", {}).get("observedGeneration") == tenant["metadata"]["generation"]
            return observed and found == {"status": status, "version": version}

        await self._until(reached, f"{status} at {version}", tasks[0])

    async def _check(self, authority: str) -> None:
        """One of each object, one authority for ever, the store told once and rightly."""
        assert await self._digest("ca") == authority
        selector = "kamaji.clastix.io/project=kamaji"
        listings = {
            kind.kind: await self._cluster.client.list(kind, self._namespace, label_selector=selector)
            for kind in (SECRETS, SERVICES, CONFIG_MAPS, DEPLOYMENTS)
        }
        found = {
            f"{kind} {self._cluster.decode(item)['metadata']['name']}"
            for kind, listing in listings.items()
            for item in listing.items
        }
        secrets = {f"Secret shop-{suffix}" for suffix in SUFFIXES}
        assert found == secrets | {"Service shop", "Deployment shop", "ConfigMap shop-kubeadmconfig"}
        deployment = await self._cluster.client.get(DEPLOYMENTS, "shop", self._namespace)
        assert deployment["metadata"]["generation"] == 4  # created, another version, asleep, awake

    async def _digest(self, suffix: str) -> str:
        secret = await self._cluster.client.get(SECRETS, f"shop-{suffix}", self._namespace)
        return hashlib.sha256(repr(sorted(secret["data"].items())).encode()).hexdigest()

    async def _change(self, spec: dict[str, Any]) -> None:
        await self._cluster.client.merge_patch(TENANT_CONTROL_PLANES, "shop", {"spec": spec}, self._namespace)

    async def _tenant(self) -> dict[str, Any]:
        return dict(await self._cluster.tenant(self._namespace, "shop"))

    async def _is_gone(self) -> bool:
        return not await self._cluster.has(TENANT_CONTROL_PLANES, self._namespace, "shop")


def points() -> list[tuple[int, How]]:
    """All points, or a seeded sample."""
    hows: tuple[How, ...] = ("killed", "answer lost")
    everything = [(at, how) for at in range(1, WRITES + 1) for how in hows]
    if os.environ.get("KAMAJI_EXPLORE"):
        return everything
    return sorted(random.Random(1).sample([point for point in everything if point[0] <= 30], SAMPLE))  # noqa: S311


@pytest.fixture
def world(request: pytest.FixtureRequest) -> tuple[Any, Course]:
    """The cluster that it happens in, and what happens there."""
    if WITH_PODS:
        return request.getfixturevalue("sandbox_cluster"), ON_PODS
    request.getfixturevalue("controller_manager")
    return request.getfixturevalue("cluster"), WITHOUT_NODE


@pytest.mark.parametrize(("at", "how"), points())
async def test_the_end_is_the_same(
    world: tuple[Any, Course], until: Any, at: int, how: How, record_property: Any
) -> None:
    """One authority, one of each object, four generations; nothing left at the store."""
    cluster, course = world
    namespace = f"crash-{at}-{how.replace(' ', '-')}"
    await cluster.client.apply(NAMESPACES, {"metadata": {"name": namespace}}, field_manager="administrator")
    fate = Fate(at, how)
    await Story(cluster, namespace, until, course).run(fate)
    await cluster.client.delete(NAMESPACES, namespace)
    record_property("writes", fate.writes)
    if os.environ.get("KAMAJI_EXPLORE"):
        print(f"{how} at {at}: {fate.writes} writes until then")  # noqa: T201 - what an exploration is run for
    else:
        assert fate.writes >= at, "the sample must lie within a run"
