"""Tenants whose data is elsewhere than in etcd: they come up, keep what they stored, and leave nothing behind."""

from __future__ import annotations

import json
import shutil
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Protocol

import pytest
import yaml

from sandbox import places, postgres

from .conftest import AS_PROCESS, LIMIT, NAMESPACE, ROOT, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from .conftest import SandboxCommand, Tenant

pytestmark = [pytest.mark.root, AS_PROCESS]

LEFTOVERS = "pods,deployments,services,secrets,persistentvolumeclaims"


class Store(Protocol):
    """One kind of store, and how it is looked at without the operator."""

    plugin: str
    """Name of the entry point of its driver."""

    datastore: str
    """Name of its example DataStore."""

    def prepare(self, sandbox: SandboxCommand) -> Path:
        """Have the store there, and give the example's file."""

    def has_data(self, schema: str) -> bool:
        """Whether a tenant's share holds something."""

    def traces(self, schema: str, user: str) -> list[str]:
        """What is there by a tenant's names."""

    def remove(self, sandbox: SandboxCommand) -> None:
        """Take away what `prepare` made and `sandbox down` does not."""


class OnPostgres:
    """The sandbox's PostgreSQL: a database and roles for each tenant."""

    plugin = "datastore-postgres"
    datastore = "postgres"

    def prepare(self, sandbox: SandboxCommand) -> Path:
        """See `Store`."""
        sandbox.run("up", "--datastore", "postgres")
        return ROOT / "examples" / "datastore-postgres.yaml"

    def has_data(self, schema: str) -> bool:
        """See `Store`."""
        return int(postgres.psql("SELECT count(*) FROM kine", database=schema)) > 0

    def traces(self, schema: str, user: str) -> list[str]:
        """See `Store`."""
        names = postgres.psql("SELECT datname FROM pg_database UNION ALL SELECT rolname FROM pg_roles").split()
        return [name for name in names if name.startswith((schema, user))]

    def remove(self, sandbox: SandboxCommand) -> None:
        """See `Store`: it stays until the sandbox goes."""


class OnSqlite:
    """A file in a volume of the node, whose group is the kubelet's to set; nothing is shared."""

    plugin = "datastore-sqlite"
    datastore = "sqlite"
    directory = places.STATE / "volumes" / "on-sqlite"
    volume = "on-sqlite"

    def prepare(self, sandbox: SandboxCommand) -> Path:
        """See `Store`; a claim that names no class finds a volume that has none."""
        self.directory.mkdir(parents=True, exist_ok=True)
        on_the_node = {"key": "kubernetes.io/hostname", "operator": "In", "values": [places.NAME]}
        volume = {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": self.volume},
            "spec": {
                "capacity": {"storage": "1Gi"},
                "accessModes": ["ReadWriteOnce"],
                "persistentVolumeReclaimPolicy": "Retain",
                "local": {"path": str(self.directory)},
                "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [on_the_node]}]}},
            },
        }
        sandbox.kubectl("apply", "--filename=-", sends=yaml.safe_dump(volume))
        return ROOT / "examples" / "plugins" / "kamaji-datastore-sqlite" / "deploy" / "datastore.yaml"

    def has_data(self, schema: str) -> bool:
        """See `Store`."""
        assert schema
        return any(path.stat().st_size > 0 for path in self.directory.iterdir())

    def traces(self, schema: str, user: str) -> list[str]:
        """See `Store`: the volume is its owner's to keep or to wipe, and no other place knows the tenant."""
        assert schema
        assert user
        return []

    def remove(self, sandbox: SandboxCommand) -> None:
        """See `Store`."""
        sandbox.kubectl("delete", "persistentvolume", self.volume, f"--timeout={LIMIT}s")
        shutil.rmtree(self.directory)


