"""Who may have a schema and a user, against a real store: tenants, strangers, Kamaji's tenants, the operator."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import TYPE_CHECKING, Any

import pytest

from kamaji_core.contracts import Claim, Credentials, StoreError
from kamaji_datastore_etcd.ownership import OwnershipError

if TYPE_CHECKING:
    from collections.abc import Callable

    from kamaji_datastore_etcd.session import EtcdSession

pytestmark = pytest.mark.real

Etcdctl = Any  # the class lives in conftest, which is no module to import


def login(claim: Claim) -> Credentials:
    """Credentials as far as `ensure` looks at them."""
    return Credentials(user=claim.user)


def make_as_kamaji(etcdctl: Etcdctl, claim: Claim, *, kind: str = "readwrite") -> None:
    """What Kamaji leaves at a store for a tenant: user, role, one range; no record."""
    etcdctl("user", "add", claim.user, "--no-password")
    etcdctl("role", "add", claim.schema)
    etcdctl("role", "grant-permission", claim.schema, kind, f"/{claim.schema}/", f"/{claim.schema}0")
    etcdctl("user", "grant-role", claim.user, claim.schema)


@pytest.mark.parametrize("taken", ["schema", "user"])
async def test_a_second_tenant_is_refused(
    session: EtcdSession, etcdctl: Etcdctl, make_claim: Callable[..., Claim], taken: str
) -> None:
    """Whoever asks for another's schema or user learns whose it is, and nothing is made or changed for it."""
    first = make_claim(namespace="first", name="owner")
    await session.ensure(first, login(first))
    second = make_claim(**{taken: getattr(first, taken)})
    with pytest.raises(OwnershipError, match=rf"first/owner \(UID {first.tenant_uid}\)") as caught:
        await session.ensure(second, login(second))
    assert not caught.value.retry
    assert etcdctl("user", "get", first.user).split()[3:] == [first.schema]
    untaken = "user" if taken == "schema" else "role"
    assert getattr(second, "user" if taken == "schema" else "schema") not in etcdctl(untaken, "list").split()


async def test_two_that_ask_at_once_do_not_share(session: EtcdSession, make_claim: Callable[..., Claim]) -> None:
    """Of many tenants that ask for the same schema at the same time exactly one gets it."""
    first = make_claim()
    claims = [first, *(make_claim(schema=first.schema) for _ in range(7))]
    answers = await asyncio.gather(*(session.ensure(claim, login(claim)) for claim in claims), return_exceptions=True)
    assert answers.count(None) == 1
    assert sum(isinstance(answer, OwnershipError) for answer in answers) == 7


async def test_refused_claims_take_nothing_away(
    session: EtcdSession, etcdctl: Etcdctl, make_claim: Callable[..., Claim]
) -> None:
    """Removing a tenant that was refused succeeds and leaves the owner's data, user and role alone."""
    first = make_claim()
    await session.ensure(first, login(first))
    etcdctl("put", f"/{first.schema}/key", "kept")
    second = make_claim(schema=first.schema, user=first.user)
    await session.revoke(second)
    await session.remove(second)
    assert etcdctl("get", f"/{first.schema}/key", "--print-value-only") == "kept\n"
    assert etcdctl("user", "get", first.user).split()[3:] == [first.schema]


async def test_a_removed_claim_is_free_again(session: EtcdSession, make_claim: Callable[..., Claim]) -> None:
    """After its removal another tenant may have the same names."""
    first = make_claim()
    await session.ensure(first, login(first))
    await session.remove(first)
    second = make_claim(schema=first.schema, user=first.user)
    await session.ensure(second, login(second))


@pytest.mark.parametrize("names", [{"user": "root"}, {"schema": "root"}, {"schema": "a/b"}, {"user": ""}])
async def test_reserved_names_are_refused_and_never_removed(
    session: EtcdSession, etcdctl: Etcdctl, make_claim: Callable[..., Claim], names: dict[str, str]
) -> None:
    """The administrator is no tenant's, and deleting a tenant that asked for it changes nothing."""
    claim = make_claim(**names)
    with pytest.raises(StoreError, match=r"spec\.dataStore") as caught:
        await session.ensure(claim, login(claim))
    assert not caught.value.retry
    await session.revoke(claim)
    await session.remove(claim)
    assert etcdctl("user", "get", "root").split()[3:] == ["root"]


async def test_an_administrator_s_user_is_refused(
    session: EtcdSession, etcdctl: Etcdctl, make_claim: Callable[..., Claim]
) -> None:
    """A user with roles of its own is nobody's to take, nor to delete."""
    etcdctl("role", "add", "backups")
    etcdctl("user", "add", "backup", "--no-password")
    etcdctl("user", "grant-role", "backup", "backups")
    claim = make_claim(user="backup")
    with pytest.raises(OwnershipError, match="was not made for a tenant"):
        await session.ensure(claim, login(claim))
    await session.remove(claim)
    assert etcdctl("user", "get", "backup").split()[3:] == ["backups"]


async def test_a_user_with_a_password_is_refused(
    session: EtcdSession, etcdctl: Etcdctl, make_claim: Callable[..., Claim]
) -> None:
    """Whoever knows the password could log in as the tenant."""
    etcdctl("user", "add", "known:secret")
    claim = make_claim(user="known")
    with pytest.raises(OwnershipError, match="exists at etcd with a password"):
        await session.ensure(claim, login(claim))
    assert f"kamaji.clastix.io/claims/{claim.schema}" not in etcdctl("get", "", "--prefix", "--keys-only")


