"""From the rights that are there to exactly the wanted ones, with no write too many."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from kamaji_datastore_etcd.rights import Changes, Permission, Rights, changes_to, wanted_permission, wanted_rights

if TYPE_CHECKING:
    from kamaji_core.contracts import Claim

_FOREIGN = Permission(key=b"/other/", range_end=b"/other0", kind="READ")


def test_nothing_is_written_when_all_is_right(claim: Claim) -> None:
    """A claim that has its rights needs no change."""
    assert changes_to(claim, present=wanted_rights(claim)) == Changes()


def test_a_new_claim_needs_everything(claim: Claim) -> None:
    """Without user and role, both are added and granted."""
    assert changes_to(claim, present=Rights(roles=None, permissions=None)) == Changes(
        add_user=True, add_role=True, grant_permission=True, grant_role=True
    )


def test_a_claim_made_by_half_is_completed(claim: Claim) -> None:
    """What an interrupted attempt left is kept and the rest is written."""
    present = Rights(roles=frozenset(), permissions=frozenset())
    assert changes_to(claim, present=present) == Changes(grant_permission=True, grant_role=True)


def test_rights_too_many_are_taken_away(claim: Claim) -> None:
    """Other roles of the user and other permissions of the role go."""
    wanted = wanted_rights(claim)
    assert wanted.roles is not None
    assert wanted.permissions is not None
    present = Rights(roles=wanted.roles | {"root", "spy"}, permissions=wanted.permissions | {_FOREIGN})
    assert changes_to(claim, present=present) == Changes(
        revoke_permissions=frozenset({_FOREIGN}), revoke_roles=frozenset({"root", "spy"})
    )


@pytest.mark.parametrize("kind", ["READ", "WRITE"])
def test_a_permission_of_the_wrong_kind_is_granted_anew(claim: Claim, kind: str) -> None:
    """Granting replaces the kind of a permission on the same range, so that it is not revoked between."""
    narrow = dataclasses.replace(wanted_permission(claim.schema), kind=kind)
    present = Rights(roles=frozenset({claim.schema}), permissions=frozenset({narrow}))
    assert changes_to(claim, present=present) == Changes(grant_permission=True)


def test_a_range_that_begins_alike_is_not_ours(claim: Claim) -> None:
    """A permission from our first key to the end of the store is taken away."""
    wide = dataclasses.replace(wanted_permission(claim.schema), range_end=b"\0")
    present = Rights(roles=frozenset({claim.schema}), permissions=frozenset({wide}))
    assert changes_to(claim, present=present).revoke_permissions == frozenset({wide})
