"""The rights of one tenant at etcd, and the writes that lead from what is there to exactly these.

Every write to users or roles raises etcd's auth revision and makes it refuse other tenants' requests in flight, so
the difference is computed first and nothing is written that is so already.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kamaji_datastore_etcd.names import key_range

if TYPE_CHECKING:
    from kamaji_core.contracts import Claim


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """A permission of a role.

    Args:
        key: first key of the range.
        range_end: first key after it.
        kind: `READ`, `WRITE` or `READWRITE`.
    """

    key: bytes
    range_end: bytes
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """What a claim's user and role are at the store.

    Args:
        roles: of the user, None when there is no such user.
        permissions: of the role, None when there is no such role.
    """

    roles: frozenset[str] | None
    permissions: frozenset[Permission] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What to write; all empty when everything is as it should be."""

    add_user: bool = False
    add_role: bool = False
    grant_permission: bool = False
    revoke_permissions: frozenset[Permission] = frozenset()
    grant_role: bool = False
    revoke_roles: frozenset[str] = frozenset()


def wanted_permission(schema: str) -> Permission:
    """Tell the one permission that a tenant's role has: reading and writing its own key range."""
    key, range_end = key_range(schema)
    return Permission(key=key, range_end=range_end, kind="READWRITE")


def wanted_rights(claim: Claim) -> Rights:
    """Tell the rights of a claim: a user with one role, a role with one permission; the role is named as the schema."""
    return Rights(roles=frozenset({claim.schema}), permissions=frozenset({wanted_permission(claim.schema)}))


def changes_to(claim: Claim, *, present: Rights) -> Changes:
    """Tell what to write so that a claim has its rights and no others."""
    wanted = wanted_permission(claim.schema)
    permissions = present.permissions or frozenset()
    roles = present.roles or frozenset()
    return Changes(
        add_user=present.roles is None,
        add_role=present.permissions is None,
        grant_permission=wanted not in permissions,
        # A permission on our range of another kind is not revoked: granting changes its kind.
        revoke_permissions=frozenset(
            entry for entry in permissions if (entry.key, entry.range_end) != (wanted.key, wanted.range_end)
        ),
        grant_role=claim.schema not in roles,
        revoke_roles=roles - {claim.schema},
    )
