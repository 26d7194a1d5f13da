"""A claim is made to exist: user, role, range and records, once, and exactly so."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from kamaji_core.contracts import Claim, Credentials, ProbeKind, StoreError
from kamaji_datastore_etcd.channels import Channels
from kamaji_datastore_etcd.errors import AuthenticationDisabledError
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


def revisions(etcdctl: Etcdctl) -> tuple[int, int]:
    """The revisions of users and of keys: they rise with each write."""
    status = json.loads(etcdctl("auth", "status", "-w", "json"))
    keys = json.loads(etcdctl("get", "none", "-w", "json"))
    return status["authRevision"], keys["header"]["revision"]


def permissions(etcdctl: Etcdctl, role: str) -> list[tuple[str, str, str]]:
    """What etcdctl shows of a role: kind, first key and end of each permission."""
    shown = etcdctl("role", "get", role).splitlines()
    entries, kind = [], ""
    for line in shown:
        if line.startswith("KV "):
            kind = line
        elif "[" in line:
            key, _, rest = line.strip().removeprefix("[").partition(", ")
            entries.append((kind, key, rest.partition(")")[0]))
    return entries


async def test_a_new_claim_gets_user_role_range_and_records(
    session: EtcdSession, etcdctl: Etcdctl, claim: Claim
) -> None:
    """The witness sees one role with one range, one user with this role, and the owner under both names."""
    await session.ensure(claim, login(claim))
    assert etcdctl("user", "get", claim.user).split() == ["User:", claim.user, "Roles:", claim.schema]
    first, end = f"/{claim.schema}/", f"/{claim.schema}0"
    assert permissions(etcdctl, claim.schema) == [("KV Read:", first, end), ("KV Write:", first, end)]
    for key in (f"kamaji.clastix.io/claims/{claim.schema}", f"kamaji.clastix.io/users/{claim.user}"):
        record = json.loads(etcdctl("get", key, "--print-value-only"))
        assert record == {name: getattr(claim, name) for name in ("tenant_uid", "namespace", "name", "schema", "user")}


async def test_the_second_time_writes_nothing(session: EtcdSession, etcdctl: Etcdctl, claim: Claim) -> None:
    """Neither users nor keys change when all is right, so that no other tenant's request is disturbed."""
    await session.ensure(claim, login(claim))
    before = revisions(etcdctl)
    await session.ensure(claim, login(claim))
    assert revisions(etcdctl) == before


async def test_a_new_claim_writes_four_times_to_users(
    own_server: EtcdServer,
    driver: EtcdDriver,
    make_store: Callable[..., StoreView],
    open_session: Callable[..., EtcdSession],
    witness_of: Callable[..., Etcdctl],
    claim: Claim,
) -> None:
    """User, role, permission and grant are written once each; the records are one transaction."""
    etcdctl = witness_of(own_server)
    before = revisions(etcdctl)
    session = open_session(make_store(own_server))
    await session.ensure(claim, login(claim))
    after = revisions(etcdctl)
    assert (after[0] - before[0], after[1] - before[1]) == (4, 1)


async def test_drift_is_repaired(session: EtcdSession, etcdctl: Etcdctl, claim: Claim) -> None:
    """Rights that somebody added are taken away, rights that somebody took are given back."""
    await session.ensure(claim, login(claim))
    etcdctl("role", "grant-permission", claim.schema, "read", "/", "0")
    etcdctl("role", "grant-permission", claim.schema, "readwrite", "alone")
    etcdctl("role", "revoke-permission", claim.schema, f"/{claim.schema}/", f"/{claim.schema}0")
    etcdctl("user", "grant-role", claim.user, "root")
    etcdctl("user", "revoke-role", claim.user, claim.schema)
    await session.ensure(claim, login(claim))
    assert etcdctl("user", "get", claim.user).split()[3:] == [claim.schema]
    first, end = f"/{claim.schema}/", f"/{claim.schema}0"
    assert permissions(etcdctl, claim.schema) == [("KV Read:", first, end), ("KV Write:", first, end)]


