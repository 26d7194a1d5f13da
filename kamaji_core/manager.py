"""Wiring and life of the operator: caches first, then the Lease, then workers, and all of it ended in reverse.

A manager owns every long-lived task. Caches are filled whoever leads, so that a standby takes over at once. Workers
start when the caches are complete, so that no pass takes an empty cache for an empty cluster, and run while the Lease
is held; when it is lost, they are ended before anybody else can begin, and all of it starts anew at the next term.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import structlog

from kamaji_core import __version__
from kamaji_core.api import labels as wire
from kamaji_core.api.conditions import DataStoreReason, TenantReason
from kamaji_core.api.datastore import DataStore
from kamaji_core.api.tenant_control_plane import TenantControlPlane
from kamaji_core.boot import BootQueue, is_starting, width_for
from kamaji_core.certificates import SecretFacts, read_secret
from kamaji_core.contracts import ManagerView
from kamaji_core.datastore import DataStoreController, OpenStores, OrphanFinder, ShareSampler
from kamaji_core.datastore.samples import INTERVAL_SECONDS
from kamaji_core.extensions import Extensions
from kamaji_core.health import serve_health, serve_metrics
from kamaji_core.kube import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    LEASES,
    PERSISTENT_VOLUME_CLAIMS,
    SECRETS,
    SERVICES,
    ApiError,
    ClusterConfig,
    EventRecorder,
    EventType,
    HttpTransport,
    Informer,
    KubeClient,
    Leadership,
    LeaderTransport,
    LeaseSettings,
    ObjectReference,
    Priority,
    Resource,
    SecretInformer,
    Supervisor,
    Unpacked,
    WorkQueue,
    lead,
    metadata_of,
    pack,
    run_workers,
    server_minor,
)
from kamaji_core.lag import watch_lag
from kamaji_core.metrics import MeasuredQueue, MeasuredTransport, Metrics, StateCollector
from kamaji_core.soot import LOOK_SECONDS, SessionCaches, Sessions
from kamaji_core.tenancy import DATA_STORES, TENANT_CONTROL_PLANES, Tenancy, TenantKey
from kamaji_core.tenant import TenantController
from kamaji_core.tenant.events import Said
from kamaji_core.tenant.facts import Caches
from kamaji_core.tenant.strays import Strays

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kamaji_core.plugins import Plugins

log = structlog.get_logger()

STORE_USED_DELAY_SECONDS = 1.0
"""How long a change of a store's users is held back for others to join it."""

STORE_WORKERS = 8
"""DataStores looked at at a time: a look is waiting, and one at a silent store takes seconds."""

VANISHED_DELAY_SECONDS = 1.0
"""How long after a tenant vanished, without having been let go here, its store is asked what it left."""

FIRST_ORPHANS_SECONDS = 30.0
"""Within what time of the start each store is asked for the first time."""

SIDECAR_MINOR = 29
"""The first minor of Kubernetes 1 with native sidecars."""

SAMPLERS = 4
"""Tenants whose shares of their stores are looked at at a time; those of one store wait for one another."""

FIRST_SAMPLE_SECONDS = 60.0
"""Within what time a new tenant's share is looked at for the first time."""

