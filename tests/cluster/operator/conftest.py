"""A management cluster without nodes, a tenants' store, and an operator whose every request is counted."""

from __future__ import annotations

import asyncio
import contextlib
import re
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import yaml

from kamaji_core.api.crds import crd_manifests
from kamaji_core.kube import (
    CUSTOM_RESOURCE_DEFINITIONS,
    DEPLOYMENTS,
    EVENTS,
    NAMESPACES,
    SECRETS,
    HttpTransport,
    KubeClient,
    NotFoundError,
    Request,
    Resource,
    config_from_kubeconfig,
)
from kamaji_core.manager import Manager, Settings
from kamaji_core.pki import CertificateRequest, Usage, issue_certificate
from kamaji_core.plugins import load_plugins
from kamaji_core.render.secret import encoded
from kamaji_core.tenancy import DATA_STORES, TENANT_CONTROL_PLANES
from kamaji_core.testing import (
    ApiServer,
    ControllerManagerSettings,
    EtcdServer,
    ServerProcess,
    free_port,
    kube_controller_manager,
    program,
    until,
    write_key_pair,
    write_private,
)
from sandbox import places
from sandbox.store import etcdctl

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from contextlib import AbstractAsyncContextManager

    from kamaji_core.kube import Answer

READY = {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1}


class CountingTransport:
    """Passes every request on and keeps the writes among them."""

    def __init__(self, transport: HttpTransport) -> None:
        self._transport = transport
        self.requests: list[Request] = []

    def send(self, request: Request) -> AbstractAsyncContextManager[Answer]:
        """Note the request and send it."""
        self.requests.append(request)
        return self._transport.send(request)

    @property
    def writes(self) -> list[str]:
        """Verb and path of each write."""
        return [f"{request.method} {request.path}" for request in self.requests if request.method != "GET"]


@dataclass
class Operator:
    """A running operator."""

    manager: Manager
    transport: CountingTransport

    def idle(self) -> bool:
        """Whether nothing waits and nothing is worked on."""
        return self.manager.idle


