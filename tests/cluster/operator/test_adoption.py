"""What lies at a store without an owner's record is adopted by the tenant that can prove that it is its own, only."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from kamaji_core.certificates import AUTHORITIES, issue_authority
from kamaji_core.kube import DEPLOYMENTS, SECRETS, NotFoundError
from kamaji_core.pki import CertificateRequest, KeyPair, Usage, issue_ca, issue_certificate
from kamaji_core.render.secret import encoded
from kamaji_core.tenancy import TENANT_CONTROL_PLANES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.real
LABELS = {"kamaji.clastix.io/project": "kamaji", "kamaji.clastix.io/name": "shop"}


@dataclass
class Legacy:
    """A tenant's share of the store as Kamaji makes it: a user with one role, a role with one range, and keys."""

    cluster: Any
    name: str

    def make(self) -> None:
        """By etcd's own client."""
        etcdctl = self.cluster.etcdctl
        etcdctl("role", "add", self.name)
        etcdctl("role", "grant-permission", self.name, "readwrite", f"/{self.name}/", f"/{self.name}0")
        etcdctl("user", "add", self.name, "--no-password")
        etcdctl("user", "grant-role", self.name, self.name)
        etcdctl("put", f"/{self.name}/registry/namespaces/default", "of the tenant's")

    def remove(self) -> None:
        """All that may be there."""
        for kind in ("user", "role"):
            if self.name in self.cluster.etcdctl(kind, "list").split():
                self.cluster.etcdctl(kind, "delete", self.name)
        for key in (f"/{self.name}/", f"kamaji.clastix.io/claims/{self.name}", f"kamaji.clastix.io/users/{self.name}"):
            self.cluster.etcdctl("del", "--prefix", key)

    @property
    def records(self) -> list[str]:
        """Whose the store says that it is, by schema and by user."""
        keys = (f"kamaji.clastix.io/{kind}/{self.name}" for kind in ("claims", "users"))
        found = (self.cluster.etcdctl("get", "--print-value-only", key) for key in keys)
        return [record for record in found if record]

    @property
    def data(self) -> str:
        """The key that was there before."""
        return str(self.cluster.etcdctl("get", "--print-value-only", f"/{self.name}/registry/namespaces/default"))

    def issue(self, authority: KeyPair) -> dict[str, bytes]:
        """The files of a tenant's credentials."""
        request = CertificateRequest(common_name=self.name, usages=frozenset({Usage.CLIENT}))
        pair = issue_certificate(request, ca=authority, now=datetime.now(UTC), lifetime=timedelta(days=300))
        return {"ca.crt": authority.certificate, "server.crt": pair.certificate, "server.key": pair.key}


@pytest.fixture
async def legacy(cluster: Any, namespace: str) -> AsyncIterator[Legacy]:
    """One that nobody has recorded; the tenant goes with it, or it would be made at last by another test's operator."""
    legacy = Legacy(cluster, namespace.replace("-", "_")[:60])
    legacy.make()
    yield legacy
    with contextlib.suppress(NotFoundError):
        await cluster.client.delete(TENANT_CONTROL_PLANES, "shop", namespace)
        await cluster.client.merge_patch(TENANT_CONTROL_PLANES, "shop", {"metadata": {"finalizers": None}}, namespace)
    legacy.remove()


async def refused(cluster: Any, namespace: str, until: Any) -> dict[str, Any]:
    """Wait for the store's refusal and give the condition."""

    async def is_told() -> bool:
        condition = await cluster.condition(namespace, "shop", "DataStoreReady")
        return bool(condition.get("reason") == "DataStoreRefused")

    await until(is_told, "the refusal")
    return dict(await cluster.condition(namespace, "shop", "DataStoreReady"))


async def restore_secrets(cluster: Any, namespace: str, files: dict[str, bytes], name: str) -> None:
    """Restore a tenant's store credentials as a backup tool does: with their labels, without an owner."""
    config = {"DB_SCHEMA": name.encode(), "DB_USER": name.encode(), "DB_PASSWORD": b""}
    for suffix, data in {"datastore-config": config, "datastore-certificate": files}.items():
        metadata = {"name": f"shop-{suffix}", "namespace": namespace, "labels": LABELS}
        await cluster.client.create(SECRETS, {"metadata": metadata, "data": encoded(data)})