NODES = Resource(group="", version="v1", plural="nodes", kind="Node", namespaced=False)
OWNED = f"{wire.PROJECT_LABEL}={wire.PROJECT}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How an operator runs.

    Args:
        default_store: the DataStore of tenants that name none; empty for no default.
        tenant_workers: how many tenants are worked on at a time.
        boot_width: how many control planes may start at once; 0 takes it from the nodes' cores.
        tenant_sessions: whether it works inside tenants' clusters.
        tenant_look_seconds: between two looks at everything inside one of them.
        lease: which Lease decides who leads; None when nobody else runs.
        health_address: `host:port` of the health endpoint; an empty host means all addresses, empty means none.
        metrics_address: the same for metrics.
    """

    default_store: str = ""
    tenant_workers: int = 8
    boot_width: int = 0
    tenant_sessions: bool = True
    tenant_look_seconds: float = LOOK_SECONDS
    lease: LeaseSettings | None = None
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
        self._identity = f"{socket.gethostname()}_{uuid.uuid4()}"
        self._events = EventRecorder(client, instance=self._identity)
        self._tenant_queue: WorkQueue[TenantKey] = WorkQueue(
            group=lambda key: key[0], observer=MeasuredQueue(self._metrics, "tenantcontrolplane")
        )
        self._store_queue: WorkQueue[str] = WorkQueue(observer=MeasuredQueue(self._metrics, "datastore"))
        self._orphan_queue: WorkQueue[str] = WorkQueue()
        self._sample_queue: WorkQueue[TenantKey] = WorkQueue()
        self._extensions = Extensions(plugins.loaded)
        self._boot = BootQueue(wake=self._tenant_queue.add, width=settings.boot_width, store_width=self._store_width)
        self._stores = OpenStores()
        self._tenancy = Tenancy(
            default_store=settings.default_store,
            wake=self._tenant_queue.add,
            store_used=lambda name: self._store_queue.add_after(name, STORE_USED_DELAY_SECONDS),
        )
        writer = client.through(lambda transport: LeaderTransport(transport, lambda: self._tenancy.leadership))
        self._orphans = OrphanFinder(stores=self._stores, tenancy=self._tenancy, tell=self._tell_orphan)
        self._released: set[str] = set()
        self._strays = Strays()
        self._tenants = Informer[TenantControlPlane](
            client,
            TENANT_CONTROL_PLANES,
            decode=lambda raw: msgspec.json.decode(raw, type=TenantControlPlane),
            on_change=self._tenant_changed,
        )
        self._sampler = ShareSampler(
            tenants=self._tenants.store, stores=self._stores, tenancy=self._tenancy, tell=self._tell_share
        )
        self._data_stores = Informer[DataStore](
            client,
            DATA_STORES,
            decode=lambda raw: msgspec.json.decode(raw, type=DataStore),
            on_change=self._store_changed,
        )
        self._services = self._owned(SERVICES)
        self._deployments = self._owned(DEPLOYMENTS)
        self._config_maps = self._owned(CONFIG_MAPS)
        self._volume_claims = self._owned(PERSISTENT_VOLUME_CLAIMS)
        self._secrets = SecretInformer[SecretFacts](
            client,
            SECRETS,
            decode=lambda raw: read_secret(msgspec.json.decode(raw)),
            on_change=self._secret_changed,
            label_selector=OWNED,
        )
        self._store_controller = DataStoreController(
            client=writer,
            informer=self._data_stores,
            stores=self._stores,
            plugins=plugins,
            tenancy=self._tenancy,
            wake=self._store_queue.add,
            tell=self._tell_store,
            now=_now,
        )
        self._tenant_controller = TenantController(
            client=writer,
            tenants=self._tenants.store,
            data_stores=self._data_stores.store,
            caches=Caches(
                services=Unpacked(self._services.store),
                deployments=Unpacked(self._deployments.store),
                config_maps=Unpacked(self._config_maps.store),
                volume_claims=Unpacked(self._volume_claims.store),
                secrets=self._secrets.store,
                strays=self._strays,
            ),
            stores=self._stores,
            tenancy=self._tenancy,
            boot=self._boot,
            extensions=self._extensions,
            remember=self._remember,
            tell=self._tell_tenant,
            released=self._tenant_released,
            now=_now,
        )
        self._sessions = Sessions(
            client=client,
            caches=SessionCaches(
                tenants=self._tenants.store,
                services=Unpacked(self._services.store),
                deployments=self._deployments.store,
                secrets=self._secrets.store,
            ),
            tenancy=self._tenancy,
            look_seconds=settings.tenant_look_seconds,
            addons=plugins.addons,
        )
        self._state = StateCollector(
            tenants=self._tenants.store,
            data_stores=self._data_stores.store,
            secrets=self._secrets.store,
            deployments=self._deployments.store,
            boot=self._boot,
            plugins=plugins,
            orphans=self._orphans,
            shares=self._sampler.shares,
            sessions=self._sessions.counts,
            now=_now,
        )
        self._metrics.registry.register(self._state)
        self._working = asyncio.Event()

    @property
    def ready(self) -> bool:
        """Whether the caches are complete: it works, or would at once if the one that leads ended."""
        return all(informer.synced.is_set() for informer in self._informers)

    @property
    def working(self) -> bool:
        """Whether it leads and works."""
        return self._working.is_set()

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
        async with contextlib.AsyncExitStack() as stack:
            if self._settings.health_address:
                await stack.enter_async_context(serve_health(self._settings.health_address, ready=lambda: self.ready))
            if self._settings.metrics_address:
                await stack.enter_async_context(
                    serve_metrics(self._settings.metrics_address, render=self._render_metrics)
                )
            supervisor = await stack.enter_async_context(Supervisor())
            for informer in self._informers:
                supervisor.start(f"watch {informer.resource.plural}", informer.run)
            supervisor.start("events", self._events.run)
            supervisor.start("lag", lambda: watch_lag(self._metrics))
            synced = asyncio.gather(*(informer.synced.wait() for informer in self._informers))
            await _until_stopped(stop, synced)
            if stop.is_set():
                return
            await _until_stopped(stop, asyncio.ensure_future(self._lead()))
            log.info("stopping")
            await self._events.drain()

    @property
    def _informers(self) -> tuple[Informer[Any], ...]:
        return (
            self._tenants,
            self._data_stores,
            self._services,
            self._deployments,
            self._config_maps,
            self._volume_claims,
            self._secrets,
        )

    async def _lead(self) -> None:
        """Work whenever the Lease is ours, until cancelled."""
        if self._settings.lease is None:
            await self._work(None)
        else:
            await lead(self._client, self._settings.lease, self._work, identity=self._identity)

    async def _work(self, leadership: Leadership | None) -> None:
        """Do what only a leader does, until cancelled."""
        self._tenancy.begin_term(leadership)
        if leadership is not None:
            self._tell_election()
        async with contextlib.AsyncExitStack() as stack:
            stack.callback(self._working.clear)
            stack.push_async_callback(self._stores.aclose)
            stack.push_async_callback(self._store_controller.aclose)
            stack.callback(self._boot.aclose)
            stack.push_async_callback(self._sessions.aclose)
            self._tenant_controller.native_sidecars = await self._knows_sidecars()
            await self._prepare_boots()
            for key in self._tenants.store:
                self._tenant_queue.add(key, Priority.BACKLOG)
                self._sample_queue.add_after(key, random.random() * INTERVAL_SECONDS)  # noqa: S311 - spreads load
            for _, name in self._data_stores.store:
                self._store_queue.add(name, Priority.BACKLOG)
                self._orphan_queue.add_after(name, random.uniform(0.3, 1) * FIRST_ORPHANS_SECONDS)  # noqa: S311 - spreads load
            supervisor = await stack.enter_async_context(Supervisor())
            supervisor.start("datastores", self._work_on_stores)
            supervisor.start("tenants", self._work_on_tenants)
            supervisor.start("orphans", lambda: run_workers(self._orphan_queue, self._look_for_orphans, workers=1))
            supervisor.start("shares", lambda: run_workers(self._sample_queue, self._sampler.look, workers=SAMPLERS))
            self._extensions.start(
                ManagerView(version=__version__, supervise=lambda name, run: supervisor.start(f"plugin: {name}", run))
            )
            self._working.set()
            log.info("working", tenants=len(self._tenants.store), datastores=len(self._data_stores.store))
            await asyncio.Event().wait()

    async def _knows_sidecars(self) -> bool:
        """Ask for the management cluster's version; one that does not tell is taken for a present one."""
        try:
            minor = await server_minor(self._client)
        except ApiError as error:
            log.warning("cannot tell the management cluster's version", error=str(error))
            return True
        return minor >= SIDECAR_MINOR

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
        for key, deployment in Unpacked(self._deployments.store).items():
            tenant = self._tenants.store.get(key)
            if tenant is not None and is_starting(deployment):
                self._boot.hold(key, store=self._tenancy.store_of(tenant))

    async def _render_metrics(self) -> bytes:
        self._state.take()
        return await asyncio.to_thread(self._metrics.render)

    async def _look_at_store(self, name: str) -> float | None:
        async with self._metrics.look("datastore"):
            return await self._store_controller.reconcile(name)

    async def _look_at_tenant(self, key: TenantKey) -> float | None:
        try:
            async with self._metrics.look("tenantcontrolplane"):
                return await self._tenant_controller.reconcile(key)
        finally:
            if self._settings.tenant_sessions:
                self._sessions.observe(key)

    async def _look_for_orphans(self, name: str) -> float | None:
        again = await self._orphans.look(name)
        return again if ("", name) in self._data_stores.store else None

    async def _work_on_stores(self) -> None:
        await run_workers(self._store_queue, self._look_at_store, workers=STORE_WORKERS)

    async def _work_on_tenants(self) -> None:
        workers = self._settings.tenant_workers
        await run_workers(self._tenant_queue, self._look_at_tenant, workers=workers)

    def _store_width(self, name: str) -> int:
        """How many tenants of a store may start at once; 0 where it says nothing that can be understood."""
        store = self._data_stores.store.get(("", name))
        value = store.metadata.annotations.get(wire.BOOTS_ANNOTATION, "") if store else ""
        return int(value) if value.isascii() and value.isdecimal() else 0

    def _owned(self, resource: Resource) -> Informer[bytes]:
        def changed(key: TenantKey, before: bytes | None, after: bytes | None) -> None:
            self._owned_changed(resource, key, _identity(before), _identity(after))

        return Informer[bytes](
            self._client,
            resource,
            decode=lambda raw: pack(raw, manager=wire.FIELD_OWNER),
            on_change=changed,
            label_selector=OWNED,
        )

    def _secret_changed(self, key: TenantKey, before: SecretFacts | None, after: SecretFacts | None) -> None:
        self._owned_changed(SECRETS, key, *(_Identity.of_secret(one) if one else None for one in (before, after)))

    def _owned_changed(
        self, resource: Resource, key: TenantKey, before: _Identity | None, after: _Identity | None
    ) -> None:
        if before and (after is None or after.tenant != before.tenant):
            self._note_owned(resource, key, before.tenant, uid="", owner_uid="")
        if after:
            self._note_owned(resource, key, after.tenant, uid=after.uid, owner_uid=after.owner_uid)

    def _note_owned(self, resource: Resource, key: TenantKey, tenant: str, *, uid: str, owner_uid: str) -> None:
        if tenant:
            self._strays.observe(resource, key, tenant=tenant, uid=uid, owner_uid=owner_uid)
            self._tenant_queue.add((key[0], tenant), self._rank(Priority.EVENT))

    def _tenant_changed(
        self, key: TenantKey, before: TenantControlPlane | None, after: TenantControlPlane | None
    ) -> None:
        self._tenancy.observe(key, after)
        if _became_ready(before, after):
            created = after.metadata.creation_timestamp if after else None
            if created:
                self._metrics.time_to_ready.observe((_now() - created).total_seconds())
        if after is None and before is not None:
            self._note_vanished(before)
        if before is None and self._working.is_set():
            self._sample_queue.add_after(key, random.uniform(0.5, 1) * FIRST_SAMPLE_SECONDS)  # noqa: S311 - spreads load
        elif after is None:
            self._sample_queue.add(key)
        asked = before is not None and after is not None and before.metadata.generation != after.metadata.generation
        self._tenant_queue.add(key, self._rank(Priority.INTERACTIVE if asked else Priority.EVENT))

    def _note_vanished(self, tenant: TenantControlPlane) -> None:
        if tenant.metadata.uid in self._released:
            self._released.discard(tenant.metadata.uid)
        else:
            self._orphan_queue.add_after(self._tenancy.store_of(tenant), VANISHED_DELAY_SECONDS)

    def _store_changed(self, key: TenantKey, before: DataStore | None, _after: DataStore | None) -> None:
        self._store_queue.add(key[1], self._rank(Priority.EVENT))
        if before is None:
            self._orphan_queue.add_after(key[1], FIRST_ORPHANS_SECONDS)
        self._boot.reconsider()

    def _rank(self, priority: Priority) -> Priority:
        """What a first list tells of is backlog: nothing has happened to it."""
        return priority if self._working.is_set() else Priority.BACKLOG

    def _tenant_released(self, tenant: TenantControlPlane, left_behind: str) -> None:
        if (tenant.metadata.namespace, tenant.metadata.name) in self._tenants.store:
            self._released.add(tenant.metadata.uid)
        store = self._data_stores.store.get(("", self._tenancy.store_of(tenant)))
        if left_behind and store is not None:
            sentence = f"Of the tenant {tenant.metadata.namespace}/{tenant.metadata.name}: {left_behind}"
            self._tell_store(store, "Warning", TenantReason.DATA_LEFT_BEHIND, sentence)

    def _tell_tenant(self, tenant: TenantControlPlane, said: Said) -> None:
        metadata = tenant.metadata
        reference = _reference(TENANT_CONTROL_PLANES, metadata.name, namespace=metadata.namespace, uid=metadata.uid)
        self._events.event(reference, said.type, said.reason, said.message)

    def _tell_store(self, store: DataStore, kind: EventType, reason: str, message: str) -> None:
        self._events.event(_reference(DATA_STORES, store.metadata.name, uid=store.metadata.uid), kind, reason, message)

    def _tell_share(self, tenant: TenantControlPlane, message: str) -> None:
        log.warning("a tenant's share has changed", namespace=tenant.metadata.namespace, tenant=tenant.metadata.name)
        self._tell_tenant(tenant, Said("Warning", TenantReason.DATA_STORE_SHARE_CHANGED, message))

    def _tell_orphan(self, name: str, message: str) -> None:
        log.warning("a claim has no tenant", datastore=name, reason=DataStoreReason.ORPHANED_CLAIM, said=message)
        if (store := self._data_stores.store.get(("", name))) is not None:
            self._tell_store(store, "Warning", DataStoreReason.ORPHANED_CLAIM, message)

    def _tell_election(self) -> None:
        if (lease := self._settings.lease) is not None:
            reference = _reference(LEASES, lease.name, namespace=lease.namespace)
            self._events.event(reference, "Normal", "LeaderElection", f"{self._identity} became leader")

    def _remember(self, answer: Mapping[str, Any]) -> None:
        informers: dict[str, Informer[Any]] = {
            "TenantControlPlane": self._tenants,
            "Service": self._services,
            "Deployment": self._deployments,
            "ConfigMap": self._config_maps,
            "PersistentVolumeClaim": self._volume_claims,
            "Secret": self._secrets,
        }
        informers[answer["kind"]].put(dict(answer))


