"""What a tenant's pods are told about their share of the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kamaji_core.contracts import Claim, ControlPlaneParts, Mount, RestartOn, SecretReferences, TenantView, Volume

if TYPE_CHECKING:
    from collections.abc import Callable

    from kamaji_core.contracts import StoreView
    from kamaji_datastore_etcd import EtcdDriver

_TENANT = TenantView(namespace="tenants", name="one", uid="uid", version="v1.37.1", replicas=2)
_SECRETS = SecretReferences(credentials="one-datastore-certificate", config="one-datastore-config")


@pytest.fixture
def parts(driver: EtcdDriver, paper_store: StoreView, make_claim: Callable[..., Claim]) -> ControlPlaneParts:
    """The parts of a tenant with the schema `s`."""
    return driver.parts(paper_store, _TENANT, make_claim(schema="s"), secrets=_SECRETS)


def test_kube_apiserver_is_led_to_its_prefix(parts: ControlPlaneParts) -> None:
    """All members are named with https, the prefix is the schema's, compaction is off, and no user may change that."""
    assert {flag.name: flag.value for flag in parts.flags} == {
        "--etcd-servers": "https://etcd-0.etcd:2379,https://10.0.0.1:2379,https://[fd00::1]:2379",
        "--etcd-prefix": "/s",
        "--etcd-cafile": "/etc/kubernetes/pki/etcd/ca.crt",
        "--etcd-certfile": "/etc/kubernetes/pki/etcd/server.crt",
        "--etcd-keyfile": "/etc/kubernetes/pki/etcd/server.key",
        "--etcd-compaction-interval": "0",
    }
    assert {flag.component for flag in parts.flags} == {"kube-apiserver"}
    assert all(flag.managed for flag in parts.flags)


def test_the_credentials_are_mounted_where_the_flags_look(parts: ControlPlaneParts) -> None:
    """The Secret's files stand under their own names, for kube-apiserver alone."""
    assert parts.volumes == (Volume(name="datastore-certificate", secret="one-datastore-certificate"),)
    assert parts.mounts == (
        Mount(component="kube-apiserver", volume="datastore-certificate", path="/etc/kubernetes/pki/etcd"),
    )


def test_only_a_new_authority_rolls_the_pods(parts: ControlPlaneParts) -> None:
    """kube-apiserver reloads the client certificate and its key by itself, the authority it reads once."""
    (restart,) = parts.restart_on
    assert restart == RestartOn(name="datastore-ca", secret="one-datastore-certificate", key="ca.crt")
