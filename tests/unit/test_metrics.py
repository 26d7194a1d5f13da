"""Metrics carry Kamaji's names and tell what the caches hold at the moment of the scrape."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec
import pytest

from kamaji_core.api.datastore import DataStore
from kamaji_core.api.tenant_control_plane import TenantControlPlane
from kamaji_core.boot import BootQueue
from kamaji_core.certificates import SecretFacts
from kamaji_core.contracts import Usage
from kamaji_core.datastore import Share
from kamaji_core.health import serve_metrics
from kamaji_core.kube import Priority, Request
from kamaji_core.metrics import MeasuredQueue, MeasuredTransport, Metrics, StateCollector
from kamaji_core.pki import issue_ca
from kamaji_core.plugins import Plugin, Plugins
from kamaji_core.testing import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def tenant(name: str, status: str | None) -> TenantControlPlane:
    """A tenant in some state."""
    version = {"version": {"status": status}} if status else {}
    manifest: dict[str, Any] = {
        "metadata": {"name": name, "namespace": "team-a"},
        "spec": {
            "controlPlane": {"service": {"serviceType": "ClusterIP"}},
            "kubernetes": {"version": "v1.37.1", "kubelet": {}},
        },
        "status": {
            "controlPlaneEndpoint": "10.0.0.7:6443",
            "storage": {"driver": "paper"},
            "kubernetesResources": version,
        },
    }
    return msgspec.convert(manifest, TenantControlPlane)


def certificate(name: str, age: timedelta) -> SecretFacts:
    """A Secret with a certificate of 100 days."""
    pair = issue_ca(common_name="x", now=NOW - age, lifetime=timedelta(days=100))
    labels = {
        "kamaji.clastix.io/name": "ready",
        "kamaji.clastix.io/certificate_lifecycle_controller": "x509",
    }
    return SecretFacts(namespace="team-a", name=name, labels=labels, certificates={"x.crt": pair.certificate})


@pytest.fixture
def caches() -> dict[str, Any]:
    """What is known."""
    store = msgspec.convert(
        {"metadata": {"name": "fast"}, "spec": {"driver": "paper", "endpoints": ["h:1"]}, "status": {"ready": True}},
        DataStore,
    )
    deployment = b'{"metadata": {"annotations": {"kamaji.clastix.io/renderer": "7"}}}'
    return {
        "tenants": {
            ("team-a", "ready"): tenant("ready", "Ready"),
            ("team-a", "new"): tenant("new", None),
        },
        "data_stores": {("", "fast"): store},
        "secrets": {
            ("team-a", "young"): certificate("young", timedelta()),
            ("team-a", "old"): certificate("old", timedelta(days=90)),
            ("team-a", "ended"): certificate("ended", timedelta(days=101)),
        },
        "deployments": {("team-a", "ready"): deployment},
        "boot": BootQueue(wake=lambda _key: None, width=1),
        "plugins": Plugins(listed=(Plugin(name="datastore-paper", module="paper", distribution="paper", version="1"),)),
        "orphans": SimpleNamespace(counts={"fast": 2}),
        "shares": {("team-a", "ready"): Share("fast", Usage(keys=7, bytes=2048, exact=True))},
        "sessions": lambda: {"standing": 3, "trying": 1},
        "now": lambda: NOW,
    }


def lines(metrics: Metrics) -> set[str]:
    """The samples, without comments."""
    return {line for line in metrics.render().decode().splitlines() if not line.startswith("#")}


def test_kamajis_gauges_are_there(caches: dict[str, Any]) -> None:
    """Under the names and labels that its dashboards ask for."""
    metrics = Metrics()
    metrics.registry.register(StateCollector(**caches))
    expected = {
        (
            'kamaji_tenant_control_plane_info{address="https://10.0.0.7:6443",datastore_driver="paper",'
            'exposure_strategy="service",kubernetes_version="v1.37.1",tcp_name="ready",tcp_namespace="team-a"} 1.0'
        ),
        'kamaji_tenant_control_plane_status{ready="true",status="Ready",tcp_name="ready",tcp_namespace="team-a"} 1.0',
        'kamaji_tenant_control_plane_status{ready="false",status="Unknown",tcp_name="new",tcp_namespace="team-a"} 1.0',
        'kamaji_tenant_control_planes_current{ready="true"} 1.0',
        'kamaji_tenant_control_planes_current{ready="false"} 1.0',
        'kamaji_datastore_info{datastore_name="fast",driver="paper"} 1.0',
        'kamaji_datastore_status{datastore_name="fast",ready="true",status="True"} 1.0',
        'kamaji_datastores_current{datastore_name="fast",driver="paper",ready="true"} 1.0',
        'kamaji_datastores_current{datastore_name="fast",driver="paper",ready="false"} 0.0',
        'kamaji_tenant_datastore_bytes{datastore_name="fast",tcp_name="ready",tcp_namespace="team-a"} 2048.0',
        'kamaji_tenant_datastore_keys{datastore_name="fast",tcp_name="ready",tcp_namespace="team-a"} 7.0',
        'kamaji_renderings{revision="7"} 1.0',
        'kamaji_tenant_sessions{state="standing"} 3.0',
        'kamaji_datastore_orphaned_claims{datastore_name="fast"} 2.0',
        'kamaji_plugin_info{distribution="paper",plugin="datastore-paper",state="ok",version="1"} 1.0',
    }
    assert expected - lines(metrics) == set()


@pytest.mark.parametrize("state", ["valid", "expiring", "invalid"])
def test_certificates_are_counted_by_state(caches: dict[str, Any], state: str) -> None:
    """Valid; past the time at which it should have been renewed; ended."""
    metrics = Metrics()
    metrics.registry.register(StateCollector(**caches))
    sample = (
        f'kamaji_certificates_current{{status="{state}",strategy="x509",tcp_name="ready",tcp_namespace="team-a"}} 1.0'
    )
    assert sample in lines(metrics)


def test_a_tenant_that_is_gone_has_no_series(caches: dict[str, Any]) -> None:
    """Nobody has to remember to remove it."""
    collector = StateCollector(**caches)
    metrics = Metrics()
    metrics.registry.register(collector)
    caches["tenants"].clear()
    collector.take()
    assert not any(
        'tcp_name="ready"' in line and "status=" in line and "strategy" not in line for line in lines(metrics)
    )


async def test_a_look_is_timed_and_its_end_counted() -> None:
    """A failure as well."""
    metrics = Metrics()
    async with metrics.look("tenantcontrolplane"):
        pass
    with contextlib.suppress(ValueError):
        async with metrics.look("tenantcontrolplane"):
            raise ValueError
    assert {
        'kamaji_handler_time_seconds_count{handler="tenantcontrolplane"} 2.0',
        'controller_runtime_reconcile_total{controller="tenantcontrolplane",result="success"} 1.0',
        'controller_runtime_reconcile_total{controller="tenantcontrolplane",result="error"} 1.0',
    } <= lines(metrics)


async def test_requests_are_counted_by_verb_and_code() -> None:
    """One that got no answer counts as 0."""

    class Answered:
        status = 409

    class Carrier:
        @contextlib.asynccontextmanager
        async def send(self, request: Request) -> AsyncIterator[Any]:
            if request.method == "GET":
                raise ConnectionError
            yield Answered()

    metrics = Metrics()
    transport = MeasuredTransport(Carrier(), metrics)
    async with transport.send(Request(method="POST", path="/x", what="x")):
        pass
    with contextlib.suppress(ConnectionError):
        async with transport.send(Request(method="GET", path="/x", what="x")):
            pass
    assert {
        'kamaji_api_requests_total{code="409",verb="POST"} 1.0',
        'kamaji_api_requests_total{code="0",verb="GET"} 1.0',
    } <= lines(metrics)


async def test_metrics_are_served() -> None:
    """Rendered in a thread, so that a scrape does not hold up the loop."""
    metrics, port = Metrics(), free_port()

    async def render() -> bytes:
        return await asyncio.to_thread(metrics.render)

    async with (
        serve_metrics(f"127.0.0.1:{port}", render=render),
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{port}/metrics") as answer,
    ):
        assert answer.status == 200
        assert answer.content_type == "text/plain"
        assert "kamaji_tenant_time_to_ready_seconds" in await answer.text()


def test_a_queue_is_told_under_common_names() -> None:
    """Dashboards for controllers find depth, waiting, work and repetitions."""
    metrics = Metrics()
    queue = MeasuredQueue(metrics, "paper")
    queue.depth(3)
    queue.waited(0.2, Priority.BACKLOG)
    queue.worked(0.1)
    queue.retried()
    expected = {
        'workqueue_depth{name="paper"} 3.0',
        'workqueue_queue_duration_seconds_count{name="paper",priority="backlog"} 1.0',
        'workqueue_work_duration_seconds_count{name="paper"} 1.0',
        'workqueue_retries_total{name="paper"} 1.0',
    }
    assert expected - lines(metrics) == set()