async def test_keys_that_nobody_owns_are_refused(
    session: EtcdSession, etcdctl: Etcdctl, make_claim: Callable[..., Claim]
) -> None:
    """A prefix that something else lives under, such as a cluster's own, is given to no tenant and not deleted."""
    claim = make_claim(schema="registry")
    etcdctl("put", "/registry/secrets/default/token", "theirs")
    with pytest.raises(OwnershipError, match="keys under /registry/ that no tenant owns"):
        await session.ensure(claim, login(claim))
    await session.remove(claim)
    assert etcdctl("get", "/registry/secrets/default/token", "--print-value-only") == "theirs\n"
    assert "registry" not in etcdctl("role", "list").split()


async def test_a_tenant_of_kamaji_is_taken_over(
    session: EtcdSession, etcdctl: Etcdctl, make_claim: Callable[..., Claim]
) -> None:
    """Its data stays, its user is not made anew, and from then on it is recorded."""
    claim = make_claim(recorded=True)
    make_as_kamaji(etcdctl, claim)
    etcdctl("put", f"/{claim.schema}/key", "kept")
    before = etcdctl("auth", "status")
    await session.ensure(claim, login(claim))
    assert etcdctl("auth", "status") == before
    assert etcdctl("get", f"/{claim.schema}/key", "--print-value-only") == "kept\n"
    assert claim.tenant_uid in etcdctl("get", f"kamaji.clastix.io/users/{claim.user}", "--print-value-only")


@pytest.mark.parametrize("call", ["reserve", "ensure"])
async def test_a_tenant_of_kamaji_is_nobody_else_s(
    session: EtcdSession, etcdctl: Etcdctl, claim: Claim, call: str
) -> None:
    """Who only names its schema and user in the specification gets no record, no credentials, and removes nothing."""
    make_as_kamaji(etcdctl, claim)
    etcdctl("put", f"/{claim.schema}/key", "kept")
    before = etcdctl("auth", "status")
    arguments = (claim, login(claim)) if call == "ensure" else (claim,)
    with pytest.raises(OwnershipError, match=r"status\.storage\.setup does not name both") as caught:
        await getattr(session, call)(*arguments)
    assert not caught.value.retry
    await session.revoke(claim)
    await session.remove(claim)
    assert etcdctl("auth", "status") == before
    assert etcdctl("get", f"/{claim.schema}/key", "--print-value-only") == "kept\n"
    assert etcdctl("get", f"kamaji.clastix.io/claims/{claim.schema}") == ""


async def test_a_tenant_of_kamaji_is_removed(
    session: EtcdSession, etcdctl: Etcdctl, make_claim: Callable[..., Claim]
) -> None:
    """One that was never taken over is removed all the same."""
    claim = make_claim(recorded=True)
    make_as_kamaji(etcdctl, claim)
    etcdctl("put", f"/{claim.schema}/key", "gone")
    await session.remove(claim)
    assert claim.user not in etcdctl("user", "list").split()
    assert claim.schema not in etcdctl("role", "list").split()
    assert etcdctl("get", f"/{claim.schema}/", "--prefix") == ""


async def test_a_role_of_another_shape_is_refused(session: EtcdSession, etcdctl: Etcdctl, claim: Claim) -> None:
    """A role on the same range with other rights was not made for a tenant."""
    make_as_kamaji(etcdctl, claim, kind="read")
    with pytest.raises(OwnershipError, match="was not made for a tenant"):
        await session.ensure(claim, login(claim))


async def test_the_refusal_s_remedy_helps(
    session: EtcdSession, etcdctl: Etcdctl, make_claim: Callable[..., Claim]
) -> None:
    """When the owner is gone for good, removing what the sentence names frees the names for the next tenant."""
    first = make_claim()
    await session.ensure(first, login(first))
    etcdctl("put", f"/{first.schema}/key", "gone")
    second = make_claim(schema=first.schema, user=first.user)
    with pytest.raises(OwnershipError) as caught:
        await session.ensure(second, login(second))
    records = [f"kamaji.clastix.io/claims/{first.schema}", f"kamaji.clastix.io/users/{first.user}"]
    for named in (f"user {first.user!r}", f"role {first.schema!r}", f"under /{first.schema}/", *map(repr, records)):
        assert named in str(caught.value)
    etcdctl("user", "delete", first.user)
    etcdctl("role", "delete", first.schema)
    etcdctl("del", f"/{first.schema}/", "--prefix")
    for key in records:
        etcdctl("del", key)
    await session.ensure(second, login(second))
    assert etcdctl("user", "get", first.user).split()[3:] == [first.schema]


async def test_deleted_records_give_nothing_away(
    session: EtcdSession, etcdctl: Etcdctl, make_claim: Callable[..., Claim]
) -> None:
    """Without its records a claim is its tenant's still, told by that tenant's status; nobody else's."""
    first = make_claim()
    await session.ensure(first, login(first))
    etcdctl("del", f"kamaji.clastix.io/claims/{first.schema}")
    etcdctl("del", f"kamaji.clastix.io/users/{first.user}")
    second = make_claim(schema=first.schema, user=first.user)
    with pytest.raises(OwnershipError, match="without an owner's record"):
        await session.ensure(second, login(second))
    await session.ensure(dataclasses.replace(first, recorded=True), login(first))
    with pytest.raises(OwnershipError, match=f"UID {first.tenant_uid}"):
        await session.ensure(second, login(second))