@pytest.fixture(scope="module", params=[OnPostgres, OnSqlite], ids=["postgres", "sqlite"])
def store(request: pytest.FixtureRequest, management: SandboxCommand) -> Iterator[Store]:
    """A store whose DataStore is ready."""
    one: Store = request.param()
    if one.plugin not in {point.name for point in entry_points(group="kamaji")}:
        pytest.skip(f"the plugin {one.plugin} is not installed")
    management.kubectl("apply", f"--filename={one.prepare(management)}")
    ready = ("--for=jsonpath={.status.ready}=true", f"--timeout={LIMIT}s")
    management.kubectl("wait", f"datastore/{one.datastore}", *ready)
    yield one
    gone = ("--ignore-not-found", f"--timeout={LIMIT}s")
    management.kubectl("delete", "tcp", "--all", f"--namespace={NAMESPACE}", *gone)
    management.kubectl("delete", "datastore", one.datastore, *gone)
    one.remove(management)


@pytest.fixture(scope="module")
def tenant(store: Store, make_tenant: Callable[..., Tenant]) -> Tenant:
    """One whose data is there."""
    return make_tenant(f"on-{store.datastore}", dataStore=store.datastore)


def control_plane_pod(sandbox: SandboxCommand) -> str:
    """The only pod of the tenants here."""
    return sandbox.kubectl("get", "pods", f"--namespace={NAMESPACE}", "--output=name").strip()


def answers(tenant: Tenant) -> bool:
    """Whether its API server is ready; a Service leads to a new pod a moment after that is."""
    try:
        return tenant.kubectl("get", "--raw", "/readyz") == "ok"
    except AssertionError:
        return False


def test_a_tenant_works(tenant: Tenant) -> None:
    """Its API server stores, its controller manager works on what is stored."""
    assert tenant.kubectl("get", "--raw", "/readyz") == "ok"
    tenant.kubectl("create", "configmap", "kept", "--from-literal=colour=green")
    tenant.kubectl("create", "namespace", "fresh")
    until(lambda: "default" in tenant.kubectl("get", "serviceaccounts", "--namespace=fresh"), "the ServiceAccount")


def test_its_data_is_where_it_should_be(tenant: Tenant, store: Store) -> None:
    """In the share that its status names."""
    assert store.has_data(tenant.object()["status"]["storage"]["setup"]["schema"])


def test_no_container_ended(tenant: Tenant, management: SandboxCommand) -> None:
    """The API server found kine there when it began: nothing had to be started twice."""
    pods = json.loads(management.kubectl("get", "pods", f"--namespace={NAMESPACE}", "--output=json"))["items"]
    statuses = [
        status
        for pod in pods
        for status in (*pod["status"]["containerStatuses"], *pod["status"].get("initContainerStatuses", ()))
    ]
    assert "kine" in {status["name"] for status in statuses}
    assert {status["restartCount"] for status in statuses} == {0}


def test_an_object_survives_its_pod(tenant: Tenant, management: SandboxCommand) -> None:
    """Another pod of the tenant finds what the one before it stored."""
    before = control_plane_pod(management)
    management.kubectl("delete", before, f"--namespace={NAMESPACE}", f"--timeout={LIMIT}s")
    rollout = ("rollout", "status", f"deployment/{tenant.name}", f"--namespace={NAMESPACE}", f"--timeout={LIMIT}s")
    management.kubectl(*rollout)
    assert control_plane_pod(management) != before
    until(lambda: answers(tenant), "the tenant to answer again")
    assert tenant.kubectl("get", "configmap", "kept", "--output=jsonpath={.data.colour}") == "green"


def test_a_deleted_tenant_leaves_nothing(tenant: Tenant, store: Store, management: SandboxCommand) -> None:
    """No database, no role, no claim of a volume. Runs last: it takes the tenant of the tests above."""
    setup = tenant.object()["status"]["storage"]["setup"]
    management.kubectl("delete", "tcp", tenant.name, f"--namespace={NAMESPACE}", f"--timeout={LIMIT}s")
    assert store.traces(setup["schema"], setup["user"]) == []

    def leftovers() -> str:
        return management.kubectl("get", LEFTOVERS, f"--namespace={NAMESPACE}", "--output=name")

    until(lambda: leftovers() == "", "everything to be collected")
