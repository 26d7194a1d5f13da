"""May a tenant have the names that it asks for? Judged by the records at the store, before anything is made.

A store that Kamaji served has no records. What has exactly the shape of one of its tenants is taken over by the tenant
whose own status names it, which only an operator writes; anything else that exists without a record belongs to somebody
else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kamaji_core.contracts import ProbeKind, StoreError
from kamaji_datastore_postgres.names import logins_of
from kamaji_datastore_postgres.records import MARKER, is_owned, read_record

if TYPE_CHECKING:
    from kamaji_core.contracts import Claim
    from kamaji_datastore_postgres.catalog import Database, Found, Role
    from kamaji_datastore_postgres.records import Record


class OwnershipError(StoreError):
    """The schema or the user belongs to somebody else."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, kind=ProbeKind.PERMISSION, retry=False)


def refuse_strangers(claim: Claim, found: Found) -> None:
    """Make sure that all that exists under a claim's names is the claim's.

    Raises:
        OwnershipError: when something is somebody else's, naming whom and the remedy.
    """
    for name, role in found.roles.items():
        _refuse(claim, role.comment, what=f"role {name!r}", field="spec.dataStoreUsername")
    for holder in found.holders:
        if not is_owned(claim, holder):
            raise _belongs(claim, holder, what=f"database {claim.schema!r}")
    database = found.database
    if database is not None:
        _refuse(claim, database.comment, what=f"database {claim.schema!r}", field="spec.dataStoreSchema")
    if is_kamajis(claim, found):
        return
    for name, role in found.roles.items():
        if role.comment is None and not _lost_its_record(claim, found, name):
            raise OwnershipError(_unrecorded(claim, found, what=f"role {name!r}", field="spec.dataStoreUsername"))
    if database is not None and database.comment is None and not _was_begun(claim, found, database):
        what = f"database {claim.schema!r}"
        raise OwnershipError(_unrecorded(claim, found, what=what, field="spec.dataStoreSchema"))


def may_remove(claim: Claim, found: Found) -> bool:
    """Whether everything under the claim's names is the tenant's to remove."""
    try:
        refuse_strangers(claim, found)
    except OwnershipError:
        return False
    return True


def is_kamajis(claim: Claim, found: Found) -> bool:
    """Whether what is there without a record is this tenant as Kamaji made it: its exact shape, named by the status."""
    return claim.recorded and _has_kamajis_shape(claim, found)


def _has_kamajis_shape(claim: Claim, found: Found) -> bool:
    owner, database = found.roles.get(claim.user), found.database
    return (
        owner is not None
        and owner.comment is None
        and set(found.roles) == {claim.user}
        and _is_plain(owner)
        and (database is None or (database.comment is None and database.owner in {claim.user, found.me.name}))
    )


def _is_plain(role: Role) -> bool:
    return role.can_login and not (role.attributes or role.member_of or role.members)


def _was_begun(claim: Claim, found: Found, database: Database) -> bool:
    """Whether a database without a record is one that `ensure` had just made, or that Kamaji's tenant owns."""
    owner = found.roles.get(claim.user)
    recorded = owner is not None and is_owned(claim, owner.record)
    return recorded and database.owner in {found.me.name, claim.user}


def _lost_its_record(claim: Claim, found: Found, name: str) -> bool:
    """Whether a role without a record is tied to one of the claim's roles that has it, as only the driver ties them."""
    owner = found.roles.get(claim.user)
    if owner is None:
        return False
    logins = {login: found.roles[login] for login in logins_of(claim.user) if login in found.roles}
    if name != claim.user:
        return is_owned(claim, owner.record) and claim.user in logins[name].member_of
    return any(is_owned(claim, login.record) and claim.user in login.member_of for login in logins.values())


def _refuse(claim: Claim, comment: str | None, *, what: str, field: str) -> None:
    if comment is None:
        return
    record = read_record(comment)
    if record is None:
        sort = "cannot be read" if comment.startswith(MARKER) else "is not recorded"
        raise OwnershipError(
            f"The {what} exists at PostgreSQL and its owner {sort}: choose another {field}, or look at the comment on "
            f"it there."
        )
    if not is_owned(claim, record):
        raise _belongs(claim, record, what=what)


def _belongs(claim: Claim, record: Record, *, what: str) -> OwnershipError:
    if record.tenant_uid == claim.tenant_uid:
        return OwnershipError(
            f"The {what} at PostgreSQL is recorded for this tenant with the schema {record.schema!r} and the user "
            f"{record.user!r}: set spec.dataStoreSchema and spec.dataStoreUsername to these."
        )
    roles = ", ".join(repr(name) for name in (record.user, *logins_of(record.user)))
    return OwnershipError(
        f"The {what} at PostgreSQL belongs to the TenantControlPlane {record.namespace}/{record.name} (UID "
        f"{record.tenant_uid}): choose other names in spec.dataStoreSchema and spec.dataStoreUsername, or, if that "
        f"tenant is gone for good, drop at PostgreSQL the database {record.schema!r} and the roles {roles}."
    )


def _unrecorded(claim: Claim, found: Found, *, what: str, field: str) -> str:
    if _has_kamajis_shape(claim, found):
        return (
            f"The {what} exists at PostgreSQL without an owner's record, and this tenant's status.storage.setup does "
            f"not name it: choose another {field}, or, if it is this tenant's, restore its status."
        )
    return (
        f"The {what} exists at PostgreSQL and was not made for a tenant: choose another {field}, or drop it if it is "
        f"not needed."
    )
