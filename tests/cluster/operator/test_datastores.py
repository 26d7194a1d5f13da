"""A DataStore says whether tenants can be served, after a real login, and what is wrong otherwise."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from kamaji_core.contracts import Probe, ProbeKind
from kamaji_core.datastore import controller as controller_module
from kamaji_core.kube import DEPLOYMENTS, SECRETS, SERVICES
from kamaji_core.render.secret import encoded
from kamaji_core.tenancy import DATA_STORES, TENANT_CONTROL_PLANES
from kamaji_core.testing import free_port
from kamaji_datastore_etcd.session import EtcdSession

pytestmark = pytest.mark.real
TLS_REASON = "TLSConfigurationValidationFailed"
DELETION = "kamaji.clastix.io/DataStoreAllowedDeletion"


async def validation(cluster: Any, name: str) -> dict[str, Any]:
    """The DataStore's condition; empty while there is none."""
    store = await cluster.client.get(DATA_STORES, name)
    conditions = store.get("status", {}).get("conditions", [])
    return next((item for item in conditions if item["type"] == "kamaji.clastix.io/DataStoreValidation"), {})


async def create(cluster: Any, name: str, **changes: Any) -> None:
    """Create a DataStore like the default one, with some fields changed."""
    spec = {**(await cluster.client.get(DATA_STORES, "default"))["spec"], **changes}
    await cluster.client.create(DATA_STORES, {"metadata": {"name": name}, "spec": spec})


async def test_a_store_is_ready_after_a_real_login(cluster: Any, until: Any) -> None:
    """Status and condition say so, and the sentence tells the server's version."""
    async with cluster.operator():
        await create(cluster, "good")

        async def is_ready() -> bool:
            return (await validation(cluster, "good")).get("status") == "True"

        await until(is_ready, "the store to be ready")
    store = await cluster.client.get(DATA_STORES, "good")
    assert store["status"]["ready"] is True
    assert (await validation(cluster, "good"))["reason"] == "DataStoreIsValid"
    assert "3.6.14" in (await validation(cluster, "good"))["message"]


def dangling(key: str, name: str = "etcd-certs") -> dict[str, Any]:
    """TLS settings of which the authority's certificate leads elsewhere."""

    def reference(path: str, holder: str = "etcd-certs") -> dict[str, Any]:
        return {"secretReference": {"namespace": "stores", "name": holder, "keyPath": path}}

    return {
        "certificateAuthority": {"certificate": reference(key, name), "privateKey": reference("ca.key")},
        "clientCertificate": {"certificate": reference("tls.crt"), "privateKey": reference("tls.key")},
    }


@pytest.mark.parametrize(
    ("name", "changes", "reason", "words"),
    [
        ("no-secret", {"tlsConfig": dangling("ca.crt", "absent")}, TLS_REASON, "stores/absent, which does not exist"),
        ("no-key", {"tlsConfig": dangling("nothing")}, TLS_REASON, "'nothing' of Secret stores/etcd-certs"),
        ("wrong-pem", {"tlsConfig": dangling("ca.key")}, "ConfigurationInvalid", "certificateAuthority"),
        ("no-driver", {"driver": "papyrus"}, "DriverNotFound", "No installed plugin brings the driver 'papyrus'"),
    ],
)  # fmt: skip
async def test_what_is_wrong_is_told(
    cluster: Any, until: Any, name: str, changes: dict[str, Any], reason: str, words: str
) -> None:
    """In the condition, in one sentence that names the field."""
    async with cluster.operator():
        await create(cluster, name, **changes)

        async def is_told() -> bool:
            return (await validation(cluster, name)).get("reason") == reason

        await until(is_told, f"the reason {reason}")
    condition = await validation(cluster, name)
    assert condition["status"] == "False"
    assert words in condition["message"]


async def test_a_server_that_is_not_there_is_told(cluster: Any, until: Any) -> None:
    """The endpoint is named."""
    port = free_port()
    async with cluster.operator():
        await create(cluster, "nobody-home", endpoints=[f"127.0.0.1:{port}"])

        async def is_told() -> bool:
            return (await validation(cluster, "nobody-home")).get("reason") == "LoginFailed"

        await until(is_told, "the failed login")
    assert str(port) in (await validation(cluster, "nobody-home"))["message"]


async def test_a_store_that_becomes_ready_wakes_its_tenants(cluster: Any, namespace: str, until: Any) -> None:
    """The Secret that was missing is created; nobody touches the tenant."""
    async with cluster.operator():
        await create(cluster, "late", tlsConfig=dangling("ca.crt", "late-certs"))
        await cluster.create_tenant(namespace, "shop", dataStore="late")

        async def waits() -> bool:
            return (await cluster.condition(namespace, "shop", "DataStoreReady")).get("reason") == "DataStoreNotReady"

        await until(waits, "the tenant to wait")
        assert await cluster.has(SERVICES, namespace, "shop")
        data = encoded({"ca.crt": cluster.store.ca.certificate})
        await cluster.client.create(SECRETS, {"metadata": {"name": "late-certs", "namespace": "stores"}, "data": data})
        await until(lambda: cluster.reported(namespace, "shop"), "the tenant to go on")


