"""What somebody changed at the store is found, named and, where that is possible, put right by the next `ensure`."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import pytest

from kamaji_core.contracts import Claim, Credentials
from kamaji_datastore_etcd.drift import drift_of
from kamaji_datastore_etcd.names import NameRefusedError
from kamaji_datastore_etcd.ownership import Found, record_of
from kamaji_datastore_etcd.rights import Permission, Rights, wanted_rights

if TYPE_CHECKING:
    from collections.abc import Callable

    from kamaji_datastore_etcd.session import EtcdSession

Etcdctl = Any  # the class lives in conftest, which is no module to import


def sound(claim: Claim) -> Found:
    """What `ensure` leaves at the store."""
    content = record_of(claim).encode()
    return Found(schema_record=content, user_record=content, rights=wanted_rights(claim))


def test_what_was_made_does_not_differ(claim: Claim) -> None:
    """A claim as `ensure` left it has no drift."""
    assert drift_of(claim, sound(claim), has_password=False) is None


_FOREIGN = Permission(key=b"/other/", range_end=b"/other0", kind="READ")


@pytest.mark.parametrize(
    ("change", "what", "words"),
    [
        ({"schema_record": None}, "owner", "lacks the owner's record under 'kamaji.clastix.io/claims/"),
        ({"user_record": b"{}"}, "owner", "cannot be read"),
        ({"schema_record": None, "user_record": None}, "owner", "without an owner's record"),
        ({"roles": None}, "user", "is gone"),
        ({"permissions": None}, "role", "is gone"),
        ({"roles": frozenset({"root"})}, "rights", "more rights"),
        ({"roles": frozenset()}, "rights", "lacks rights"),
        ({"permissions": frozenset()}, "rights", "lacks rights"),
        ({"permissions": frozenset({_FOREIGN})}, "rights", "more rights"),
    ],
)
def test_each_difference_has_its_name(claim: Claim, change: dict[str, Any], what: str, words: str) -> None:
    """The constant says which part differs and the sentence what it is; a sentence ends as one."""
    there = sound(claim)
    rights = dataclasses.replace(
        there.rights, **{name: value for name, value in change.items() if name in Rights.__slots__}
    )
    records = {name: value for name, value in change.items() if name not in Rights.__slots__}
    drift = drift_of(claim, dataclasses.replace(there, rights=rights, **records), has_password=False)
    assert drift is not None
    assert drift.what == what
    assert words in drift.sentence
    assert drift.sentence.endswith(".")


def test_the_gravest_is_told_first(make_claim: Callable[..., Claim]) -> None:
    """Somebody else's record outweighs a password, and that outweighs rights."""
    claim, other = make_claim(), make_claim()
    lost = Found(
        schema_record=record_of(dataclasses.replace(other, schema=claim.schema)).encode(),
        user_record=None,
        rights=Rights(roles=None, permissions=None),
    )
    owner = drift_of(claim, lost, has_password=True)
    assert owner is not None
    assert (owner.what, other.tenant_uid in owner.sentence) == ("owner", True)
    weak = dataclasses.replace(sound(claim), rights=Rights(roles=frozenset(), permissions=None))
    password = drift_of(claim, weak, has_password=True)
    assert password is not None
    assert password.what == "password"


@pytest.mark.real
@pytest.mark.parametrize(
    ("commands", "what"),
    [
        ((("del", "kamaji.clastix.io/users/{user}"),), "owner"),
        ((("user", "delete", "{user}"),), "user"),
        ((("role", "delete", "{schema}"),), "role"),
        ((("user", "revoke-role", "{user}", "{schema}"),), "rights"),
        ((("role", "grant-permission", "{schema}", "read", "/elsewhere"),), "rights"),
        ((("role", "grant-permission", "{schema}", "read", "/{schema}/", "/{schema}0"),), "rights"),
    ],
)
async def test_what_an_administrator_changed_is_found_and_put_right(
    session: EtcdSession, etcdctl: Etcdctl, claim: Claim, commands: tuple[tuple[str, ...], ...], what: str
) -> None:
    """Each change shows as a drift, looking at it writes nothing, and after `ensure` there is none."""
    await session.ensure(claim, Credentials(user=claim.user))
    assert await session.check(claim) is None
    for command in commands:
        etcdctl(*(word.format(user=claim.user, schema=claim.schema) for word in command))
    before = etcdctl("auth", "status")
    drift = await session.check(claim)
    assert drift is not None
    assert drift.what == what
    assert etcdctl("auth", "status") == before
    await session.ensure(claim, Credentials(user=claim.user))
    assert await session.check(claim) is None


@pytest.mark.real
async def test_a_user_made_anew_with_a_password_is_found(session: EtcdSession, etcdctl: Etcdctl, claim: Claim) -> None:
    """The sentence's remedy and the next `ensure` end it."""
    await session.ensure(claim, Credentials(user=claim.user))
    etcdctl("user", "delete", claim.user)
    etcdctl("user", "add", f"{claim.user}:secret")
    etcdctl("user", "grant-role", claim.user, claim.schema)
    drift = await session.check(claim)
    assert drift is not None
    assert drift.what == "password"
    assert f"etcdctl user delete {claim.user}" in drift.sentence
    assert "secret" not in drift.sentence
    etcdctl("user", "delete", claim.user)
    await session.ensure(claim, Credentials(user=claim.user))
    assert await session.check(claim) is None


@pytest.mark.real
async def test_names_of_no_claim_are_refused(session: EtcdSession, make_claim: Callable[..., Claim]) -> None:
    """The administrator is not compared with anything."""
    with pytest.raises(NameRefusedError):
        await session.check(make_claim(user="root"))
