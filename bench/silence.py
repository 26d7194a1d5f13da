"""Servers that accept and never answer, and a store of that kind with tenants: trouble that must stay its own."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from bench.fleet import SILENT_NAMESPACE, SILENT_STORE, data_store
from kamaji_core.kube import NAMESPACES
from kamaji_core.tenancy import DATA_STORES, TENANT_CONTROL_PLANES
from sandbox.places import HOST_ADDRESS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from bench.fleet import Fleet
    from kamaji_core.kube import KubeClient

TENANTS = 3
"""How many want it."""


@contextlib.asynccontextmanager
async def silent_store(client: KubeClient, fleet: Fleet) -> AsyncIterator[None]:
    """Keep such a store for as long as the context lasts; what is made of it goes with everything else of the fleet.

    Args:
        client: of the management cluster, as its administrator.
        fleet: whose shape and kind of store the tenants have; they are not counted among it.
    """
    store = data_store(fleet.datastore, SILENT_STORE)
    async with silent_server() as port:
        store["spec"]["endpoints"] = [f"{HOST_ADDRESS}:{port}"]
        await client.apply(DATA_STORES, store, field_manager="bench")
        await client.create(NAMESPACES, {"metadata": {"name": SILENT_NAMESPACE}})
        for number in range(TENANTS):
            tenant = fleet.tenant(f"silent-{number}", namespace=SILENT_NAMESPACE, store=SILENT_STORE)
            await client.create(TENANT_CONTROL_PLANES, tenant)
        yield


@contextlib.asynccontextmanager
async def silent_server(host: str = HOST_ADDRESS) -> AsyncIterator[int]:
    """Accept connections and never answer, for as long as the context lasts; gives the port."""
    server = await asyncio.start_server(_keep_silent, host)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def _keep_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Take whatever comes until the other side gives up."""
    try:
        while await reader.read(65536):
            pass
    except ConnectionError:
        return
    finally:
        writer.close()
