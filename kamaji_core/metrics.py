"""What the operator tells Prometheus: Kamaji's metrics under Kamaji's names, and the runtime's own.

Gauges about tenants and stores are made from the caches at each scrape, never kept up to date by hand: they cannot
lag, they vanish with their object, and a pass pays nothing for them. The registry is our own, so that two operators
in one process (tests) do not mix.
"""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from kamaji_core import __version__
from kamaji_core.api import labels as wire
from kamaji_core.api.tenant_status import VersionStatus
from kamaji_core.kube import Priority, metadata_of
from kamaji_core.pki import CertificateError, read_certificate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
    from contextlib import AbstractAsyncContextManager
    from datetime import datetime

    from prometheus_client.metrics_core import Metric

    from kamaji_core.api.datastore import DataStore
    from kamaji_core.api.tenant_control_plane import TenantControlPlane
    from kamaji_core.boot import BootQueue
    from kamaji_core.certificates import SecretFacts
    from kamaji_core.datastore import OrphanFinder, Share
    from kamaji_core.kube import Answer, Request, Transport
    from kamaji_core.plugins import Plugins

BUCKETS = (
    *(0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.25, 1.5),
    *(1.75, 2, 2.5, 3, 3.5, 4, 4.5, 5, 6, 7, 8, 9, 10, 15, 20, 25, 30, 40, 50, 60),
)
"""Kamaji's buckets of handling times, seconds."""

QUEUE_BUCKETS = (0.001, 0.01, 0.1, 0.5, 1, 5, 10, 30, 60)
"""Of waiting and working; few, because every series of them lies in memory for each rank."""

READY_BUCKETS = (2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600)

EXPIRING_SHARE = 0.8
"""Share of a certificate's lifetime after which it counts as expiring: it should have been renewed long before."""


