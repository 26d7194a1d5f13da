"""Which DataStores a real kube-apiserver accepts: the rules of the schema, one by one."""

from typing import Any

import msgspec
import pytest

from kamaji_core.api.datastore import DataStore
from kamaji_core.kube import InvalidError, KubeClient
from kamaji_core.tenancy import DATA_STORES

pytestmark = pytest.mark.real

REFERENCE = {"secretReference": {"name": "s", "namespace": "n", "keyPath": "k"}}
INLINE = {"content": "aGVsbG8="}
EMPTY: dict[str, Any] = {}
CA = {"certificate": REFERENCE, "privateKey": REFERENCE}
CLIENT = {"certificate": REFERENCE, "privateKey": REFERENCE}
LOGIN = {"username": REFERENCE, "password": REFERENCE}
OTHERS = ("MySQL", "PostgreSQL", "NATS")

ETCD_CA_KEY = "etcd needs the key of its certificate authority"
ETCD_CERTIFICATE = "etcd needs a client certificate to log in with"
ETCD_KEY = "etcd needs the key of the client certificate"


def store(driver: str, **spec: Any) -> dict[str, Any]:
    """A DataStore on the wire."""
    return {"metadata": {"name": "table"}, "spec": {"driver": driver, "endpoints": ["store:2379"], **spec}}


ACCEPTED = {
    "etcd by reference": store("etcd", tlsConfig={"certificateAuthority": CA, "clientCertificate": CLIENT}),
    "etcd inline": store(
        "etcd",
        tlsConfig={
            "certificateAuthority": {"certificate": INLINE, "privateKey": INLINE},
            "clientCertificate": {"certificate": INLINE, "privateKey": INLINE},
        },
    ),
    "etcd with a login too": store(
        "etcd", tlsConfig={"certificateAuthority": CA, "clientCertificate": CLIENT}, basicAuth=LOGIN
    ),
    **{f"{driver} with a login": store(driver, basicAuth=LOGIN) for driver in OTHERS},
    **{
        f"{driver} with a login inline": store(driver, basicAuth={"username": INLINE, "password": INLINE})
        for driver in OTHERS
    },
    **{
        f"{driver} with TLS and no client certificate": store(
            driver, tlsConfig={"certificateAuthority": {"certificate": REFERENCE}}
        )
        for driver in OTHERS
    },
    **{
        f"{driver} with all": store(
            driver, tlsConfig={"certificateAuthority": CA, "clientCertificate": CLIENT}, basicAuth=LOGIN
        )
        for driver in OTHERS
    },
    **{
        # As in Kamaji: only the certificate's source is looked at.
        f"{driver} with an empty client key": store(
            driver, tlsConfig={"certificateAuthority": CA, "clientCertificate": {**CLIENT, "privateKey": EMPTY}}
        )
        for driver in OTHERS
    },
    "another driver without a login": store("sqlite"),
    "another driver with settings": store("sqlite", config={"file": "/data/state.db", "pool": {"size": 3}}),
    "another driver with empty parts": store("sqlite", basicAuth={"username": EMPTY, "password": EMPTY}),
}

REJECTED = {
    "etcd with nothing": (store("etcd"), [ETCD_CA_KEY, ETCD_CERTIFICATE, ETCD_KEY]),
    "etcd with a login alone": (store("etcd", basicAuth=LOGIN), [ETCD_CA_KEY, ETCD_CERTIFICATE, ETCD_KEY]),
    "etcd without the authority's key": (
        store("etcd", tlsConfig={"certificateAuthority": {"certificate": REFERENCE}, "clientCertificate": CLIENT}),
        [ETCD_CA_KEY],
    ),
    "etcd with an empty authority's key": (
        store("etcd", tlsConfig={"certificateAuthority": {**CA, "privateKey": EMPTY}, "clientCertificate": CLIENT}),
        [ETCD_CA_KEY],
    ),
    "etcd without a client certificate": (
        store("etcd", tlsConfig={"certificateAuthority": CA}),
        [ETCD_CERTIFICATE, ETCD_KEY],
    ),
    "etcd with an empty client certificate": (
        store("etcd", tlsConfig={"certificateAuthority": CA, "clientCertificate": {**CLIENT, "certificate": EMPTY}}),
        [ETCD_CERTIFICATE],
    ),
    "etcd with an empty client key": (
        store("etcd", tlsConfig={"certificateAuthority": CA, "clientCertificate": {**CLIENT, "privateKey": EMPTY}}),
        [ETCD_KEY],
    ),
    **{f"{driver} with nothing": (store(driver), ["this driver needs a way to log in"]) for driver in OTHERS},
    **{
        f"{driver} with an empty client certificate": (
            store(
                driver, tlsConfig={"certificateAuthority": CA, "clientCertificate": {**CLIENT, "certificate": EMPTY}}
            ),
            ["tlsConfig.clientCertificate.certificate is empty"],
        )
        for driver in OTHERS
    },
    **{
        f"{driver} with an empty user": (
            store(driver, basicAuth={**LOGIN, "username": EMPTY}),
            ["basicAuth.username is empty"],
        )
        for driver in OTHERS
    },
    **{
        f"{driver} with an empty password": (
            store(driver, basicAuth={**LOGIN, "password": EMPTY}),
            ["basicAuth.password is empty"],
        )
        for driver in OTHERS
    },
    **{
        f"a misspelt {driver}": (store(driver, basicAuth=LOGIN), ["driver is case-sensitive"])
        for driver in ("ETCD", "mysql", "postgresql", "Postgresql", "nats")
    },
    "no driver": (store(""), ["spec.driver"]),
    "no endpoints": (store("sqlite", endpoints=[]), ["spec.endpoints"]),
    "no user": (store("MySQL", basicAuth={"password": REFERENCE}), ["spec.basicAuth.username: Required value"]),
    "no authority": (
        store("MySQL", tlsConfig={"clientCertificate": CLIENT}),
        ["spec.tlsConfig.certificateAuthority: Required value"],
    ),
    "a reference without a key": (
        store("MySQL", basicAuth={**LOGIN, "username": {"secretReference": {"name": "s", "namespace": "n"}}}),
        ["secretReference.keyPath: Required value"],
    ),
    "content that is no base64": (
        store("MySQL", basicAuth={**LOGIN, "username": {"content": "not base64!"}}),
        ["must be of type byte"],
    ),
    "no specification": ({"metadata": {"name": "table"}}, ["spec: Required value"]),
}


