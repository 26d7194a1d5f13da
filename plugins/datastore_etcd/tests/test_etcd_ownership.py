"""Who owns what: the records' verdicts, without a server."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

import pytest

from kamaji_core.contracts import Claim, ProbeKind
from kamaji_datastore_etcd.ownership import (
    Found,
    OwnershipError,
    Record,
    is_kamajis,
    is_owned,
    may_remove,
    missing_records,
    read_record,
    record_of,
    recorded_claims,
    schema_key,
    user_key,
)
from kamaji_datastore_etcd.rights import Permission, Rights, wanted_rights

if TYPE_CHECKING:
    from collections.abc import Callable

_NONE = Rights(roles=None, permissions=None)


def found(
    *, schema: Claim | None = None, user: Claim | None = None, rights: Rights = _NONE, raw: bytes | None = None
) -> Found:
    """What lies at the store when these claims made the records."""
    return Found(
        schema_record=raw or (record_of(schema).encode() if schema else None),
        user_record=record_of(user).encode() if user else None,
        rights=rights,
    )


def test_records_lie_outside_of_every_tenant_s_range(claim: Claim) -> None:
    """Tenants' keys begin with a slash and records do not."""
    assert schema_key(claim) == f"kamaji.clastix.io/claims/{claim.schema}".encode()
    assert user_key(claim) == f"kamaji.clastix.io/users/{claim.user}".encode()


def test_a_record_says_who_owns(claim: Claim) -> None:
    """The record is JSON with the owner's UID and names, and reads back as it was written."""
    content = record_of(claim).encode()
    assert json.loads(content) == dataclasses.asdict(record_of(claim))
    assert read_record(content) == record_of(claim)
    assert is_owned(claim, content)


@pytest.mark.parametrize("content", [b"", b"\xff", b"[]", b"null", b'"text"', b'{"tenant_uid": "u"}'])
def test_a_record_that_cannot_be_read_is_nobody_s(claim: Claim, content: bytes) -> None:
    """Damage never makes an owner: the claim is refused, names the key, and removes nothing."""
    assert read_record(content) is None
    lying = Found(schema_record=content, user_record=None, rights=wanted_rights(claim))
    with pytest.raises(OwnershipError, match=r"kamaji\.clastix\.io/claims/"):
        missing_records(claim, lying)
    assert not may_remove(claim, lying)


def test_a_new_claim_makes_both_records(claim: Claim) -> None:
    """Where nothing is, the schema's and the user's record are made, with the same content."""
    content = record_of(claim).encode()
    assert missing_records(claim, found()) == {schema_key(claim): content, user_key(claim): content}


def test_an_owned_claim_makes_none(claim: Claim) -> None:
    """Where both records are the tenant's, nothing is to be made, whatever the rights look like."""
    assert missing_records(claim, found(schema=claim, user=claim)) == {}


def test_a_lost_record_is_made_again(claim: Claim) -> None:
    """One of the two records is enough to know the owner."""
    assert set(missing_records(claim, found(schema=claim))) == {user_key(claim)}
    assert set(missing_records(claim, found(user=claim))) == {schema_key(claim)}


@pytest.mark.parametrize("taken", ["schema", "user"])
def test_another_tenant_s_name_is_refused_naming_the_owner(make_claim: Callable[..., Claim], taken: str) -> None:
    """The sentence names the owner, and trying again cannot help."""
    owner = make_claim(namespace="first", name="owner")
    second = make_claim(**{taken: getattr(owner, taken)})
    with pytest.raises(OwnershipError, match=rf"{taken} .* belongs to .* first/owner \(UID {owner.tenant_uid}\)") as e:
        missing_records(second, found(**{taken: owner}))
    assert (e.value.kind, e.value.retry) == (ProbeKind.PERMISSION, False)
    assert not may_remove(second, found(**{taken: owner}))


def test_the_same_tenant_with_other_names_is_told_its_own(claim: Claim) -> None:
    """A tenant whose user changed learns which one its schema was recorded with."""
    changed = dataclasses.replace(claim, user="another")
    with pytest.raises(OwnershipError, match=f"user '{claim.user}': set"):
        missing_records(changed, found(schema=claim))


