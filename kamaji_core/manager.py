"""Wiring and life of the operator: caches first, then stores, then workers, and all of it ended in reverse.

A manager owns every long-lived task. Workers start when the caches are complete, so that no pass takes an empty cache
for an empty cluster.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
import structlog

from kamaji_core import __version__
from kamaji_core.api import labels as wire
from kamaji_core.api.datastore import DataStore
from kamaji_core.api.tenant_control_plane import TenantControlPlane
from kamaji_core.boot import BootQueue, is_starting, width_for
from kamaji_core.certificates import SecretFacts, read_secret
from kamaji_core.datastore import DataStoreController, OpenStores
from kamaji_core.health import serve_health, serve_metrics
from kamaji_core.kube import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    SECRETS,
    SERVICES,
    ApiError,
    ClusterConfig,
    HttpTransport,
    Informer,
    KubeClient,
    Resource,
    Supervisor,
    WorkQueue,
    keep_own_managed_fields,
    run_workers,
)
from kamaji_core.metrics import MeasuredTransport, Metrics, StateCollector
from kamaji_core.tenancy import DATA_STORES, TENANT_CONTROL_PLANES, Tenancy, TenantKey
from kamaji_core.tenant import TenantController
from kamaji_core.tenant.facts import Caches

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kamaji_core.plugins import Plugins

log = structlog.get_logger()

STORE_USED_DELAY_SECONDS = 1.0
"""How long a change of a store's users is held back for others to join it."""

