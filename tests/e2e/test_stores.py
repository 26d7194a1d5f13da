"""Tenants whose data is somewhere else than in etcd: they come up, keep what they stored, and leave nothing behind."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from sandbox import postgres

from .conftest import LIMIT, NAMESPACE, ROOT, AsProcess, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .conftest import Operator, SandboxCommand, Tenant

pytestmark = pytest.mark.root

NAME = "on-postgres"


@pytest.fixture(scope="module")
def operator(sandbox: SandboxCommand) -> Iterator[Operator]:
    """As a process: what rights its pods need is seen elsewhere."""
    one = AsProcess(sandbox)
    one.start()
    yield one
    one.stop()


@pytest.fixture(scope="module")
def with_postgres(management: SandboxCommand) -> Iterator[SandboxCommand]:
    """The management cluster with a PostgreSQL, and the example DataStore ready."""
    management.run("up", "--datastore", "postgres")
    management.kubectl("apply", f"--filename={ROOT}/examples/datastore-postgres.yaml")
    ready = ("--for=jsonpath={.status.ready}=true", f"--timeout={LIMIT}s")
    management.kubectl("wait", "datastore/postgres", *ready)
    yield management
    management.kubectl("delete", "tcp", NAME, f"--namespace={NAMESPACE}", "--ignore-not-found", f"--timeout={LIMIT}s")
    management.kubectl("delete", "datastore", "postgres", f"--timeout={LIMIT}s")


@pytest.fixture(scope="module")
def tenant(with_postgres: SandboxCommand, make_tenant: Callable[..., Tenant]) -> Tenant:
    """One whose data is in PostgreSQL."""
    assert with_postgres
    return make_tenant(NAME, dataStore="postgres")


def control_plane_pod(sandbox: SandboxCommand) -> str:
    """The only pod of the tenants here."""
    return sandbox.kubectl("get", "pods", f"--namespace={NAMESPACE}", "--output=name").strip()


def test_a_tenant_on_postgres_works(tenant: Tenant) -> None:
    """Its API server stores, its controller manager works on what is stored."""
    assert tenant.kubectl("get", "--raw", "/readyz") == "ok"
    tenant.kubectl("create", "configmap", "kept", "--from-literal=colour=green")
    tenant.kubectl("create", "namespace", "fresh")
    until(lambda: "default" in tenant.kubectl("get", "serviceaccounts", "--namespace=fresh"), "the ServiceAccount")


def test_its_data_is_in_a_database_of_its_own(tenant: Tenant) -> None:
    """Which nobody but the tenant and the operator may open."""
    schema = tenant.object()["status"]["storage"]["setup"]["schema"]
    assert schema in postgres.psql("SELECT datname FROM pg_database").split()
    assert int(postgres.psql("SELECT count(*) FROM kine", database=schema)) > 0


def test_an_object_survives_its_pod(tenant: Tenant, with_postgres: SandboxCommand) -> None:
    """Another pod of the tenant finds what the one before it stored."""
    before = control_plane_pod(with_postgres)
    with_postgres.kubectl("delete", before, f"--namespace={NAMESPACE}", f"--timeout={LIMIT}s")
    rollout = ("rollout", "status", f"deployment/{NAME}", f"--namespace={NAMESPACE}", f"--timeout={LIMIT}s")
    with_postgres.kubectl(*rollout)
    assert control_plane_pod(with_postgres) != before
    until(lambda: answers(tenant), "the tenant to answer again")
    assert tenant.kubectl("get", "configmap", "kept", "--output=jsonpath={.data.colour}") == "green"


def answers(tenant: Tenant) -> bool:
    """Whether its API server is ready; a Service leads to a new pod a moment after that is."""
    try:
        return tenant.kubectl("get", "--raw", "/readyz") == "ok"
    except AssertionError:
        return False


def test_no_container_ended(tenant: Tenant, with_postgres: SandboxCommand) -> None:
    """The API server found kine there when it began: nothing had to be started twice."""
    pods = json.loads(with_postgres.kubectl("get", "pods", f"--namespace={NAMESPACE}", "--output=json"))["items"]
    statuses = [
        status
        for pod in pods
        for status in (*pod["status"]["containerStatuses"], *pod["status"].get("initContainerStatuses", ()))
    ]
    assert "kine" in {status["name"] for status in statuses}
    assert {status["restartCount"] for status in statuses} == {0}


def test_a_deleted_tenant_leaves_no_database_and_no_role(tenant: Tenant, with_postgres: SandboxCommand) -> None:
    """Runs last: it takes the tenant of the tests above."""
    setup = tenant.object()["status"]["storage"]["setup"]
    with_postgres.kubectl("delete", "tcp", NAME, f"--namespace={NAMESPACE}", f"--timeout={LIMIT}s")
    assert setup["schema"] not in postgres.psql("SELECT datname FROM pg_database").split()
    roles = postgres.psql("SELECT rolname FROM pg_roles").split()
    assert [role for role in roles if role.startswith(setup["user"])] == []

    def leftovers() -> str:
        kinds = "pods,deployments,services,secrets,persistentvolumeclaims"
        return with_postgres.kubectl("get", kinds, f"--namespace={NAMESPACE}", "--output=name")

    until(lambda: leftovers() == "", "everything to be collected")