class Metrics:
    """The counters that running code moves; `registry` holds these and whatever is added to it."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.handling = Histogram(
            "kamaji_handler_time_seconds",
            "Time of one look at one object, by controller.",
            ["handler"],
            buckets=BUCKETS,
            registry=self.registry,
        )
        self.outcomes = Counter(
            "controller_runtime_reconcile",
            "Looks at objects, by controller and result.",
            ["controller", "result"],
            registry=self.registry,
        )
        self.requests = Counter(
            "kamaji_api_requests",
            "Requests to the management cluster's API server, by verb and status code (0: no answer).",
            ["verb", "code"],
            registry=self.registry,
        )
        self.loop_lag = Gauge(
            "kamaji_event_loop_lag_seconds", "How late the event loop was at its last look.", registry=self.registry
        )
        self.longest_loop_lag = Gauge(
            "kamaji_event_loop_lag_seconds_max", "How late it was at most since the start.", registry=self.registry
        )
        self.queue_depth = Gauge("workqueue_depth", "Objects that wait for a look.", ["name"], registry=self.registry)
        self.queue_wait = Histogram(
            "workqueue_queue_duration_seconds",
            "How long objects waited for a look.",
            ["name", "priority"],
            buckets=QUEUE_BUCKETS,
            registry=self.registry,
        )
        self.queue_work = Histogram(
            "workqueue_work_duration_seconds",
            "How long looks at objects took, failed ones included.",
            ["name"],
            buckets=QUEUE_BUCKETS,
            registry=self.registry,
        )
        self.queue_retries = Counter(
            "workqueue_retries", "Looks that failed and are repeated.", ["name"], registry=self.registry
        )
        self.time_to_ready = Histogram(
            "kamaji_tenant_time_to_ready_seconds",
            "From a tenant's creation to its first Ready.",
            buckets=READY_BUCKETS,
            registry=self.registry,
        )

    @contextlib.asynccontextmanager
    async def look(self, controller: str) -> AsyncIterator[None]:
        """Time one look at one object and count how it ended."""
        started = time.perf_counter()
        result = "error"
        try:
            yield
            result = "success"
        finally:
            self.handling.labels(controller).observe(time.perf_counter() - started)
            self.outcomes.labels(controller, result).inc()

    def render(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self.registry)


class MeasuredQueue:
    """Tells the life of one queue, under the names that controllers commonly use.

    Args:
        metrics: where it is told.
        name: of the controller.
    """

    def __init__(self, metrics: Metrics, name: str) -> None:
        self._depth = metrics.queue_depth.labels(name)
        self._work = metrics.queue_work.labels(name)
        self._retries = metrics.queue_retries.labels(name)
        self._wait = {rank: metrics.queue_wait.labels(name, rank.name.lower()) for rank in Priority}

    def depth(self, keys: int) -> None:
        """So many objects wait."""
        self._depth.set(keys)

    def waited(self, seconds: float, priority: Priority) -> None:
        """One is looked at after waiting so long."""
        self._wait[priority].observe(seconds)

    def worked(self, seconds: float) -> None:
        """One look took so long."""
        self._work.observe(seconds)

    def retried(self) -> None:
        """One look failed."""
        self._retries.inc()


class MeasuredTransport:
    """Counts the requests that it passes on.

    Args:
        transport: carries them.
        metrics: where they are counted.
    """

    def __init__(self, transport: Transport, metrics: Metrics) -> None:
        self._transport = transport
        self._requests = metrics.requests

    def send(self, request: Request) -> AbstractAsyncContextManager[Answer]:
        """Send a request and count how it was answered."""
        return self._send(request)

    @contextlib.asynccontextmanager
    async def _send(self, request: Request) -> AsyncIterator[Answer]:
        code = "0"
        try:
            async with self._transport.send(request) as answer:
                code = str(answer.status)
                yield answer
        finally:
            self._requests.labels(request.method, code).inc()


class StateCollector(Collector):
    """Gauges about what is known now.

    Args:
        tenants: the cached tenants.
        data_stores: the cached DataStores.
        secrets: the tenants' cached Secrets.
        deployments: the tenants' cached Deployments, as JSON.
        boot: who starts and who waits.
        plugins: what is installed.
        orphans: what tenants that are gone left at stores.
        shares: how large tenants' shares of their stores are.
        sessions: counts the sessions in tenants' clusters by their state.
        now: the present time, UTC.
    """

    def __init__(
        self,
        *,
        tenants: Mapping[tuple[str, str], TenantControlPlane],
        data_stores: Mapping[tuple[str, str], DataStore],
        secrets: Mapping[tuple[str, str], SecretFacts],
        deployments: Mapping[tuple[str, str], bytes],
        boot: BootQueue,
        plugins: Plugins,
        orphans: OrphanFinder,
        shares: Mapping[tuple[str, str], Share],
        sessions: Callable[[], Mapping[str, int]],
        now: Callable[[], datetime],
    ) -> None:
        self._tenants = tenants
        self._data_stores = data_stores
        self._secrets = secrets
        self._deployments = deployments
        self._boot = boot
        self._plugins = plugins
        self._orphans = orphans
        self._shares = shares
        self._sessions = sessions
        self._now = now
        self.take()

    def take(self) -> None:
        """Note what is known now, for the next `collect`: that may run in a thread while the caches change."""
        self._seen_tenants = list(self._tenants.values())
        self._seen_stores = list(self._data_stores.values())
        self._seen_secrets = list(self._secrets.values())
        self._seen_deployments = list(self._deployments.values())
        self._seen_sessions = self._sessions()
        self._seen_shares = list(self._shares.items())

    def collect(self) -> Iterable[Metric]:
        """Make all gauges."""
        build = GaugeMetricFamily("kamaji_build_info", "The operator's version.", labels=["version"])
        build.add_metric([__version__], 1)
        yield build
        yield from self._about_tenants()
        yield from self._about_stores()
        yield from self._about_shares()
        yield self._about_certificates()
        yield self._about_renderings()
        waiting = GaugeMetricFamily("kamaji_boot_queue", "Tenants that start now or wait for it.", labels=["state"])
        waiting.add_metric(["starting"], self._boot.starting)
        waiting.add_metric(["waiting"], self._boot.waiting)
        yield waiting
        sessions = GaugeMetricFamily("kamaji_tenant_sessions", "Sessions in tenants' clusters.", labels=["state"])
        for state, count in self._seen_sessions.items():
            sessions.add_metric([state], count)
        yield sessions
        yield self._about_plugins()
        orphans = GaugeMetricFamily(
            "kamaji_datastore_orphaned_claims",
            "Schemas at a store whose tenant does not exist.",
            labels=["datastore_name"],
        )
        for name, count in self._orphans.counts.items():
            orphans.add_metric([name], count)
        yield orphans

    def _about_plugins(self) -> Metric:
        family = GaugeMetricFamily(
            "kamaji_plugin_info", "An installed plugin.", labels=["plugin", "distribution", "version", "state"]
        )
        for plugin in self._plugins.listed:
            family.add_metric([plugin.name, plugin.distribution, plugin.version, str(plugin.state)], 1)
        return family

    def _about_tenants(self) -> Iterator[Metric]:
        info = GaugeMetricFamily(
            "kamaji_tenant_control_plane_info",
            "A tenant control plane.",
            labels=[
                "tcp_namespace",
                "tcp_name",
                "kubernetes_version",
                "datastore_driver",
                "address",
                "exposure_strategy",
            ],
        )
        status = GaugeMetricFamily(
            "kamaji_tenant_control_plane_status",
            "State of a tenant control plane.",
            labels=["tcp_namespace", "tcp_name", "status", "ready"],
        )
        current = {"true": 0, "false": 0}
        for tenant in self._seen_tenants:
            key = [tenant.metadata.namespace, tenant.metadata.name]
            state = tenant.status.kubernetes_resources.version.status or VersionStatus.UNKNOWN
            ready = str(state is VersionStatus.READY).lower()
            current[ready] += 1
            endpoint = tenant.status.control_plane_endpoint
            address = f"https://{endpoint}" if endpoint else ""
            driver = tenant.status.storage.driver or "unknown"
            info.add_metric([*key, tenant.spec.kubernetes.version or "unknown", driver, address, "service"], 1)
            status.add_metric([*key, str(state), ready], 1)
        total = GaugeMetricFamily("kamaji_tenant_control_planes_current", "Tenant control planes.", labels=["ready"])
        for ready, count in current.items():
            total.add_metric([ready], count)
        yield from (info, status, total)

    def _about_stores(self) -> Iterator[Metric]:
        info = GaugeMetricFamily("kamaji_datastore_info", "A DataStore.", labels=["datastore_name", "driver"])
        status = GaugeMetricFamily(
            "kamaji_datastore_status", "State of a DataStore.", labels=["datastore_name", "status", "ready"]
        )
        current = GaugeMetricFamily(
            "kamaji_datastores_current", "DataStores.", labels=["datastore_name", "ready", "driver"]
        )
        for store in self._seen_stores:
            name, driver = store.metadata.name, store.spec.driver
            is_ready = bool(store.status and store.status.ready)
            info.add_metric([name, driver], 1)
            status.add_metric([name, str(is_ready), str(is_ready).lower()], 1)
            for ready in (True, False):
                current.add_metric([name, str(ready).lower(), driver], float(ready is is_ready))
        yield from (info, status, current)

    def _about_shares(self) -> Iterator[Metric]:
        labels = ["tcp_namespace", "tcp_name", "datastore_name"]
        size = GaugeMetricFamily(
            "kamaji_tenant_datastore_bytes", "Names and contents of a tenant's data, as measured last.", labels=labels
        )
        keys = GaugeMetricFamily(
            "kamaji_tenant_datastore_keys", "Keys or rows of a tenant's data, as measured last.", labels=labels
        )
        for key, share in self._seen_shares:
            size.add_metric([*key, share.datastore], share.usage.bytes)
            keys.add_metric([*key, share.datastore], share.usage.keys)
        yield from (size, keys)

    def _about_certificates(self) -> Metric:
        family = GaugeMetricFamily(
            "kamaji_certificates_current",
            "Certificates of a tenant by state.",
            labels=["tcp_namespace", "tcp_name", "status", "strategy"],
        )
        counts: dict[tuple[str, str, str, str], int] = {}
        for secret in self._seen_secrets:
            strategy = secret.labels.get(wire.CERTIFICATE_LIFECYCLE_LABEL)
            name = secret.labels.get(wire.NAME_LABEL)
            if strategy and name:
                key = (secret.namespace, name, self._state_of(secret), strategy)
                counts[key] = counts.get(key, 0) + 1
        for labels, count in counts.items():
            family.add_metric(list(labels), count)
        return family

    def _state_of(self, secret: SecretFacts) -> str:
        pems = [*secret.certificates.values(), *(item.certificate for item in secret.kubeconfigs.values())]
        state = "valid"
        for pem in pems:
            try:
                certificate = read_certificate(pem)
            except CertificateError:
                return "invalid"
            lifetime = certificate.not_after - certificate.not_before
            if self._now() >= certificate.not_after:
                return "invalid"
            if self._now() >= certificate.not_before + lifetime * EXPIRING_SHARE:
                state = "expiring"
        return state

    def _about_renderings(self) -> Metric:
        family = GaugeMetricFamily(
            "kamaji_renderings", "Deployments by the revision of the renderer that made them.", labels=["revision"]
        )
        counts: dict[str, int] = {}
        for deployment in self._seen_deployments:
            annotations = metadata_of(deployment).annotations or {}
            revision = annotations.get(wire.RENDERER_ANNOTATION, "unknown")
            counts[revision] = counts.get(revision, 0) + 1
        for revision, count in counts.items():
            family.add_metric([revision], count)
        return family
