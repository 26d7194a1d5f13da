"""Reading a DataStore."""

import base64
from typing import Any

import msgspec
import pytest

from kamaji_core.api.datastore import ContentRef, DataStore, DataStoreStatus, SecretReference
from kamaji_core.api.model import manifest

SECRET = {"secretReference": {"name": "certs", "namespace": "kamaji-system", "keyPath": "ca.crt"}}


def store(**spec: Any) -> DataStore:
    """Decode a DataStore from its specification on the wire."""
    content = {"metadata": {"name": "default"}, "spec": {"driver": "etcd", "endpoints": ["etcd:2379"], **spec}}
    return msgspec.convert(content, DataStore)


def test_the_smallest_store_reads() -> None:
    """What is left out is absent, and a store that nobody looked at is not ready."""
    smallest = store()
    assert (smallest.spec.driver, smallest.spec.endpoints) == ("etcd", ("etcd:2379",))
    assert (smallest.spec.basic_auth, smallest.spec.tls_config, dict(smallest.spec.config)) == (None, None, {})
    assert smallest.metadata.namespace == ""
    assert not smallest.status.ready


def test_references_read() -> None:
    """Each part of the login is content or a key of a Secret."""
    inline = {"content": base64.b64encode(b"me").decode()}
    spec = store(
        basicAuth={"username": inline, "password": SECRET},
        tlsConfig={
            "certificateAuthority": {"certificate": SECRET, "privateKey": SECRET},
            "clientCertificate": {"certificate": SECRET, "privateKey": SECRET},
        },
    ).spec
    reference = SecretReference(name="certs", namespace="kamaji-system", key_path="ca.crt")
    assert spec.basic_auth is not None
    assert spec.basic_auth.username == ContentRef(content=b"me")
    assert spec.basic_auth.password == ContentRef(secret_reference=reference)
    assert spec.tls_config is not None
    assert spec.tls_config.certificate_authority.private_key == ContentRef(secret_reference=reference)
    assert spec.tls_config.client_certificate is not None
    assert spec.tls_config.client_certificate.private_key.secret_reference == reference


def test_another_drivers_settings_are_kept_as_they_are() -> None:
    """A driver is an open name, and what stands in `config` is the driver's business."""
    settings = {"file": "/data/state.db", "pool": {"size": 3, "names": ["a"]}}
    spec = store(driver="sqlite", config=settings).spec
    assert spec.driver == "sqlite"
    assert spec.config == settings


def test_inline_content_is_never_shown() -> None:
    """A store's representation may reach a log; a key or password in it must not."""
    secret = base64.b64encode(b"hunter2").decode()
    shown = repr(store(basicAuth={"username": {"content": secret}, "password": SECRET}))
    assert "hunter2" not in shown
    assert secret not in shown
    assert "ContentRef(inline)" in shown
    assert "name='certs'" in shown


@pytest.mark.parametrize("content", ["aGVsbG8=", "aGVsbG9=", ""])
def test_base64_that_the_api_server_stores_is_read(content: str) -> None:
    """Also where its last bits are not zero, and where it is empty."""
    spec = store(basicAuth={"username": {"content": content}, "password": SECRET}).spec
    assert spec.basic_auth is not None
    assert spec.basic_auth.username.content == base64.b64decode(content)


def test_a_status_tells_readiness_even_when_there_is_none() -> None:
    """`ready` is required and so always written."""
    assert manifest(DataStoreStatus(ready=False)) == {"ready": False}
    assert manifest(DataStoreStatus(ready=True, used_by=("a/b",), observed_generation=2)) == {
        "ready": True,
        "usedBy": ["a/b"],
        "observedGeneration": 2,
    }