async def run_manager(config: ClusterConfig, *, plugins: Plugins, settings: Settings, stop: asyncio.Event) -> None:
    """Run an operator against a cluster until asked to stop."""
    metrics = Metrics()
    connections = HttpTransport(config)
    try:
        transport = MeasuredTransport(connections, metrics)
        async with KubeClient(config, transport=transport) as client:
            await Manager(client, plugins=plugins, settings=settings, metrics=metrics).run(stop)
    finally:
        await connections.aclose()


async def _until_stopped(stop: asyncio.Event, work: asyncio.Future[Any]) -> None:
    """Wait for work or for the stop, whichever is first; what is not done then is cancelled, what failed is raised."""
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({stopping, work}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for future in (stopping, work):
            future.cancel()
        await asyncio.gather(stopping, work, return_exceptions=True)
    if not work.cancelled():
        work.result()


def _became_ready(before: TenantControlPlane | None, after: TenantControlPlane | None) -> bool:
    """Whether a tenant is Ready for the first time in its life."""
    if before is None or after is None:
        return False
    return bool(
        after.status.kubernetes_resources.version.version and not before.status.kubernetes_resources.version.version
    )


class _Identity(NamedTuple):
    """What an owned object says of itself: its tenant's name, its UID, its controller's."""

    tenant: str
    uid: str
    owner_uid: str

    @classmethod
    def of_secret(cls, secret: SecretFacts) -> _Identity:
        """That of a Secret."""
        return cls(secret.labels.get(wire.NAME_LABEL, ""), secret.uid, secret.owner_uid)


def _identity(packed: bytes | None) -> _Identity | None:
    if packed is None:
        return None
    metadata = metadata_of(packed)
    return _Identity((metadata.labels or {}).get(wire.NAME_LABEL, ""), metadata.uid, metadata.controller)


def _reference(resource: Resource, name: str, *, namespace: str = "", uid: str = "") -> ObjectReference:
    return ObjectReference(
        api_version=resource.api_version, kind=resource.kind, name=name, namespace=namespace, uid=uid
    )


def _now() -> datetime:
    return datetime.now(UTC)