def test_a_tenant_of_kamaji_is_taken_over(make_claim: Callable[..., Claim]) -> None:
    """A user with just this role and a role with just this range, named by the tenant's status, are recognised."""
    claim = make_claim(recorded=True)
    there = found(rights=wanted_rights(claim))
    assert is_kamajis(claim, there)
    assert len(missing_records(claim, there)) == 2
    assert may_remove(claim, there)


def test_a_tenant_of_kamaji_is_refused_to_whoever_only_names_it(claim: Claim) -> None:
    """The same shape is neither taken over nor removed when the tenant's own status does not name it."""
    there = found(rights=wanted_rights(claim))
    assert not is_kamajis(claim, there)
    assert not may_remove(claim, there)
    with pytest.raises(OwnershipError, match=r"status\.storage\.setup does not name both") as caught:
        missing_records(claim, there)
    assert (caught.value.kind, caught.value.retry) == (ProbeKind.PERMISSION, False)


def test_a_status_takes_nothing_that_is_recorded(make_claim: Callable[..., Claim]) -> None:
    """A record goes before the status: another tenant's schema stays its own, whatever this one's status says."""
    owner = make_claim()
    second = dataclasses.replace(owner, tenant_uid="second", recorded=True)
    there = found(schema=owner, user=owner, rights=wanted_rights(owner))
    assert not may_remove(second, there)
    with pytest.raises(OwnershipError, match=f"UID {owner.tenant_uid}"):
        missing_records(second, there)


def test_what_is_recorded_is_not_kamaji_s(make_claim: Callable[..., Claim]) -> None:
    """Kamaji's shape beside another tenant's record is that tenant's."""
    owner = make_claim()
    second = dataclasses.replace(owner, tenant_uid="second", recorded=True)
    assert not is_kamajis(second, found(schema=owner, user=owner, rights=wanted_rights(owner)))


_WIDE = frozenset({Permission(key=b"\0", range_end=b"\0", kind="READWRITE")})


@pytest.mark.parametrize("user_has", [None, "nothing", "role", "more"])
@pytest.mark.parametrize("role_is", [None, "empty", "exact", "wide"])
def test_anything_else_without_a_record_is_somebody_else_s(
    make_claim: Callable[..., Claim], user_has: str | None, role_is: str | None
) -> None:
    """Even to a tenant whose status names it, only nothing, a user without roles and Kamaji's exact shape are free."""
    claim = make_claim(recorded=True)
    exact = wanted_rights(claim)
    rights = Rights(
        roles={
            None: None,
            "nothing": frozenset(),
            "role": frozenset({claim.schema}),
            "more": frozenset({claim.schema, "backup"}),
        }[user_has],
        permissions={None: None, "empty": frozenset(), "exact": exact.permissions, "wide": _WIDE}[role_is],
    )
    there = found(rights=rights)
    free = (user_has, role_is) in {(None, None), ("nothing", None), ("role", "exact")}
    assert may_remove(claim, there) == ((user_has, role_is) == ("role", "exact"))
    if free:
        assert len(missing_records(claim, there)) == 2
    else:
        with pytest.raises(OwnershipError, match="was not made for a tenant"):
            missing_records(claim, there)


def test_claims_are_read_out_of_records(make_claim: Callable[..., Claim]) -> None:
    """One claim for each owner, whether both of its records are there or one; the status' word is not recorded."""
    both, half = make_claim(recorded=True), make_claim()
    entries = [
        (schema_key(both), record_of(both).encode()),
        (user_key(both), record_of(both).encode()),
        (user_key(half), record_of(half).encode()),
    ]
    assert recorded_claims(entries) == (dataclasses.replace(both, recorded=False), half)


def test_a_record_under_a_foreign_key_is_no_claim(claim: Claim, make_claim: Callable[..., Claim]) -> None:
    """A record that lies under another name than it tells, or cannot be read, proves no owner."""
    other = make_claim()
    assert recorded_claims([(schema_key(other), record_of(claim).encode()), (schema_key(claim), b"{}")]) == ()


def test_records_hold_no_secret() -> None:
    """A record consists of names and a UID alone."""
    assert set(Record.__slots__) == {"tenant_uid", "namespace", "name", "schema", "user"}
