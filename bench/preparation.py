"""The management cluster before and after a measurement: free of tenants, then fit for them, then free again.

Cleaning does not ask the operator that was measured: it may be stopped, broken or somebody else's. Finalizers are
taken off, the namespace goes with all that is in it, and the stores are wiped of the fleet's names.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any

import msgspec

from bench import storage
from bench.errors import BenchError
from bench.fleet import NAMESPACE, SILENT_NAMESPACE, SILENT_STORE, STORE, UNTOUCHED_STORE, data_store
from kamaji_core.api.crds import crd_manifests
from kamaji_core.kube import (
    CUSTOM_RESOURCE_DEFINITIONS,
    NAMESPACES,
    ApiError,
    KubeClient,
    NotFoundError,
    Resource,
)
from kamaji_core.tenancy import DATA_STORES, TENANT_CONTROL_PLANES

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bench.fleet import Fleet

_ESTABLISHED_LIMIT = 30.0
_STORE_LIMIT = 60.0
_GONE_LIMIT = 420.0
_POLL = 0.1


async def ensure_free(client: KubeClient) -> None:
    """Make sure that no tenants would be disturbed and that nothing of another measurement is left.

    Raises:
        BenchError: when there are some.
    """
    with contextlib.suppress(NotFoundError):  # no definition of tenants, no tenants
        listing = await client.list(TENANT_CONTROL_PLANES)
        if listing.items:
            first = msgspec.json.decode(listing.items[0])["metadata"]
            raise BenchError(
                f"there are tenants in the sandbox, such as {first['namespace']}/{first['name']}: delete them first "
                "(`kubectl delete tenantcontrolplanes`, or `python -m bench clean` for those of a measurement)"
            )
    if await _exists(client, NAMESPACES, NAMESPACE):
        raise BenchError(
            f"the namespace {NAMESPACE} is there: another measurement runs, or was killed; "
            "in the second case run `python -m bench clean`"
        )


async def missing_definitions(client: KubeClient) -> list[str]:
    """Names of the definitions that are not there."""
    names = [manifest["metadata"]["name"] for manifest in crd_manifests()]
    return [name for name in names if not await _exists(client, CUSTOM_RESOURCE_DEFINITIONS, name)]


async def install(client: KubeClient, fleet: Fleet) -> None:
    """Make the definitions, the namespace and the DataStore, and see that tenants are accepted.

    The first tenant after its definition was made is kept waiting for seconds by the API server, which must not be
    laid to the operator's account: so one is created for trial before, and not stored.

    Raises:
        BenchError: when the definitions do not come to be served.
    """
    for manifest in crd_manifests():
        await client.apply(CUSTOM_RESOURCE_DEFINITIONS, manifest, field_manager="bench")
    await client.create(NAMESPACES, {"metadata": {"name": NAMESPACE}})

    async def are_served() -> bool:
        with contextlib.suppress(NotFoundError):
            await client.create(TENANT_CONTROL_PLANES, fleet.tenant(fleet.names[0]), dry_run=True)
            await client.apply(DATA_STORES, data_store(fleet.datastore), field_manager="bench")
            return True
        return False

    if not await _until(are_served, _ESTABLISHED_LIMIT):
        raise BenchError("tenants are not accepted: see `kubectl get crds` and `kubectl describe namespace bench`")


async def remove_definitions(client: KubeClient, names: list[str]) -> None:
    """Remove definitions that a measurement has made."""
    for name in names:
        with contextlib.suppress(NotFoundError):
            await client.delete(CUSTOM_RESOURCE_DEFINITIONS, name)


async def wait_for_store(client: KubeClient, say: Callable[[str], None]) -> None:
    """Wait until the operator calls the DataStore ready; one that never tells is gone on with."""

    async def is_ready() -> bool:
        store = await client.get(DATA_STORES, STORE)
        return bool(store.get("status", {}).get("ready"))

    if not await _until(is_ready, _STORE_LIMIT):
        say(f"The operator does not say that the DataStore is ready after {_STORE_LIMIT:.0f} s: going on.")


async def clean(client: KubeClient) -> None:
    """Remove everything that a fleet has in the management cluster and at the stores; nothing is no trouble.

    Raises:
        BenchError: when something does not go.
    """
    namespaces = (NAMESPACE, SILENT_NAMESPACE)
    for namespace in namespaces:
        with contextlib.suppress(NotFoundError):
            listing = await client.list(TENANT_CONTROL_PLANES, namespace)
            for item in listing.items:
                await _release(client, TENANT_CONTROL_PLANES, msgspec.json.decode(item)["metadata"]["name"], namespace)
        with contextlib.suppress(NotFoundError):
            await client.delete(NAMESPACES, namespace)
    for store in (STORE, SILENT_STORE, UNTOUCHED_STORE):
        await _release(client, DATA_STORES, store)

    async def are_gone() -> bool:
        return not any([await _exists(client, NAMESPACES, namespace) for namespace in namespaces])

    if not await _until(are_gone, _GONE_LIMIT):
        raise BenchError(f"the namespace {NAMESPACE} does not go: see `kubectl describe namespace {NAMESPACE}`")
    for store_client in storage.present():
        await asyncio.to_thread(store_client.wipe_everything)


async def _release(client: KubeClient, resource: Resource, name: str, namespace: str | None = None) -> None:
    """Delete an object without waiting for what its finalizers stand for."""
    with contextlib.suppress(NotFoundError):
        await client.delete(resource, name, namespace)
        patch: dict[str, Any] = {"metadata": {"finalizers": None}}
        await client.merge_patch(resource, name, patch, namespace)


async def _exists(client: KubeClient, resource: Resource, name: str) -> bool:
    try:
        await client.get(resource, name)
    except NotFoundError:
        return False
    return True


async def _until(condition: Callable[[], Awaitable[bool]], limit: float) -> bool:
    """Ask until it is so; False when it is not within `limit` seconds."""
    deadline = time.monotonic() + limit
    while True:
        with contextlib.suppress(ApiError):
            if await condition():
                return True
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(_POLL)