@dataclass
class Cluster:
    """The management cluster and the store, seen by an administrator."""

    client: KubeClient
    store: EtcdServer
    kubeconfig: bytes

    @contextlib.asynccontextmanager
    async def operator(self, *, standby: bool = False, **changes: Any) -> AsyncIterator[Operator]:
        """Run an operator until the context is left; all tenants may start at once unless something else is asked.

        Args:
            standby: wait only until its caches are complete, not until it leads.
            changes: of its settings.
        """
        # Where no node is, Services' addresses lead nowhere, and with them no way into a tenant's cluster.
        usual = {"health_address": "", "metrics_address": "", "boot_width": 10_000, "tenant_sessions": False}
        settings = Settings(**{**usual, **changes})
        config = config_from_kubeconfig(self.kubeconfig)
        http = HttpTransport(config, user_agent="kamaji/test")
        transport = CountingTransport(http)
        stop = asyncio.Event()
        async with KubeClient(config, transport=transport) as client:
            manager = Manager(client, plugins=load_plugins(), settings=settings)
            running = asyncio.create_task(manager.run(stop))
            try:
                if standby:
                    await until(lambda: manager.ready, "the operator to be ready", running)
                else:
                    await until(lambda: manager.working, "the operator to work", running)
                yield Operator(manager, transport)
            finally:
                stop.set()
                await running
                await http.aclose()

    async def create_tenant(self, namespace: str, name: str, **spec: Any) -> dict[str, Any]:
        """Create a tenant of one replica."""
        manifest = {
            "metadata": {"name": name, "namespace": namespace},
            "spec": {
                "dataStore": "default",
                "controlPlane": {"deployment": {"replicas": 1}, "service": {"serviceType": "ClusterIP"}},
                "kubernetes": {"version": "v1.37.1", "kubelet": {}},
                **spec,
            },
        }
        return await self.client.create(TENANT_CONTROL_PLANES, manifest)

    async def tenant(self, namespace: str, name: str) -> dict[str, Any]:
        """The tenant as it is."""
        return await self.client.get(TENANT_CONTROL_PLANES, name, namespace)

    async def condition(self, namespace: str, name: str, kind: str) -> dict[str, Any]:
        """One condition of a tenant; empty while there is none."""
        tenant = await self.tenant(namespace, name)
        found = tenant.get("status", {}).get("conditions", [])
        return next((condition for condition in found if condition["type"] == kind), {})

    async def play_node(self, namespace: str, name: str) -> None:
        """Tell that the Deployment's pods are ready, as its controller would with a node."""
        await until(lambda: self.has(DEPLOYMENTS, namespace, name), f"Deployment {name}")
        await self.tell_ready(namespace, name)

    async def tell_ready(self, namespace: str, name: str) -> None:
        """Tell that an existing Deployment's pods are ready."""
        await self.client.merge_patch(DEPLOYMENTS, name, {"status": READY}, namespace, subresource="status")

    @staticmethod
    def decode(item: Any) -> dict[str, Any]:
        """An object of a listing."""
        return dict(msgspec.json.decode(item))

    async def has(self, resource: Any, namespace: str | None, name: str) -> bool:
        """Whether an object exists."""
        listing = await self.client.list(resource, namespace, field_selector=f"metadata.name={name}")
        return bool(listing.items)

    async def reported(self, namespace: str, name: str) -> bool:
        """Whether everything is made and told; pods may still be starting."""
        return bool((await self.tenant(namespace, name)).get("status", {}).get("observedGeneration"))

    async def ready(self, namespace: str, name: str) -> bool:
        """Whether the tenant says Ready."""
        return (await self.condition(namespace, name, "Ready")).get("status") == "True"

    async def events(self, resource: Resource, namespace: str | None, name: str) -> list[dict[str, Any]]:
        """The Events of one object as `kubectl describe` finds them: by its UID, in its namespace or in `default`."""
        uid = (await self.client.get(resource, name, namespace))["metadata"]["uid"]
        return await self.events_of(uid, namespace)

    async def events_of(self, uid: str, namespace: str | None) -> list[dict[str, Any]]:
        """The same of an object that may be gone."""
        listing = await self.client.list(EVENTS, namespace or "default", field_selector=f"involvedObject.uid={uid}")
        return [self.decode(item) for item in listing.items]

    def etcdctl(self, *arguments: str) -> str:
        """Ask the store as its root, through another program than ours."""
        tls = self.store.files
        command = [str(program("etcdctl")), "--endpoints", self.store.endpoints[0]]
        command += [f"--cacert={tls.ca}", f"--cert={tls.certificate}", f"--key={tls.key}"]
        answer = subprocess.run([*command, *arguments], check=True, capture_output=True, text=True, timeout=20)
        return answer.stdout


@pytest.fixture(name="until")
def until_fixture() -> Callable[..., Awaitable[None]]:
    """Wait for a condition, but not for ever."""
    return until


@pytest.fixture(scope="session")
def definitions(api_server: ApiServer) -> None:
    """Our kinds, known to the API server; before the garbage collector, which looks for new kinds twice a minute."""

    async def install() -> None:
        config = config_from_kubeconfig(api_server.kubeconfig)
        async with KubeClient(config, user_agent="administrator/1") as client:
            for manifest in crd_manifests():
                await client.apply(CUSTOM_RESOURCE_DEFINITIONS, manifest, field_manager="administrator")
            for resource in (DATA_STORES, TENANT_CONTROL_PLANES):
                await until(lambda resource=resource: _serves(client, resource), f"{resource.plural} to be served")

    asyncio.run(install())


async def _serves(client: KubeClient, resource: Resource) -> bool:
    try:
        await client.list(resource)
    except NotFoundError:
        return False
    return True