async def test_a_specification_adopts_nothing(cluster: Any, namespace: str, until: Any, legacy: Legacy) -> None:
    """Whoever only writes the names is refused with a sentence; nothing is made or changed, and no pod starts."""
    before = cluster.etcdctl("role", "get", legacy.name), cluster.etcdctl("user", "get", legacy.name)
    async with cluster.operator() as operator:
        await cluster.create_tenant(
            namespace, "shop", dataStoreSchema=legacy.name, dataStoreUsername=legacy.name, dataStore="default"
        )
        condition = await refused(cluster, namespace, until)
        await until(operator.idle, "the operator to be idle")
    assert condition["status"] == "False"
    assert f"The user '{legacy.name}' with the schema '{legacy.name}' exists" in condition["message"]
    assert "choose other names in spec.dataStoreSchema" in condition["message"]
    assert legacy.records == []
    assert (cluster.etcdctl("role", "get", legacy.name), cluster.etcdctl("user", "get", legacy.name)) == before
    for suffix in ("datastore-config", "datastore-certificate"):
        assert not await cluster.has(SECRETS, namespace, f"shop-{suffix}")
    assert not await cluster.has(DEPLOYMENTS, namespace, "shop")
    warnings = [
        event["message"]
        for event in await cluster.events(TENANT_CONTROL_PLANES, namespace, "shop")
        if event["reason"] == "DataStoreRefused"
    ]
    assert warnings == [condition["message"]]


@pytest.mark.usefixtures("controller_manager")
async def test_the_end_of_a_refused_tenant_takes_nothing_with_it(
    cluster: Any, namespace: str, until: Any, legacy: Legacy
) -> None:
    """What was never its own stays when it goes."""
    async with cluster.operator():
        await cluster.create_tenant(namespace, "shop", dataStoreSchema=legacy.name, dataStoreUsername=legacy.name)
        await refused(cluster, namespace, until)
        await cluster.client.delete(TENANT_CONTROL_PLANES, "shop", namespace)

        async def is_gone() -> bool:
            return not await cluster.has(TENANT_CONTROL_PLANES, namespace, "shop")

        await until(is_gone, "the tenant to be gone")
    assert legacy.name in cluster.etcdctl("user", "list").split()
    assert legacy.name in cluster.etcdctl("role", "list").split()
    assert legacy.data == "of the tenant's\n"


async def adopted(cluster: Any, namespace: str, until: Any, legacy: Legacy) -> None:
    """Wait for the tenant, and see that what was there is its own now."""
    await until(lambda: cluster.reported(namespace, "shop"), "the tenant")
    tenant = await cluster.tenant(namespace, "shop")
    setup = tenant["status"]["storage"]["setup"]
    assert (setup["schema"], setup["user"]) == (legacy.name, legacy.name)
    assert len(legacy.records) == 2
    assert all(tenant["metadata"]["uid"] in record for record in legacy.records)
    assert legacy.data == "of the tenant's\n"


async def test_a_tenant_whose_status_names_it_adopts(cluster: Any, namespace: str, until: Any, legacy: Legacy) -> None:
    """As after a change from Kamaji, whose operator alone writes the status."""
    await cluster.create_tenant(namespace, "shop")
    setup = {"schema": legacy.name, "user": legacy.name, "checksum": "of-kamaji", "lastUpdate": "2026-01-01T00:00:00Z"}
    status = {"status": {"storage": {"driver": "etcd", "dataStoreName": "default", "setup": setup}}}
    await cluster.client.merge_patch(TENANT_CONTROL_PLANES, "shop", status, namespace, subresource="status")
    async with cluster.operator():
        await adopted(cluster, namespace, until, legacy)


