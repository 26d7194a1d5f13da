"""The store tells whose claims it holds, so that those whose tenants are gone can be found and removed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kamaji_core.contracts import Claim, Credentials
from kamaji_datastore_etcd import session as session_module

if TYPE_CHECKING:
    from collections.abc import Callable

    from kamaji_core.contracts import StoreView
    from kamaji_core.testing import EtcdServer
    from kamaji_datastore_etcd.session import EtcdSession

pytestmark = pytest.mark.real

Etcdctl = Any  # the class lives in conftest, which is no module to import


async def test_every_claim_is_listed_once(
    own_server: EtcdServer,
    make_store: Callable[..., StoreView],
    open_session: Callable[..., EtcdSession],
    make_claim: Callable[..., Claim],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Over many pages nothing is lost or told twice, and an empty store lists nothing."""
    monkeypatch.setattr(session_module, "RECORDS_PAGE", 3)
    session = open_session(make_store(own_server))
    assert await session.claims() == ()
    claims = [make_claim() for _ in range(10)]
    for claim in claims[:9]:
        await session.ensure(claim, Credentials(user=claim.user))
    await session.reserve(claims[9])  # reserved and never ensured: an orphan as well
    listed = await session.claims()
    assert sorted(listed, key=lambda claim: claim.tenant_uid) == sorted(claims, key=lambda claim: claim.tenant_uid)


async def test_an_orphan_is_removed_by_what_was_listed(
    session: EtcdSession, etcdctl: Etcdctl, make_claim: Callable[..., Claim]
) -> None:
    """A listed claim can be handed back: its data, user, role and records go, also when one record was lost."""
    orphan = make_claim()
    await session.ensure(orphan, Credentials(user=orphan.user))
    etcdctl("put", f"/{orphan.schema}/key", "gone")
    etcdctl("del", f"kamaji.clastix.io/users/{orphan.user}")
    (listed,) = [claim for claim in await session.claims() if claim.tenant_uid == orphan.tenant_uid]
    assert listed == orphan
    await session.revoke(listed)
    await session.remove(listed)
    assert orphan.tenant_uid not in {claim.tenant_uid for claim in await session.claims()}
    assert etcdctl("get", f"/{orphan.schema}/", "--prefix") == ""
    assert orphan.user not in etcdctl("user", "list").split()


async def test_records_that_prove_nothing_are_left_out(session: EtcdSession, etcdctl: Etcdctl, claim: Claim) -> None:
    """Damaged records and keys that only begin alike hide no other claim."""
    await session.ensure(claim, Credentials(user=claim.user))
    etcdctl("put", "kamaji.clastix.io/claims/damaged", "not JSON")
    etcdctl("put", "kamaji.clastix.io/claimsx", "beyond")
    etcdctl("put", "kamaji.clastix.io/users/damaged", '{"tenant_uid": "u"}')
    listed = await session.claims()
    assert claim in listed
    assert "damaged" not in {entry.schema for entry in listed} | {entry.user for entry in listed}
    for key in ("kamaji.clastix.io/claims/damaged", "kamaji.clastix.io/claimsx", "kamaji.clastix.io/users/damaged"):
        etcdctl("del", key)
