"""A real kube-apiserver on a claim: the flags, files and rights that the driver gives are enough and no more."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from kamaji_core.contracts import SecretReferences, TenantView
from kamaji_core.testing import ApiServer, write_private
from kamaji_datastore_etcd.driver import DIRECTORY

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kamaji_core.contracts import Claim, StoreView
    from kamaji_datastore_etcd import EtcdDriver
    from kamaji_datastore_etcd.session import EtcdSession

pytestmark = pytest.mark.real

_TENANT = TenantView(namespace="tenants", name="one", uid="uid", version="v1.37.1", replicas=1)
_SECRETS = SecretReferences(credentials="one-datastore-certificate", config="one-datastore-config")


async def test_kube_apiserver_becomes_ready_on_its_prefix(
    session: EtcdSession,
    driver: EtcdDriver,
    store: StoreView,
    claim: Claim,
    etcdctl: Callable[..., Any],
    tmp_path: Path,
) -> None:
    """With the driver's flags it becomes ready, and every key that it writes lies in the claim's range."""
    credentials = driver.issue(store, claim, current=None, now=datetime.now(UTC))
    await session.ensure(claim, credentials)
    before = set(etcdctl("get", "", "--prefix", "--keys-only").split())
    for name, content in credentials.files.items():
        write_private(tmp_path / name, content)
    parts = driver.parts(store, _TENANT, claim, secrets=_SECRETS)
    told = {flag.name.removeprefix("--"): flag.value.replace(DIRECTORY, str(tmp_path)) for flag in parts.flags}
    async with ApiServer(extra=told):
        written = set(etcdctl("get", "", "--prefix", "--keys-only").split()) - before
    assert written
    assert all(key.startswith(f"/{claim.schema}/") for key in written)
    await session.remove(claim)
    assert set(etcdctl("get", "", "--prefix", "--keys-only").split()) <= before
