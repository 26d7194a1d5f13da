"""A store that worked and falls silent, with ten tenants on two stores: the other store's do not wait for it."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import pytest

from kamaji_core.datastore import controller as controller_module
from kamaji_core.tenancy import DATA_STORES, TENANT_CONTROL_PLANES
from kamaji_datastore_etcd.session import EtcdSession

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = [pytest.mark.real, pytest.mark.usefixtures("controller_manager")]
FIVE = range(5)
SILENT = "falls-silent"


class Line:
    """Carries bytes between clients and a server until it is told to be silent; connections stay open then.

    Args:
        host: of the server.
        port: of the server.
    """

    def __init__(self, host: str, port: int) -> None:
        self._server = host, port
        self._flows = asyncio.Event()
        self._flows.set()

    def be_silent(self) -> None:
        """Accept and carry nothing from now on."""
        self._flows.clear()

    def go_on(self) -> None:
        """Carry again, first of all what was held back."""
        self._flows.set()

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        """Listen; gives the address."""
        tasks = set[asyncio.Task[None]]()

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task
            tasks.add(task)
            try:
                await self._carry(reader, writer)
            except (OSError, asyncio.CancelledError):
                return
            finally:
                writer.close()
                tasks.discard(task)

        server = await asyncio.start_server(accept, "127.0.0.1", 0)
        try:
            host, port = server.sockets[0].getsockname()
            yield f"{host}:{port}"
        finally:
            server.close()
            for task in list(tasks):
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await server.wait_closed()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        onward_reader, onward = await asyncio.open_connection(*self._server)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._one_way(reader, onward))
                group.create_task(self._one_way(onward_reader, writer))
        except* OSError:
            pass
        finally:
            onward.close()

    async def _one_way(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            await self._flows.wait()
            writer.write(data)
            await writer.drain()
        writer.close()


@pytest.fixture
async def line(cluster: Any) -> AsyncIterator[Line]:
    """A DataStore `falls-silent` whose way to etcd can be cut."""
    spec = (await cluster.client.get(DATA_STORES, "default"))["spec"]
    host, _, port = spec["endpoints"][0].rpartition(":")
    line = Line(host, int(port))
    async with line.listening() as address:
        changed = {**spec, "endpoints": [address]}
        await cluster.client.create(DATA_STORES, {"metadata": {"name": SILENT}, "spec": changed})
        yield line
        line.go_on()
        await cluster.client.delete(DATA_STORES, SILENT)
        with contextlib.suppress(Exception):
            await cluster.client.merge_patch(DATA_STORES, SILENT, {"metadata": {"finalizers": None}})


async def all_ready(cluster: Any, namespace: str, until: Any, names: list[str]) -> None:
    """Play the nodes and wait."""
    for name in names:
        await cluster.play_node(namespace, name)
    for name in names:
        await until(lambda name=name: cluster.ready(namespace, name), f"{name} to be Ready")


async def test_the_other_tenants_go_on_with_a_single_worker(
    cluster: Any, namespace: str, until: Any, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five are deleted while their store is silent: five of the other store become Ready before any call ends.

    Then the probe finds nobody, the calls under way end with its sentence, and all ends well when the store answers.
    """
    monkeypatch.setattr(controller_module, "RETRY_INTERVAL_SECONDS", 0.5)
    ended: list[str] = []
    asks = asyncio.Event()
    revoke = EtcdSession.revoke

    async def revoking(session: EtcdSession, claim: Any) -> None:
        try:
            await asks.wait()  # how long the driver itself waits does not matter here
            await revoke(session, claim)
        finally:
            ended.append(claim.name)

    mute = [f"mute-{number}" for number in FIVE]
    async with cluster.operator(tenant_workers=1):
        for name in mute:
            await cluster.create_tenant(namespace, name, dataStore=SILENT)
        await all_ready(cluster, namespace, until, mute)
        monkeypatch.setattr(EtcdSession, "revoke", revoking)
        with monkeypatch.context() as patient:
            # No probe in this part: what others gain must not depend on it.
            patient.setattr("kamaji_core.datastore.guard.DOUBT_SECONDS", 1000.0)
            line.be_silent()
            for name in mute:
                await cluster.client.delete(TENANT_CONTROL_PLANES, name, namespace)
            for number in FIVE:
                await cluster.create_tenant(namespace, f"good-{number}")
            await all_ready(cluster, namespace, until, [f"good-{number}" for number in FIVE])
            assert ended == []
        asks.set()

        async def is_told() -> bool:
            store = await cluster.client.get(DATA_STORES, SILENT)
            return not store["status"]["ready"]

        await until(is_told, "the store not to be ready")
        await until(lambda: sorted(ended) == mute, "calls under way to end")
        line.go_on()

        async def gone() -> bool:
            listing = await cluster.client.list(TENANT_CONTROL_PLANES, namespace)
            names = [cluster.decode(item)["metadata"]["name"] for item in listing.items]
            return not [name for name in names if name in mute]

        await until(gone, "the tenants to be gone", seconds=60)
