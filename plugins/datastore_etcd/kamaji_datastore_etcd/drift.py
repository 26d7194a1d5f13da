"""What at the store differs from a claim that was made, gravest first, each with a sentence.

Somebody with root's rights may change users, roles and records at any time. `ensure` mends what can be mended without
asking; what this module finds tells the user what happened and whether there is something to do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kamaji_core.contracts import Drift
from kamaji_datastore_etcd import ownership
from kamaji_datastore_etcd.rights import Changes, changes_to

if TYPE_CHECKING:
    from kamaji_core.contracts import Claim
    from kamaji_datastore_etcd.ownership import Found

_MENDED = "it is put right when the store is next told of the tenant."


def drift_of(claim: Claim, found: Found, *, has_password: bool) -> Drift | None:
    """Compare.

    Args:
        claim: of a tenant that was made before.
        found: what is at the store under its names.
        has_password: whether its user could log in with a password.
    """
    return _of_owner(claim, found) or _of_password(claim, has_password=has_password) or _of_rights(claim, found)


def _of_owner(claim: Claim, found: Found) -> Drift | None:
    try:
        missing = ownership.missing_records(claim, found)
    except ownership.OwnershipError as error:
        return Drift(what="owner", sentence=str(error))
    if not missing:
        return None
    names = " and ".join(repr(key.decode()) for key in missing)
    return Drift(what="owner", sentence=f"etcd lacks the owner's record under {names}: {_MENDED}")


def _of_password(claim: Claim, *, has_password: bool) -> Drift | None:
    if not has_password:
        return None
    return Drift(
        what="password",
        sentence=f"The user {claim.user!r} got a password at etcd, so whoever knows it reads the tenant's data: run "
        f"`etcdctl user delete {claim.user}`; without one {_MENDED}",
    )


def _of_rights(claim: Claim, found: Found) -> Drift | None:
    changes = changes_to(claim, present=found.rights)
    if changes == Changes():
        return None
    if changes.add_user:
        return Drift(what="user", sentence=f"The user {claim.user!r} is gone from etcd: {_MENDED}")
    if changes.add_role:
        return Drift(what="role", sentence=f"The role {claim.schema!r} is gone from etcd: {_MENDED}")
    if changes.revoke_permissions or changes.revoke_roles:
        sentence = f"The user {claim.user!r} or the role {claim.schema!r} has more rights at etcd than its own keys: "
        return Drift(what="rights", sentence=sentence + _MENDED)
    return Drift(what="rights", sentence=f"The user {claim.user!r} lacks rights on its own keys at etcd: {_MENDED}")
