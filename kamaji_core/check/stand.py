"""The tenant that a check is made with: an ordinary one on the store in question, under a name of its own.

It goes the way of every tenant - claim, credentials, pods - so that what is measured is what tenants get. It is deleted
in any case; where that does not come to an end in time, the line that does it by hand is told.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kamaji_core.api.datastore import VALIDATION_CONDITION, DataStore
from kamaji_core.api.tenant_control_plane import TenantControlPlane
from kamaji_core.certificates import secret_data
from kamaji_core.kube import (
    SECRETS,
    ApiError,
    ClusterConfig,
    ForbiddenError,
    KubeClient,
    NotFoundError,
    UnreachableError,
    config_from_kubeconfig,
)
from kamaji_core.tenancy import DATA_STORES, TENANT_CONTROL_PLANES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
POLL_SECONDS = 0.5
UNSEEN_SECONDS = 30.0
"""Without a word about a new tenant for so long, no operator works."""

OWN_FIELDS = ("dataStore", "dataStoreSchema", "dataStoreUsername", "dataStoreOverrides")
"""Of a specification that is followed: where the data is, is the check's own matter."""


class CheckError(Exception):
    """A store that cannot be checked; the message is a sentence that says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StandSettings:
    """The tenant that is made.

    Args:
        namespace: where.
        version: of Kubernetes, such as `v1.37.1`.
        spec: a TenantControlPlane's specification to follow, where the smallest one does not fit the cluster.
        kubeconfig: which of its administrator kubeconfigs is used: `super-admin.conf` or `super-admin.svc`.
        ready_seconds: how long it is waited for.
        reached_seconds: how long it may take until it can be reached when it is ready.
        gone_seconds: how long its end is waited for.
    """

    namespace: str = "default"
    version: str
    spec: Mapping[str, Any] = field(default_factory=dict)
    kubeconfig: str = "super-admin.conf"
    ready_seconds: float = 300.0
    reached_seconds: float = 30.0
    gone_seconds: float = 180.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A tenant that is ready.

    Args:
        config: how its API server is reached.
        driver: of its store.
        seconds_to_ready: from its creation.
    """

    config: ClusterConfig
    driver: str
    seconds_to_ready: float


@contextlib.asynccontextmanager
async def stand(
    client: KubeClient, store: str, *, settings: StandSettings, progress: Callable[[str], None]
) -> AsyncIterator[Made]:
    """Make a tenant on a store and have it removed when the context is left.

    Args:
        client: of the management cluster.
        store: name of the DataStore.
        settings: what is made.
        progress: told what is going on.

    Raises:
        CheckError: when there is no such store, it is not ready, a right is missing, or the tenant does not become
            ready in time.
        ApiError: when the API server cannot be asked.
    """
    driver = await _driver_of(client, store, settings.namespace)
    manifest = tenant_manifest(store, settings)
    name, began = manifest["metadata"]["name"], time.monotonic()
    progress(f"{store}: making the tenant {settings.namespace}/{name}.")
    try:
        with _rights(settings.namespace):
            await client.create(TENANT_CONTROL_PLANES, manifest)
            await _until_ready(client, name, settings, store=store, progress=progress)
            took = time.monotonic() - began
            progress(f"{store}: ready after {took:.1f} s.")
            config = await _way_in(client, name, settings)
        await _until_reached(config, settings.reached_seconds)
        yield Made(config=config, driver=driver, seconds_to_ready=took)
    finally:
        await _remove(client, name, settings, store=store, progress=progress)


def tenant_manifest(store: str, settings: StandSettings) -> dict[str, Any]:
    """The tenant that is made: one pod, reached at a cluster IP, unless a specification to follow says otherwise.

    Args:
        store: name of the DataStore.
        settings: the rest.
    """
    smallest = {
        "controlPlane": {"deployment": {"replicas": 1}, "service": {"serviceType": "ClusterIP"}},
        "kubernetes": {"version": settings.version, "kubelet": {}},
    }
    followed = {name: value for name, value in settings.spec.items() if name not in OWN_FIELDS}
    suffix = "".join(secrets.choice(LETTERS) for _ in range(8))
    return {
        "metadata": {"name": f"datastore-check-{suffix}", "namespace": settings.namespace},
        "spec": {**smallest, **followed, "dataStore": store},
    }