@pytest.mark.parametrize("accepted", ACCEPTED.values(), ids=ACCEPTED)
async def test_a_store_is_accepted_and_read(client: KubeClient, accepted: dict[str, Any]) -> None:
    """What Kamaji accepts is accepted, keeps all of its fields, and our model reads it."""
    stored = await client.create(DATA_STORES, accepted, dry_run=True)
    assert stored["spec"] == accepted["spec"]
    assert msgspec.convert(stored, DataStore).spec.driver == accepted["spec"]["driver"]


@pytest.mark.parametrize(("rejected", "sentences"), REJECTED.values(), ids=REJECTED)
async def test_a_store_is_rejected_with_sentences(
    client: KubeClient, rejected: dict[str, Any], sentences: list[str]
) -> None:
    """What Kamaji rejects is rejected; each broken rule is told, and no other."""
    with pytest.raises(InvalidError) as refusal:
        await client.create(DATA_STORES, rejected, dry_run=True)
    told = refusal.value.message
    for sentence in sentences:
        assert sentence in told
    assert sum(rule in told for rule in (ETCD_CA_KEY, ETCD_CERTIFICATE, ETCD_KEY)) == sum(
        rule in sentences for rule in (ETCD_CA_KEY, ETCD_CERTIFICATE, ETCD_KEY)
    )
    assert "no such key" not in told


async def test_a_driver_cannot_be_changed_but_the_rest_can(client: KubeClient) -> None:
    """Tenants' data is of one kind of store; addresses and logins may move."""
    name = "driver-change"
    await client.create(DATA_STORES, {**store("MySQL", basicAuth=LOGIN), "metadata": {"name": name}})
    try:
        with pytest.raises(InvalidError, match="driver cannot be changed: create another DataStore"):
            await client.merge_patch(DATA_STORES, name, {"spec": {"driver": "PostgreSQL"}})
        changed = await client.merge_patch(DATA_STORES, name, {"spec": {"endpoints": ["other:3306"]}})
        assert changed["spec"]["endpoints"] == ["other:3306"]
        assert changed["metadata"]["generation"] == 2
    finally:
        await client.delete(DATA_STORES, name)


async def test_the_status_is_written_by_itself(client: KubeClient) -> None:
    """The status subresource changes no generation, needs `ready`, and is not touched by other writes."""
    name = "status"
    created = await client.create(
        DATA_STORES, {**store("MySQL", basicAuth=LOGIN), "metadata": {"name": name}, "status": {"ready": True}}
    )
    try:
        assert "status" not in created
        with pytest.raises(InvalidError, match=r"status\.ready: Required value"):
            await client.merge_patch(DATA_STORES, name, {"status": {"usedBy": ["a/b"]}}, subresource="status")
        status = {"ready": True, "usedBy": ["a/b"], "observedGeneration": 1}
        written = await client.merge_patch(DATA_STORES, name, {"status": status}, subresource="status")
        assert written["status"] == status
        assert written["metadata"]["generation"] == 1
        assert msgspec.convert(written, DataStore).status.used_by == ("a/b",)
    finally:
        await client.delete(DATA_STORES, name)