async def test_a_restored_tenant_adopts_by_its_certificate(
    cluster: Any, namespace: str, until: Any, legacy: Legacy
) -> None:
    """A backup brings the specification and the Secrets, and no status; the certificate stays what it was."""
    files = legacy.issue(cluster.store.ca)
    await restore_secrets(cluster, namespace, files, legacy.name)
    async with cluster.operator():
        await cluster.create_tenant(namespace, "shop")
        await adopted(cluster, namespace, until, legacy)
    secret = await cluster.client.get(SECRETS, "shop-datastore-certificate", namespace)
    assert secret["data"] == encoded(files)


@pytest.mark.parametrize("lacks", ["the store's authority", "its key"])
async def test_a_secret_that_proves_nothing_adopts_nothing(
    cluster: Any, namespace: str, until: Any, legacy: Legacy, lacks: str
) -> None:
    """Anybody may write a Secret: it takes a key with a certificate of the store's own authority."""
    files = legacy.issue(cluster.store.ca)
    if lacks == "its key":
        files |= {"server.key": legacy.issue(cluster.store.ca)["server.key"]}
    else:
        foreign = issue_ca(common_name="store", now=datetime.now(UTC), lifetime=timedelta(days=1))
        files = {**legacy.issue(foreign), "ca.crt": cluster.store.ca.certificate}
    await restore_secrets(cluster, namespace, files, legacy.name)
    async with cluster.operator():
        await cluster.create_tenant(namespace, "shop")
        condition = await refused(cluster, namespace, until)
    assert "exists at etcd without an owner's record" in condition["message"]
    assert legacy.records == []


async def unusable(cluster: Any, namespace: str, until: Any, data: dict[str, str], labels: dict[str, str]) -> None:
    """Have a tenant find this authority, and see that it stops with a sentence and touches nothing."""
    metadata = {"name": "shop-ca", "namespace": namespace, "labels": labels}
    await cluster.client.create(SECRETS, {"metadata": metadata, "data": data})
    async with cluster.operator() as operator:
        await cluster.create_tenant(namespace, "shop")

        async def is_told() -> bool:
            return (await cluster.condition(namespace, "shop", "MaterialReady")).get("reason") == "KeyMismatch"

        await until(is_told, "the condition")
        await until(operator.idle, "the operator to be idle")
    condition = await cluster.condition(namespace, "shop", "MaterialReady")
    sentence = "ca.key of Secret shop-ca does not belong to ca.crt; restore both."
    assert (condition["status"], condition["message"]) == ("False", sentence)
    events = await cluster.events(TENANT_CONTROL_PLANES, namespace, "shop")
    assert [(one["type"], one["message"]) for one in events] == [("Warning", sentence)]
    assert (await cluster.client.get(SECRETS, "shop-ca", namespace))["data"] == data
    assert not await cluster.has(SECRETS, namespace, "shop-api-server-certificate")
    assert not await cluster.has(DEPLOYMENTS, namespace, "shop")


@pytest.mark.parametrize("labels", [{}, LABELS], ids=["found", "seen"])
async def test_an_authority_whose_key_is_another_is_refused(
    cluster: Any, namespace: str, until: Any, labels: dict[str, str]
) -> None:
    """Whether it carries our labels or is only found when we want to create our own."""
    now = datetime.now(UTC)
    one, other = (issue_authority(AUTHORITIES["ca"], now=now) for _ in range(2))
    await unusable(cluster, namespace, until, encoded({"ca.crt": one["ca.crt"], "ca.key": other["ca.key"]}), labels)


async def test_an_authority_that_is_mended_is_adopted(cluster: Any, namespace: str, until: Any) -> None:
    """Nobody has to touch the tenant."""
    now = datetime.now(UTC)
    one, other = (issue_authority(AUTHORITIES["ca"], now=now) for _ in range(2))
    broken = encoded({"ca.crt": one["ca.crt"], "ca.key": other["ca.key"]})
    await unusable(cluster, namespace, until, broken, {})
    async with cluster.operator():
        await cluster.client.merge_patch(SECRETS, "shop-ca", {"data": encoded(one)}, namespace)
        await until(lambda: cluster.reported(namespace, "shop"), "the tenant to go on")
    assert (await cluster.client.get(SECRETS, "shop-ca", namespace))["data"] == encoded(one)