async def _driver_of(client: KubeClient, name: str, namespace: str) -> str:
    with _rights(namespace):
        try:
            store = await client.get(DATA_STORES, name, type=DataStore)
        except NotFoundError:
            raise CheckError(f"There is no DataStore {name!r}: see 'kubectl get datastores'.") from None
    if store.metadata.deletion_timestamp:
        raise CheckError(f"The DataStore {name!r} is being deleted: nothing can be made on it.")
    if not store.status.ready:
        said = [one.message for one in store.status.conditions if one.type == VALIDATION_CONDITION]
        why = said[0] if said else "No operator has looked at it yet: see whether one runs."
        raise CheckError(f"The DataStore {name!r} is not ready: {why}")
    return store.spec.driver


@contextlib.contextmanager
def _rights(namespace: str) -> Any:
    """Say which rights the check needs, when one is missing."""
    try:
        yield
    except ForbiddenError as error:
        raise CheckError(
            f"You may not {error.what}. The check needs to read DataStores, to create, read and delete "
            f"TenantControlPlanes and to read Secrets in the namespace {namespace!r}: grant these, or name another "
            f"namespace with --namespace."
        ) from None


async def _until_ready(
    client: KubeClient, name: str, settings: StandSettings, *, store: str, progress: Callable[[str], None]
) -> None:
    began, told = time.monotonic(), ""
    while True:
        tenant = await client.get(TENANT_CONTROL_PLANES, name, settings.namespace, type=TenantControlPlane)
        ready = next((one for one in tenant.status.conditions if one.type == "Ready"), None)
        if ready is not None and ready.status == "True":
            return
        waited = time.monotonic() - began
        if ready is None and waited > UNSEEN_SECONDS:
            raise CheckError("No operator has looked at the tenant that was made: see whether 'kamaji manager' runs.")
        if ready is not None and ready.message != told:
            told = ready.message
            progress(f"{store}: {told}")
        if waited > settings.ready_seconds:
            raise CheckError(f"Its tenant was not ready within {settings.ready_seconds:.0f} s: {told}")
        await asyncio.sleep(POLL_SECONDS)


async def _way_in(client: KubeClient, name: str, settings: StandSettings) -> ClusterConfig:
    secret = await client.get(SECRETS, f"{name}-admin-kubeconfig", settings.namespace)
    # Whoever may write the tenant's Secrets must not have this machine run their programs.
    return config_from_kubeconfig(secret_data(secret)[settings.kubeconfig], embedded=True)


async def _until_reached(config: ClusterConfig, seconds: float) -> None:
    """Wait until the way to the tenant is open: rules for a new Service reach a node a moment after its pod is ready.

    Raises:
        ApiError: what the last attempt came to, when none succeeds in time.
    """
    deadline = time.monotonic() + seconds
    async with KubeClient(config, timeout=seconds) as tenant:
        while True:
            try:
                await tenant.raw("/readyz")
            except UnreachableError:
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(POLL_SECONDS)
            else:
                return


async def _remove(
    client: KubeClient, name: str, settings: StandSettings, *, store: str, progress: Callable[[str], None]
) -> None:
    by_hand = f"kubectl delete tenantcontrolplane {name} --namespace {settings.namespace}"
    progress(f"{store}: removing the tenant.")
    try:
        await client.delete(TENANT_CONTROL_PLANES, name, settings.namespace)
        async with asyncio.timeout(settings.gone_seconds):
            while True:
                await client.get(TENANT_CONTROL_PLANES, name, settings.namespace)
                await asyncio.sleep(POLL_SECONDS)
    except NotFoundError:
        return
    except TimeoutError:
        progress(f"{store}: the tenant is still there after {settings.gone_seconds:.0f} s: look at '{by_hand}'.")
    except ApiError as error:
        progress(f"{store}: the tenant could not be removed ({error}): do it with '{by_hand}'.")
    except asyncio.CancelledError:
        progress(f"{store}: interrupted while it is removed: see that it goes with '{by_hand}'.")
        raise