async def test_a_deleted_user_comes_back(session: EtcdSession, etcdctl: Etcdctl, claim: Claim) -> None:
    """What revoking took is given again, with the data still there."""
    await session.ensure(claim, login(claim))
    etcdctl("put", f"/{claim.schema}/key", "kept")
    await session.revoke(claim)
    await session.ensure(claim, login(claim))
    assert etcdctl("user", "get", claim.user).split()[3:] == [claim.schema]
    assert etcdctl("get", f"/{claim.schema}/key", "--print-value-only") == "kept\n"


@pytest.mark.parametrize("steps", range(10))
async def test_an_interruption_anywhere_is_made_good(
    store: StoreView,
    session: EtcdSession,
    etcdctl: Etcdctl,
    claim: Claim,
    monkeypatch: pytest.MonkeyPatch,
    steps: int,
) -> None:
    """Cancelled after any number of calls, the claim is complete after the next attempt."""
    assert store.tls is not None
    channels = Channels(store.endpoints, store.tls)
    left = steps
    call = channels.call

    async def interrupted(*arguments: Any, **options: Any) -> Any:
        nonlocal left
        if left == 0:
            raise asyncio.CancelledError
        left -= 1
        return await call(*arguments, **options)

    monkeypatch.setattr(channels, "call", interrupted)
    victim = EtcdSession(channels, login="root")
    try:
        await victim.ensure(claim, login(claim))
    except asyncio.CancelledError:
        assert left == 0
    else:
        assert steps > 8  # four questions, one transaction, four writes
    await victim.aclose()
    await session.ensure(claim, login(claim))
    assert etcdctl("user", "get", claim.user).split()[3:] == [claim.schema]
    assert len(permissions(etcdctl, claim.schema)) == 2


async def test_many_tenants_at_once(session: EtcdSession, etcdctl: Etcdctl, make_claim: Callable[..., Claim]) -> None:
    """Claims made together all succeed, although each changes users under the others' requests."""
    claims = [make_claim() for _ in range(40)]
    await asyncio.gather(*(session.ensure(claim, login(claim)) for claim in claims))
    users = set(etcdctl("user", "list").split())
    assert {claim.user for claim in claims} <= users


async def test_the_same_claim_at_once(session: EtcdSession, etcdctl: Etcdctl, claim: Claim) -> None:
    """Two operators that make the same claim at the same time both succeed."""
    await asyncio.gather(*(session.ensure(claim, login(claim)) for _ in range(5)))
    assert etcdctl("user", "get", claim.user).split()[3:] == [claim.schema]


async def test_nothing_is_made_while_authentication_is_off(
    own_server: EtcdServer,
    make_store: Callable[..., StoreView],
    open_session: Callable[..., EtcdSession],
    witness_of: Callable[..., Etcdctl],
    claim: Claim,
) -> None:
    """A store where rights have no effect gets no tenant."""
    etcdctl = witness_of(own_server)
    etcdctl("auth", "disable")
    session = open_session(make_store(own_server))
    with pytest.raises(AuthenticationDisabledError, match="etcdctl auth enable"):
        await session.ensure(claim, login(claim))
    assert etcdctl("user", "list").split() == ["root"]
    assert etcdctl("get", "", "--prefix", "--keys-only") == ""


async def test_credentials_of_another_user_are_refused(session: EtcdSession, claim: Claim) -> None:
    """Credentials that would log nobody in are an error, not a surprise later."""
    with pytest.raises(StoreError, match="not those of the user") as caught:
        await session.ensure(claim, Credentials(user="somebody"))
    assert (caught.value.kind, caught.value.retry) == (ProbeKind.AUTH, False)


async def test_issued_credentials_log_in(
    session: EtcdSession,
    driver: EtcdDriver,
    store: StoreView,
    claim: Claim,
    etcdctl_as: Callable[..., Etcdctl],
    make_pair: Callable[[Credentials], Any],
) -> None:
    """What the driver issues is what the server accepts."""
    credentials = driver.issue(store, claim, current=None, now=datetime.now(UTC))
    await session.ensure(claim, credentials)
    tenant = etcdctl_as(make_pair(credentials))
    tenant("put", f"/{claim.schema}/registry/key", "value")
    assert tenant("get", f"/{claim.schema}/registry/key", "--print-value-only") == "value\n"
