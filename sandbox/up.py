"""Bringing the management cluster up: everything starts as soon as what it needs serves.

Running it again is how the sandbox heals: what serves is left alone, what has died is started again with its data.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from kamaji_core.testing import ProgramMissingError, enable_authentication
from kamaji_core.testing.server import log_tail
from sandbox import cgroups, configuration, host, material, namespaces, postgres, processes
from sandbox.api import Api
from sandbox.debian import container_runtime
from sandbox.errors import SandboxError, run
from sandbox.exclusive import exclusive
from sandbox.images import sandbox_images
from sandbox.objects import cluster_objects, stores
from sandbox.places import CONTAINERD_SOCKET, KUBECONFIG, LOGS, NAME, PKI, STATE
from sandbox.servers import STORE, all_servers, store_settings

if TYPE_CHECKING:
    from kamaji_core.testing import Server
    from sandbox.debian import ContainerRuntime

Say = Callable[[str], None]

_POLL = 0.05
_HUNG_AFTER = 10.0
"""Seconds after which a server that runs but does not serve is started anew."""
_NODE_LIMIT = 60.0
_IMPORT_LIMIT = 120.0
_UP_LIMIT = 300.0


def up(say: Say, *, with_postgres: bool = False) -> None:
    """Bring the sandbox up, or heal it; returns when pods can be scheduled.

    Args:
        say: takes a line of progress.
        with_postgres: have a PostgreSQL for tenants too; one that is there stays in any case.

    Raises:
        SandboxError: when this machine cannot run it, or a server does not come to serve.
    """
    started = time.monotonic()
    groups = cgroups.detect()
    if problems := host.problems(groups):
        raise SandboxError("; ".join(problems))
    try:
        with exclusive(say):
            _bring_up(groups, say, with_postgres=with_postgres)
    except ProgramMissingError as error:
        raise SandboxError(str(error)) from error
    say(f"The management cluster is up after {time.monotonic() - started:.1f} s; KUBECONFIG={KUBECONFIG}")


def _bring_up(groups: cgroups.Cgroups, say: Say, *, with_postgres: bool) -> None:
    runtime = container_runtime()
    for change in host.prepare():
        say(change)
    STATE.mkdir(parents=True, exist_ok=True, mode=0o700)
    namespaces.create()
    cgroups.create(groups)
    present = material.ensure(PKI)
    configuration.write_all(runtime, present)
    if with_postgres or postgres.is_wanted():
        postgres.prepare(present)
    cluster = _Cluster(runtime, present, groups, say)
    try:
        asyncio.run(asyncio.wait_for(cluster.start(), _UP_LIMIT))
    except TimeoutError as error:
        raise SandboxError(f"the sandbox did not come up within {_UP_LIMIT:.0f} s: look into {LOGS}") from error
    except BaseExceptionGroup as errors:
        raise _first(errors) from errors


class _Cluster:
    """One run of `up`: owns its tasks and the events by which they wait for each other."""

    def __init__(
        self,
        runtime: ContainerRuntime,
        present: material.Material,
        groups: cgroups.Cgroups,
        say: Say,
    ) -> None:
        self._runtime = runtime
        self._material = present
        self._groups = groups
        self._say = say
        self._started = time.monotonic()
        self._has_postgres = postgres.is_wanted()
        self._servers = all_servers(runtime, present, postgres=self._has_postgres)
        self._done = {name: asyncio.Event() for name in (*self._servers, "objects", "node")}

    async def start(self) -> None:
        """Start everything, each after what it needs."""
        containers = (self._step("kubelet", "kube-apiserver", "containerd"), self._images())
        async with asyncio.TaskGroup() as group:
            for name in ("etcd", "containerd", "kube-apiserver"):
                group.create_task(self._step(name))
            for name in ("kube-controller-manager", "kube-scheduler", "kube-proxy"):
                group.create_task(self._step(name, "kube-apiserver"))
            for work in (*containers, self._store(), self._objects(), self._step("coredns", "objects"), self._node()):
                group.create_task(work)
            if self._has_postgres:
                group.create_task(self._postgres())

    async def _step(self, name: str, *needs: str) -> None:
        for need in needs:
            await self._done[need].wait()
        await self._serve(self._servers[name])
        self._done[name].set()

    async def _store(self) -> None:
        await self._step(STORE)
        settings = store_settings(self._material)
        root = self._material.tls("store-root")
        await asyncio.to_thread(enable_authentication, settings.endpoint, root)

    async def _postgres(self) -> None:
        await self._step(postgres.NAME)
        await asyncio.to_thread(postgres.set_up_role, self._material)

    async def _images(self) -> None:
        images = await asyncio.to_thread(sandbox_images)
        archives = asyncio.gather(*(asyncio.to_thread(image.archive) for image in images))
        await self._done["containerd"].wait()
        ctr = (self._runtime.ctr, f"--address={CONTAINERD_SOCKET}", "--namespace=k8s.io", "images")
        known = (await asyncio.to_thread(run, [*ctr, "list", "--quiet"], limit=30)).split()

        missing = [path for image, path in zip(images, await archives, strict=True) if image.reference not in known]
        for path in missing:  # one by one: imports beside each other wait for one lock
            await asyncio.to_thread(run, [*ctr, "import", path], limit=_IMPORT_LIMIT)
        self._report("images", changed=bool(missing))

    async def _objects(self) -> None:
        await self._done["kube-apiserver"].wait()
        api = Api(self._material.tls("administrator"))
        for path, manifest in cluster_objects(stores(self._material, postgres=self._has_postgres)):
            await asyncio.to_thread(api.apply, path, manifest)
        self._done["objects"].set()

    async def _node(self) -> None:
        """The node is Ready, and the default ServiceAccount is there: pods can be created."""
        await self._done["kubelet"].wait()
        api = Api(self._material.tls("administrator"))
        account = "/api/v1/namespaces/default/serviceaccounts/default"
        await _until(lambda: is_node_ready(api), f"the node {NAME} does not become Ready: see {LOGS}/kubelet.log")
        await _until(
            lambda: _exists(api, account), f"no default ServiceAccount: see {LOGS}/kube-controller-manager.log"
        )
        self._done["node"].set()

    async def _serve(self, server: Server) -> None:
        """Make one server serve: leave it, wait for it or start it."""
        record = processes.recorded(server.name)
        if record is not None and record.is_alive:
            if await self._serves(server, record, _HUNG_AFTER) is None:
                return
            self._say(f"  {server.name} hangs: starting it anew")
            await asyncio.to_thread(processes.end, record, server.stop_grace)
        record = await asyncio.to_thread(processes.launch, server, self._groups)
        if (problem := await self._serves(server, record, server.start_limit)) is not None:
            raise SandboxError(f"{server.name} {problem}; its log is {server.log} and ends:\n{log_tail(server.log)}")
        self._report(server.name, changed=True)

    async def _serves(self, server: Server, record: processes.Record, limit: float) -> str | None:
        """Wait until a running server serves; afterwards a sentence that says why it does not."""
        deadline = time.monotonic() + limit
        while (problem := await asyncio.to_thread(server.readiness.problem)) is not None:
            if not record.is_alive:
                return "ended before it served"
            if time.monotonic() > deadline:
                return f"does not serve after {limit:.0f} s: {problem}"
            await asyncio.sleep(_POLL)
        return None

    def _report(self, name: str, *, changed: bool) -> None:
        if changed:
            self._say(f"  {name} ready after {time.monotonic() - self._started:.1f} s")


def is_node_ready(api: Api) -> bool:
    """Whether the sandbox's node is there and its condition Ready is true."""
    if not _exists(api, f"/api/v1/nodes/{NAME}"):
        return False
    conditions = api.get(f"/api/v1/nodes/{NAME}").get("status", {}).get("conditions", [])
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def _exists(api: Api, path: str) -> bool:
    try:
        api.get(path)
    except SandboxError:
        return False
    return True


async def _until(condition: Callable[[], bool], otherwise: str) -> None:
    """Wait for a condition, looked at in a thread; a `SandboxError` when it does not come about."""
    deadline = time.monotonic() + _NODE_LIMIT
    while not await asyncio.to_thread(condition):
        if time.monotonic() > deadline:
            raise SandboxError(otherwise)
        await asyncio.sleep(_POLL)


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error that a reader needs: what the others followed from."""
    for error in errors.exceptions:
        return _first(error) if isinstance(error, BaseExceptionGroup) else error
    return errors
