"""From the accepted POST of one tenant to the watch event that shows it Ready, in turn with the floor.

The floor run repeats the Deployment that the operator made, under the same name, with the operator stopped and the
tenant's keys removed from the store: the pods do exactly the same work. Clocks start when the POST was answered and
stop when the watch tells, both in this process.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import yaml

from kamaji_core.kube import (
    DEPLOYMENTS,
    PODS,
    KubeClient,
    NotFoundError,
    Resource,
    UnreachableError,
    config_from_kubeconfig,
)
from kamaji_core.tenancy import DATA_STORES, TENANT_CONTROL_PLANES
from sandbox import places
from sandbox.operator import process as operator
from sandbox.store import wipe_prefix

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

EXAMPLES = Path(__file__).parent.parent / "examples"
NAMESPACE = "default"
LIMIT_SECONDS = 180.0


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorRun:
    """One run with the operator; seconds.

    Args:
        total: from the answered POST to Ready.
        phases: how `total` divides, in order.
    """

    total: float
    phases: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A run with the operator and the floor that followed it; seconds."""

    operator: OperatorRun
    floor: float
    deletion: float

    def as_json(self) -> dict[str, Any]:
        """Every figure."""
        return asdict(self)


async def measure(runs: int, *, progress: Callable[[str], None]) -> list[Pair]:
    """Measure pairs of runs.

    Args:
        runs: how many pairs.
        progress: told of each as it ends.
    """
    config = config_from_kubeconfig(places.KUBECONFIG.read_bytes())
    pairs: list[Pair] = []
    async with KubeClient(config) as client:
        await asyncio.to_thread(operator.start)
        try:
            await _apply_store(client)
            for number in range(1, runs + 1):
                pair = await _pair(client, f"bench-{number}")
                pairs.append(pair)
                progress(
                    f"{number}/{runs}: operator {pair.operator.total:.2f} s, floor {pair.floor:.2f} s, "
                    f"deletion {pair.deletion:.2f} s"
                )
        finally:
            await asyncio.to_thread(operator.stop)
    return pairs


async def _pair(client: KubeClient, name: str) -> Pair:
    run = await _operator_run(client, name)
    tenant = await client.get(TENANT_CONTROL_PLANES, name, NAMESPACE)
    deployment = await client.get(DEPLOYMENTS, name, NAMESPACE)
    await asyncio.to_thread(operator.stop)
    await _delete_and_wait(client, DEPLOYMENTS, name, propagation="Foreground")
    wipe_prefix(f"/{tenant['status']['storage']['setup']['schema']}/")
    floor = await _floor_run(client, deployment)
    await asyncio.to_thread(operator.start)
    started = time.monotonic()
    await _delete_and_wait(client, TENANT_CONTROL_PLANES, name)
    return Pair(operator=run, floor=floor, deletion=time.monotonic() - started)


async def _operator_run(client: KubeClient, name: str) -> OperatorRun:
    manifest = yaml.safe_load((EXAMPLES / "tenant.yaml").read_text())
    manifest["metadata"]["name"] = name
    async with _watching(client) as seen:
        await client.create(TENANT_CONTROL_PLANES, manifest)
        accepted = time.monotonic()
        moments = {
            "POST to Deployment": seen.first(DEPLOYMENTS, name, lambda _: True),
            "Deployment to pod started": seen.first(PODS, name, _all_containers_started),
            "pod started to pod Ready": seen.first(PODS, name, _pod_ready),
            "pod Ready to Deployment ready": seen.first(DEPLOYMENTS, name, _deployment_ready),
            "Deployment ready to tenant Ready": seen.first(TENANT_CONTROL_PLANES, name, _tenant_ready),
        }
        phases: dict[str, float] = {}
        before = accepted
        for phase, waiting in moments.items():
            moment = await waiting
            phases[phase] = max(moment - before, 0.0)
            before = max(moment, before)
    return OperatorRun(total=before - accepted, phases=phases)