@pytest.mark.usefixtures("controller_manager")
async def test_a_store_in_use_outlives_its_deletion(cluster: Any, namespace: str, until: Any) -> None:
    """It names who uses it, and goes when nobody does."""
    async with cluster.operator():
        await create(cluster, "used")
        await cluster.create_tenant(namespace, "shop", dataStore="used")
        await until(lambda: cluster.reported(namespace, "shop"), "the tenant")
        await cluster.client.delete(DATA_STORES, "used")

        async def is_told() -> bool:
            store = await cluster.client.get(DATA_STORES, "used")
            conditions = {item["type"]: item for item in store["status"]["conditions"]}
            return f"{namespace}/shop" in conditions.get("kamaji.clastix.io/DataStoreAllowedDeletion", {}).get(
                "message", ""
            )

        await until(is_told, "the condition")
        assert (await cluster.client.get(DATA_STORES, "used"))["status"]["usedBy"] == [f"{namespace}/shop"]
        await cluster.client.delete(TENANT_CONTROL_PLANES, "shop", namespace)

        async def is_gone() -> bool:
            return not await cluster.has(DATA_STORES, None, "used")

        await until(is_gone, "the store to be gone")


async def test_a_changed_secret_is_noticed_at_once(cluster: Any, until: Any) -> None:
    """A login that is rotated, or broken, is seen without waiting for the next probe; and probing reads nothing."""
    async with cluster.operator() as operator:
        data = encoded({"ca.crt": cluster.store.ca.certificate})
        await cluster.client.create(SECRETS, {"metadata": {"name": "turned", "namespace": "stores"}, "data": data})
        await create(cluster, "turned", tlsConfig=dangling("ca.crt", "turned"))

        async def says(status: str) -> bool:
            return bool((await validation(cluster, "turned")).get("status") == status)

        await until(lambda: says("True"), "the store to be ready")
        await cluster.client.merge_patch(SECRETS, "turned", {"data": {"ca.crt": None}}, "stores")
        await until(lambda: says("False"), "the broken reference to be told")
        await cluster.client.merge_patch(SECRETS, "turned", {"data": data}, "stores")
        await until(lambda: says("True"), "the store to be ready again")
        gets = [request for request in operator.transport.requests if "/secrets/" in request.path]
        assert gets == []


async def test_a_full_store_is_told_and_heals(
    cluster: Any, namespace: str, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has a reason of its own there and on its tenants, which run on; with room again all of it is well."""
    monkeypatch.setattr(controller_module, "PROBE_INTERVAL_SECONDS", 0.3)
    monkeypatch.setattr(controller_module, "RETRY_INTERVAL_SECONDS", 0.3)

    async def full(_session: EtcdSession) -> Probe:
        return Probe(kind=ProbeKind.FULL, sentence="No space is left: give it more.")

    async def tenant_says(reason: str) -> bool:
        return bool((await cluster.condition(namespace, "shop", "DataStoreReady")).get("reason") == reason)

    async with cluster.operator():
        await create(cluster, "filled")
        await cluster.create_tenant(namespace, "shop", dataStore="filled")
        await cluster.play_node(namespace, "shop")
        await until(lambda: cluster.ready(namespace, "shop"), "the tenant to be Ready")
        before = await cluster.client.get(DEPLOYMENTS, "shop", namespace)
        with monkeypatch.context() as filled:
            filled.setattr(EtcdSession, "probe", full)
            await until(lambda: tenant_says("DataStoreFull"), "the tenant to tell it")
            condition = await validation(cluster, "filled")
            assert (condition["status"], condition["reason"]) == ("False", "DataStoreFull")
            assert condition["message"] == "No space is left: give it more."
        await until(lambda: tenant_says("Ready"), "the tenant to be well again")
        assert (await validation(cluster, "filled"))["status"] == "True"
        after = await cluster.client.get(DEPLOYMENTS, "shop", namespace)
    assert after["metadata"]["generation"] == before["metadata"]["generation"]
    reasons = [event["reason"] for event in await cluster.events(DATA_STORES, None, "filled")]
    assert "DataStoreFull" in reasons


async def test_a_store_that_is_asked_while_the_operator_stops_keeps_no_connection(
    cluster: Any, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session that was just opened has no owner yet, and is closed nevertheless."""
    await create(cluster, "slow")
    opened, closed = set[int](), set[int]()
    close = EtcdSession.aclose

    async def probe(session: EtcdSession) -> None:
        opened.add(id(session))
        await asyncio.Event().wait()

    async def aclose(session: EtcdSession) -> None:
        closed.add(id(session))
        await close(session)

    monkeypatch.setattr(EtcdSession, "probe", probe)
    monkeypatch.setattr(EtcdSession, "aclose", aclose)
    async with cluster.operator():
        await until(lambda: bool(opened), "a store to be asked")
    assert closed == opened


async def test_an_idle_store_is_not_written(cluster: Any, until: Any) -> None:
    """A second look finds nothing to tell."""
    async with cluster.operator() as operator:
        await until(operator.idle, "the operator to be idle")
        operator.transport.requests.clear()
    async with cluster.operator() as operator:
        await until(operator.idle, "the operator to be idle after a restart")
        assert [write for write in operator.transport.writes if "/datastores/default" in write] == []