@pytest.fixture(scope="session")
def controller_manager(
    definitions: None, api_server: ApiServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """The controllers that collect what owners leave."""
    directory = tmp_path_factory.mktemp("kcm")
    request = CertificateRequest(
        common_name="kube-controller-manager", usages=frozenset({Usage.SERVER}), names=frozenset({"127.0.0.1"})
    )
    serving = issue_certificate(request, ca=api_server.ca, now=datetime.now(UTC), lifetime=timedelta(days=1))
    settings = ControllerManagerSettings(
        address="127.0.0.1",
        port=free_port(),
        kubeconfig=write_private(
            directory / "kubeconfig", api_server.issue_kubeconfig("system:kube-controller-manager")
        ),
        tls=write_key_pair(directory, "serving", serving, ca=api_server.ca.certificate),
        ca_key=write_private(directory / "ca.key", api_server.ca.key),
        service_account_key=api_server.directory / "sa.key",
        log=directory / "kube-controller-manager.log",
        # The Deployment controller would take back the readiness that tests play.
        extra={"controllers": "garbage-collector-controller,namespace-controller"},
    )
    with ServerProcess(kube_controller_manager(settings)):
        yield


class SandboxCluster(Cluster):
    """The sandbox's management cluster with its node; tests that use it run inside the sandbox."""

    def etcdctl(self, *arguments: str) -> str:
        """Ask the sandbox's store for tenants as its root."""
        return etcdctl(*arguments)


@pytest.fixture
async def sandbox_cluster() -> AsyncIterator[Cluster]:
    """Our kinds and the example's DataStore in the sandbox, which is up."""
    kubeconfig = places.KUBECONFIG.read_bytes()
    async with KubeClient(config_from_kubeconfig(kubeconfig), user_agent="administrator/1") as client:
        for manifest in crd_manifests():
            await client.apply(CUSTOM_RESOURCE_DEFINITIONS, manifest, field_manager="administrator")
        for resource in (DATA_STORES, TENANT_CONTROL_PLANES):
            await until(lambda resource=resource: _serves(client, resource), f"{resource.plural} to be served")
        example = yaml.safe_load((Path(__file__).parents[3] / "examples" / "datastore-etcd.yaml").read_text())
        await client.apply(DATA_STORES, example, field_manager="administrator")
        yield SandboxCluster(client, None, kubeconfig)  # type: ignore[arg-type]  # it starts no store of its own


@pytest.fixture
async def cluster(definitions: None, api_server: ApiServer, etcd_server: EtcdServer) -> AsyncIterator[Cluster]:
    """Our kinds and a DataStore named `default`, ready to be used."""
    async with KubeClient(config_from_kubeconfig(api_server.kubeconfig), user_agent="administrator/1") as client:
        await client.apply(NAMESPACES, {"metadata": {"name": "stores"}}, field_manager="administrator")
        cluster = Cluster(client, etcd_server, api_server.kubeconfig)
        await _apply_store(cluster)
        yield cluster


async def _apply_store(cluster: Cluster) -> None:
    store = cluster.store
    data = {
        "ca.crt": store.ca.certificate,
        "ca.key": store.ca.key,
        "tls.crt": store.root.certificate,
        "tls.key": store.root.key,
    }
    secret = {"metadata": {"name": "etcd-certs", "namespace": "stores"}, "data": encoded(data)}
    await cluster.client.apply(SECRETS, secret, field_manager="administrator")

    def reference(key: str) -> dict[str, Any]:
        return {"secretReference": {"namespace": "stores", "name": "etcd-certs", "keyPath": key}}

    manifest = {
        "metadata": {"name": "default"},
        "spec": {
            "driver": "etcd",
            "endpoints": [store.endpoints[0].removeprefix("https://")],
            "tlsConfig": {
                "certificateAuthority": {"certificate": reference("ca.crt"), "privateKey": reference("ca.key")},
                "clientCertificate": {"certificate": reference("tls.crt"), "privateKey": reference("tls.key")},
            },
        },
    }
    await cluster.client.apply(DATA_STORES, manifest, field_manager="administrator")


@pytest.fixture
async def namespace(cluster: Cluster, request: pytest.FixtureRequest) -> str:
    """A namespace of the test's own."""
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.removeprefix("test_").lower())[:60].strip("-")
    await cluster.client.apply(NAMESPACES, {"metadata": {"name": name}}, field_manager="administrator")
    return name


@pytest.fixture
async def alone(cluster: Cluster) -> None:
    """No tenant of another test holds a place, or wants one."""
    paused = {"metadata": {"annotations": {"kamaji.clastix.io/paused": ""}}}
    for item in (await cluster.client.list(TENANT_CONTROL_PLANES)).items:
        metadata = cluster.decode(item)["metadata"]
        with contextlib.suppress(NotFoundError):
            await cluster.client.merge_patch(TENANT_CONTROL_PLANES, metadata["name"], paused, metadata["namespace"])
    for item in (await cluster.client.list(DEPLOYMENTS)).items:
        metadata = cluster.decode(item)["metadata"]
        with contextlib.suppress(NotFoundError):  # it may be on its way out
            await cluster.tell_ready(metadata["namespace"], metadata["name"])