async def _floor_run(client: KubeClient, deployment: dict[str, Any]) -> float:
    metadata = deployment["metadata"]
    kept = {key: metadata[key] for key in ("name", "namespace", "labels", "ownerReferences")}
    manifest = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": kept,
        "spec": deployment["spec"],
    }
    async with _watching(client) as seen:
        await client.create(DEPLOYMENTS, manifest)
        accepted = time.monotonic()
        return await seen.first(DEPLOYMENTS, metadata["name"], _deployment_ready) - accepted


class Seen:
    """What watches have told, with the moment of each event."""

    def __init__(self) -> None:
        self._events: list[tuple[float, str, dict[str, Any]]] = []
        self._news = asyncio.Condition()

    async def tell(self, resource: Resource, obj: dict[str, Any]) -> None:
        """Take note of an event."""
        async with self._news:
            self._events.append((time.monotonic(), resource.plural, obj))
            self._news.notify_all()

    async def first(self, resource: Resource, name: str, holds: Callable[[dict[str, Any]], bool]) -> float:
        """Wait for the first event of an object of that name (a pod's: of its Deployment) for which `holds` is true."""

        def found() -> list[float]:
            return [
                moment
                for moment, plural, obj in self._events
                if plural == resource.plural and _belongs(obj, name) and holds(obj)
            ]

        async with asyncio.timeout(LIMIT_SECONDS), self._news:
            await self._news.wait_for(found)
            return found()[0]


@contextlib.asynccontextmanager
async def _watching(client: KubeClient) -> AsyncIterator[Seen]:
    seen = Seen()

    async def follow(resource: Resource, resource_version: str) -> None:
        async for event in client.watch(resource, NAMESPACE, resource_version=resource_version):
            if event.type in {"ADDED", "MODIFIED"}:
                await seen.tell(resource, msgspec.json.decode(event.object))

    tasks = []
    for resource in (TENANT_CONTROL_PLANES, DEPLOYMENTS, PODS):
        listing = await client.list(resource, NAMESPACE)
        tasks.append(asyncio.create_task(follow(resource, listing.resource_version)))
    try:
        yield seen
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _apply_store(client: KubeClient) -> None:
    manifest = yaml.safe_load((EXAMPLES / "datastore-etcd.yaml").read_text())
    await client.apply(DATA_STORES, manifest, field_manager="bench")

    async def is_ready() -> bool:
        store = await client.get(DATA_STORES, manifest["metadata"]["name"])
        return bool(store.get("status", {}).get("ready"))

    await _until(is_ready, "the DataStore to be ready")


async def _delete_and_wait(client: KubeClient, resource: Resource, name: str, propagation: Any = "Background") -> None:
    await client.delete(resource, name, NAMESPACE, propagation=propagation)

    async def is_gone() -> bool:
        try:
            await client.get(resource, name, NAMESPACE)
        except NotFoundError:
            return True
        return False

    await _until(is_gone, f"{resource.kind} {name} to be gone")


async def _until(condition: Callable[[], Any], what: str) -> None:
    deadline = time.monotonic() + LIMIT_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(UnreachableError):
            if await condition():
                return
        await asyncio.sleep(0.05)
    raise TimeoutError(f"waited {LIMIT_SECONDS:.0f} s in vain for {what}")


def _belongs(obj: dict[str, Any], name: str) -> bool:
    labels = obj["metadata"].get("labels") or {}
    return obj["metadata"]["name"] == name or labels.get("kamaji.clastix.io/name") == name


def _all_containers_started(pod: dict[str, Any]) -> bool:
    statuses = pod.get("status", {}).get("containerStatuses", [])
    return len(statuses) == len(pod["spec"]["containers"]) and all("running" in status["state"] for status in statuses)


def _pod_ready(pod: dict[str, Any]) -> bool:
    conditions = pod.get("status", {}).get("conditions", [])
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def _deployment_ready(deployment: dict[str, Any]) -> bool:
    return bool(deployment.get("status", {}).get("readyReplicas") == deployment["spec"]["replicas"])


def _tenant_ready(tenant: dict[str, Any]) -> bool:
    version = tenant.get("status", {}).get("kubernetesResources", {}).get("version", {})
    return bool(version.get("status") == "Ready")
