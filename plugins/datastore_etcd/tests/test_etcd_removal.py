"""Access is taken away and claims are removed: completely, repeatedly, and without harm to the neighbours."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from kamaji_core.contracts import Claim, Credentials
from kamaji_datastore_etcd import wire
from kamaji_datastore_etcd.channels import Channels
from kamaji_datastore_etcd.errors import PermissionDeniedError
from kamaji_datastore_etcd.session import EtcdSession

if TYPE_CHECKING:
    from collections.abc import Callable

    from kamaji_core.contracts import StoreView
    from kamaji_core.testing import EtcdServer
    from kamaji_datastore_etcd import EtcdDriver

pytestmark = pytest.mark.real

Etcdctl = Any  # the class lives in conftest, which is no module to import


def login(claim: Claim) -> Credentials:
    """Credentials as far as `ensure` looks at them."""
    return Credentials(user=claim.user)


def traces(etcdctl: Etcdctl, claim: Claim) -> set[str]:
    """What is left of a claim at the store."""
    left = set()
    if claim.user in etcdctl("user", "list").split():
        left.add("user")
    if claim.schema in etcdctl("role", "list").split():
        left.add("role")
    if etcdctl("get", f"/{claim.schema}/", "--prefix", "--keys-only"):
        left.add("data")
    for kind, name in (("claims", claim.schema), ("users", claim.user)):
        if etcdctl("get", f"kamaji.clastix.io/{kind}/{name}"):
            left.add(kind)
    return left


async def test_revoking_ends_access_on_an_open_connection(
    session: EtcdSession,
    driver: EtcdDriver,
    server: EtcdServer,
    store: StoreView,
    make_store: Callable[..., StoreView],
    open_session: Callable[..., EtcdSession],
    make_pair: Callable[[Credentials], Any],
    claim: Claim,
) -> None:
    """A tenant that is connected is refused from its next request on."""
    credentials = driver.issue(store, claim, current=None, now=datetime.now(UTC))
    await session.ensure(claim, credentials)
    tenant = open_session(make_store(server, client=make_pair(credentials)))._wire
    key = f"/{claim.schema}/key".encode()
    await tenant.create({key: b"1"}, empty=None)
    await session.revoke(claim)
    with pytest.raises(PermissionDeniedError):
        await tenant.read((key,))
    with pytest.raises(PermissionDeniedError):
        await tenant.create({key + b"2": b"1"}, empty=None)


async def test_revoking_keeps_data_and_owner(session: EtcdSession, etcdctl: Etcdctl, claim: Claim) -> None:
    """Only the user goes; the data, its range's role and the records stay."""
    await session.ensure(claim, login(claim))
    etcdctl("put", f"/{claim.schema}/key", "kept")
    await session.revoke(claim)
    assert traces(etcdctl, claim) == {"role", "data", "claims", "users"}
    await session.revoke(claim)


async def test_removing_leaves_nothing(session: EtcdSession, etcdctl: Etcdctl, claim: Claim) -> None:
    """Data, role, user and records are gone, and removing again is no error."""
    await session.ensure(claim, login(claim))
    etcdctl("put", f"/{claim.schema}/key", "gone")
    await session.remove(claim)
    assert traces(etcdctl, claim) == set()
    await session.remove(claim)


async def test_removing_after_revoking(session: EtcdSession, etcdctl: Etcdctl, claim: Claim) -> None:
    """The order of a deletion: access first, data later."""
    await session.ensure(claim, login(claim))
    etcdctl("put", f"/{claim.schema}/key", "gone")
    await session.revoke(claim)
    await session.remove(claim)
    assert traces(etcdctl, claim) == set()


async def test_removing_what_never_was(session: EtcdSession, etcdctl: Etcdctl, claim: Claim) -> None:
    """A claim that was never made is removed at once, without a write."""
    before = etcdctl("auth", "status")
    await session.revoke(claim)
    await session.remove(claim)
    assert etcdctl("auth", "status") == before


async def test_the_neighbours_keep_their_data(
    session: EtcdSession, etcdctl: Etcdctl, make_claim: Callable[..., Claim]
) -> None:
    """Keys of schemas that begin alike, before and behind, are not touched."""
    claim = make_claim(schema="middle")
    others = ["/middl/key", "/middle", "/middle-/key", "/middle0", "/middles/key", "0/middle/key"]
    await session.ensure(claim, login(claim))
    for key in ("/middle/a", "/middle/\u00ff", *others):
        etcdctl("put", key, "value")
    await session.remove(claim)
    assert traces(etcdctl, claim) == set()
    for key in others:
        assert etcdctl("get", key, "--print-value-only") == "value\n"


async def test_much_data_goes_in_steps(
    session: EtcdSession, etcdctl: Etcdctl, claim: Claim, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More keys than one request deletes are deleted all the same."""
    monkeypatch.setattr(wire, "DELETE_PAGE", 7)
    await session.ensure(claim, login(claim))
    keys = {f"/{claim.schema}/key{number:03}".encode(): b"" for number in range(50)}
    await session._wire.create(keys, empty=None)
    assert await session._wire.delete_keys(f"/{claim.schema}/".encode(), f"/{claim.schema}0".encode()) == 50
    await session._wire.create(keys, empty=None)
    await session.remove(claim)
    assert traces(etcdctl, claim) == set()


@pytest.mark.parametrize("steps", range(8))
async def test_an_interruption_anywhere_is_made_good(
    store: StoreView,
    session: EtcdSession,
    etcdctl: Etcdctl,
    claim: Claim,
    monkeypatch: pytest.MonkeyPatch,
    steps: int,
) -> None:
    """Cancelled after any number of calls, what is left still has its owner and goes with the next attempt."""
    assert store.tls is not None
    await session.ensure(claim, login(claim))
    etcdctl("put", f"/{claim.schema}/key", "gone")
    channels = Channels(store.endpoints, store.tls)
    call, left = channels.call, steps

    async def interrupted(*arguments: Any, **options: Any) -> Any:
        nonlocal left
        if left == 0:
            raise asyncio.CancelledError
        left -= 1
        return await call(*arguments, **options)

    monkeypatch.setattr(channels, "call", interrupted)
    victim = EtcdSession(channels, login="root")
    with pytest.raises(asyncio.CancelledError):
        await victim.remove(claim)
    await victim.aclose()
    assert {"claims", "users"} <= traces(etcdctl, claim)
    await session.remove(claim)
    assert traces(etcdctl, claim) == set()