NODES = Resource(group="", version="v1", plural="nodes", kind="Node", namespaced=False)
USER_AGENT = f"kamaji/{__version__}"
OWNED = f"{wire.PROJECT_LABEL}={wire.PROJECT}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How an operator runs.

    Args:
        default_store: the DataStore of tenants that name none; empty for no default.
        tenant_workers: how many tenants are worked on at a time.
        boot_width: how many control planes may start at once; 0 takes it from the nodes' cores.
        health_address: `host:port` of the health endpoint; an empty host means all addresses, empty means none.
        metrics_address: the same for metrics.
    """

    default_store: str = ""
    tenant_workers: int = 8
    boot_width: int = 0
    health_address: str = ":8081"
    metrics_address: str = ":8080"


class Manager:
    """The running operator.

    Args:
        client: of the management cluster.
        plugins: what is installed.
        settings: how to run.
        metrics: where it counts what it does.
    """

    def __init__(
        self, client: KubeClient, *, plugins: Plugins, settings: Settings, metrics: Metrics | None = None
    ) -> None:
        self._client = client
        self._metrics = metrics or Metrics()
        self._settings = settings
        self._tenant_queue: WorkQueue[TenantKey] = WorkQueue()
        self._store_queue: WorkQueue[str] = WorkQueue()
        self._boot = BootQueue(wake=self._tenant_queue.add, width=settings.boot_width)
        self._stores = OpenStores()
        self._tenancy = Tenancy(
            default_store=settings.default_store,
            wake=self._tenant_queue.add,
            store_used=lambda name: self._store_queue.add_after(name, STORE_USED_DELAY_SECONDS),
        )
        self._tenants = Informer[TenantControlPlane](
            client,
            TENANT_CONTROL_PLANES,
            decode=lambda raw: msgspec.json.decode(raw, type=TenantControlPlane),
            on_change=self._tenant_changed,
        )
        self._data_stores = Informer[DataStore](
            client,
            DATA_STORES,
            decode=lambda raw: msgspec.json.decode(raw, type=DataStore),
            on_change=lambda key, _before, _after: self._store_queue.add(key[1]),
        )
        self._services = self._owned(SERVICES)
        self._deployments = self._owned(DEPLOYMENTS)
        self._config_maps = self._owned(CONFIG_MAPS)
        self._secrets = Informer[SecretFacts](
            client,
            SECRETS,
            decode=lambda raw: read_secret(msgspec.json.decode(raw)),
            on_change=lambda key, before, after: self._owned_changed(
                key,
                (after or before).labels if after or before else {},  # type: ignore[union-attr]
            ),
            label_selector=OWNED,
        )
        self._store_controller = DataStoreController(
            client=client,
            informer=self._data_stores,
            stores=self._stores,
            plugins=plugins,
            tenancy=self._tenancy,
            wake=self._store_queue.add,
            now=_now,
        )
        self._tenant_controller = TenantController(
            client=client,
            tenants=self._tenants.store,
            data_stores=self._data_stores.store,
            caches=Caches(
                services=self._services.store,
                deployments=self._deployments.store,
                config_maps=self._config_maps.store,
                secrets=self._secrets.store,
            ),
            stores=self._stores,
            tenancy=self._tenancy,
            boot=self._boot,
            remember=self._remember,
            now=_now,
        )
        self._state = StateCollector(
            tenants=self._tenants.store,
            data_stores=self._data_stores.store,
            secrets=self._secrets.store,
            deployments=self._deployments.store,
            boot=self._boot,
            plugins=plugins,
            now=_now,
        )
        self._metrics.registry.register(self._state)
        self._ready = asyncio.Event()

    @property
    def ready(self) -> bool:
        """Whether the caches are complete and work has begun."""
        return self._ready.is_set()

    @property
    def idle(self) -> bool:
        """Whether no tenant and no store waits or is worked on; what waits for its time does not count."""
        return self._tenant_queue.idle and self._store_queue.idle

    def wake(self, key: TenantKey) -> None:
        """Ask for a look at one tenant."""
        self._tenant_queue.add(key)

    async def run(self, stop: asyncio.Event) -> None:
        """Run until asked to stop; everything started is ended before this returns.

        Args:
            stop: set it to end the operator.
        """
        informers = (
            self._tenants,
            self._data_stores,
            self._services,
            self._deployments,
            self._config_maps,
            self._secrets,
        )
        async with contextlib.AsyncExitStack() as stack:
            if self._settings.health_address:
                await stack.enter_async_context(serve_health(self._settings.health_address, ready=lambda: self.ready))
            if self._settings.metrics_address:
                await stack.enter_async_context(
                    serve_metrics(self._settings.metrics_address, render=self._render_metrics)
                )
            stack.push_async_callback(self._stores.aclose)
            stack.push_async_callback(self._store_controller.aclose)
            supervisor = await stack.enter_async_context(Supervisor())
            for informer in informers:
                supervisor.start(f"watch {informer.resource.plural}", informer.run)
            await _until_stopped(stop, asyncio.gather(*(informer.synced.wait() for informer in informers)))
            if stop.is_set():
                return
            stack.callback(self._boot.aclose)
            await self._prepare_boots()
            supervisor.start("datastores", self._work_on_stores)
            supervisor.start("tenants", self._work_on_tenants)
            self._ready.set()
            log.info("working", tenants=len(self._tenants.store), datastores=len(self._data_stores.store))
            await stop.wait()
            log.info("stopping")

    async def _prepare_boots(self) -> None:
        """Set how many may start at once, and count those that are starting already."""
        if self._settings.boot_width == 0:
            try:
                listing = await self._client.list(NODES)
                nodes = [msgspec.json.decode(item) for item in listing.items]
            except ApiError as error:
                log.warning("cannot list the nodes to find how many tenants may start at once", error=str(error))
                nodes = []
            self._boot.set_width(width_for(nodes))
        for key, deployment in self._deployments.store.items():
            if is_starting(deployment):
                self._boot.hold(key)

    async def _render_metrics(self) -> bytes:
        self._state.take()
        return await asyncio.to_thread(self._metrics.render)

    async def _look_at_store(self, name: str) -> float | None:
        async with self._metrics.look("datastore"):
            return await self._store_controller.reconcile(name)

    async def _look_at_tenant(self, key: TenantKey) -> float | None:
        async with self._metrics.look("tenantcontrolplane"):
            return await self._tenant_controller.reconcile(key)

    async def _work_on_stores(self) -> None:
        await run_workers(self._store_queue, self._look_at_store, workers=2)

    async def _work_on_tenants(self) -> None:
        workers = self._settings.tenant_workers
        await run_workers(self._tenant_queue, self._look_at_tenant, workers=workers)

    def _owned(self, resource: Any) -> Informer[dict[str, Any]]:
        return Informer[dict[str, Any]](
            self._client,
            resource,
            decode=lambda raw: keep_own_managed_fields(msgspec.json.decode(raw), wire.FIELD_OWNER),
            on_change=lambda key, before, after: self._owned_changed(
                key, (after or before or {}).get("metadata", {}).get("labels", {})
            ),
            label_selector=OWNED,
        )

    def _tenant_changed(
        self, key: TenantKey, before: TenantControlPlane | None, after: TenantControlPlane | None
    ) -> None:
        self._tenancy.observe(key, after)
        if _became_ready(before, after):
            created = after.metadata.creation_timestamp if after else None
            if created:
                self._metrics.time_to_ready.observe((_now() - created).total_seconds())
        self._tenant_queue.add(key)

    def _owned_changed(self, key: TenantKey, labels: Mapping[str, str]) -> None:
        name = labels.get(wire.NAME_LABEL)
        if name:
            self._tenant_queue.add((key[0], name))

    def _remember(self, answer: Mapping[str, Any]) -> None:
        informers: dict[str, Informer[Any]] = {
            "TenantControlPlane": self._tenants,
            "Service": self._services,
            "Deployment": self._deployments,
            "ConfigMap": self._config_maps,
            "Secret": self._secrets,
        }
        informers[answer["kind"]].put(dict(answer))


async def run_manager(config: ClusterConfig, *, plugins: Plugins, settings: Settings, stop: asyncio.Event) -> None:
    """Run an operator against a cluster until asked to stop."""
    metrics = Metrics()
    connections = HttpTransport(config, user_agent=USER_AGENT)
    try:
        async with KubeClient(
            config, user_agent=USER_AGENT, transport=MeasuredTransport(connections, metrics)
        ) as client:
            await Manager(client, plugins=plugins, settings=settings, metrics=metrics).run(stop)
    finally:
        await connections.aclose()


async def _until_stopped(stop: asyncio.Event, work: asyncio.Future[Any]) -> None:
    """Wait for work or for the stop, whichever is first; work that is not done is cancelled."""
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({stopping, work}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for future in (stopping, work):
            future.cancel()
        await asyncio.gather(stopping, work, return_exceptions=True)


def _became_ready(before: TenantControlPlane | None, after: TenantControlPlane | None) -> bool:
    """Whether a tenant is Ready for the first time in its life."""
    if before is None or after is None:
        return False
    return bool(
        after.status.kubernetes_resources.version.version and not before.status.kubernetes_resources.version.version
    )


def _now() -> datetime:
    return datetime.now(UTC)
