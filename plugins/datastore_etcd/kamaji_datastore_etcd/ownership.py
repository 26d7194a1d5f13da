"""Who owns a schema and a user, by records that lie in the store itself.

A tenant chooses its schema and user freely in its spec, so the names prove nothing: without a record, one tenant could
ask for another's data, for an administrator's user or for a prefix that a management cluster lives under. The records
are keys that begin without a slash and so lie outside of every tenant's range. One is kept by schema, one by user, both
with the tenant's UID, and both are made in one transaction before anything else is.

A store that Kamaji served has no records. What has exactly the shape of one of its tenants is taken over by the tenant
whose own status names it, which only an operator writes; anything else that exists without a record belongs to somebody
else.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from kamaji_core.contracts import Claim, ProbeKind, StoreError
from kamaji_datastore_etcd.rights import Rights, wanted_rights

if TYPE_CHECKING:
    from collections.abc import Iterable

RECORDS = "kamaji.clastix.io"
"""What all records' keys begin with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Who owns a schema or a user."""

    tenant_uid: str
    namespace: str
    name: str
    schema: str
    user: str

    def encode(self) -> bytes:
        """Write the record as it lies in the store: JSON with sorted keys."""
        return json.dumps(asdict(self), sort_keys=True).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What is at the store under a claim's names.

    Args:
        schema_record: the record by schema as it lies there, None when there is none.
        user_record: the record by user as it lies there, None when there is none.
        rights: of the user and the role.
    """

    schema_record: bytes | None
    user_record: bytes | None
    rights: Rights

    @property
    def unrecorded(self) -> bool:
        """Whether there is no record at all."""
        return self.schema_record is None and self.user_record is None


class OwnershipError(StoreError):
    """The schema or the user belongs to somebody else."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, kind=ProbeKind.PERMISSION, retry=False)


def schema_key(claim: Claim) -> bytes:
    """Tell the key of the record by schema."""
    return f"{RECORDS}/claims/{claim.schema}".encode()


def user_key(claim: Claim) -> bytes:
    """Tell the key of the record by user."""
    return f"{RECORDS}/users/{claim.user}".encode()


def record_of(claim: Claim) -> Record:
    """Make a claim's record, the same for both keys."""
    return Record(
        tenant_uid=claim.tenant_uid,
        namespace=claim.namespace,
        name=claim.name,
        schema=claim.schema,
        user=claim.user,
    )


def records_range(kind: str) -> tuple[bytes, bytes]:
    """Tell the first key of all records by schema (`claims`) or by user (`users`), and the first key after them."""
    return f"{RECORDS}/{kind}/".encode(), f"{RECORDS}/{kind}0".encode()


def claim_of(record: Record) -> Claim:
    """Make the claim that a record stands for."""
    return Claim(
        tenant_uid=record.tenant_uid,
        namespace=record.namespace,
        name=record.name,
        schema=record.schema,
        user=record.user,
    )


def recorded_claims(entries: Iterable[tuple[bytes, bytes]]) -> tuple[Claim, ...]:
    """Read claims out of records, one for each owner's schema and user however many records tell of it.

    Args:
        entries: key and content of each record. What cannot be read, or lies under another name than it tells, proves
            no owner and is left out.
    """
    claims: dict[tuple[str, str, str], Claim] = {}
    for key, content in entries:
        record = read_record(content)
        if record is None:
            continue
        claim = claim_of(record)
        if key in {schema_key(claim), user_key(claim)}:
            claims.setdefault((claim.tenant_uid, claim.schema, claim.user), claim)
    return tuple(claims.values())


def read_record(content: bytes) -> Record | None:
    """Read a record; None when it is none of ours, which is then nobody's to take."""
    try:
        fields = json.loads(content)
        return Record(**{name: str(fields[name]) for name in Record.__slots__})
    except (ValueError, KeyError, TypeError):
        return None


def is_owned(claim: Claim, content: bytes | None) -> bool:
    """Whether a record, as it lies in the store, says that this schema and this user are this tenant's."""
    record = read_record(content) if content is not None else None
    return record is not None and (record.tenant_uid, record.schema, record.user) == (
        claim.tenant_uid,
        claim.schema,
        claim.user,
    )


def is_kamajis(claim: Claim, found: Found) -> bool:
    """Whether what is there without a record is this tenant as Kamaji made it: its exact shape, named by the status."""
    return claim.recorded and _has_kamajis_shape(claim, found)


def may_remove(claim: Claim, found: Found) -> bool:
    """Whether everything under the claim's names is the tenant's to remove."""
    return is_kamajis(claim, found) or (
        is_owned(claim, found.schema_record) and (found.user_record is None or is_owned(claim, found.user_record))
    )


def missing_records(claim: Claim, found: Found) -> dict[bytes, bytes]:
    """Tell which records must be made before the claim's user and role may be.

    Raises:
        OwnershipError: when something under the claim's names is somebody else's, naming whom and the remedy.
    """
    _refuse_recorded(claim, found.schema_record, what=f"schema {claim.schema!r}", key=schema_key(claim))
    _refuse_recorded(claim, found.user_record, what=f"user {claim.user!r}", key=user_key(claim))
    if found.unrecorded:
        _refuse_unrecorded(claim, found)
    content = record_of(claim).encode()
    missing = {}
    if found.schema_record is None:
        missing[schema_key(claim)] = content
    if found.user_record is None:
        missing[user_key(claim)] = content
    return missing


def data_without_owner(claim: Claim) -> OwnershipError:
    """Make the error for a key range that holds keys of nobody known."""
    return OwnershipError(
        f"etcd holds keys under /{claim.schema}/ that no tenant owns: choose another spec.dataStoreSchema, or delete "
        f"them if they are not needed."
    )


def user_with_password(claim: Claim) -> OwnershipError:
    """Make the error for a user that others can log in as."""
    return OwnershipError(
        f"The user {claim.user!r} exists at etcd with a password: choose another spec.dataStoreUsername, or delete "
        f"the user if it is not needed."
    )


def _has_kamajis_shape(claim: Claim, found: Found) -> bool:
    return found.unrecorded and found.rights == wanted_rights(claim)


def _refuse_recorded(claim: Claim, content: bytes | None, *, what: str, key: bytes) -> None:
    if content is None or is_owned(claim, content):
        return
    record = read_record(content)
    if record is None:
        raise OwnershipError(f"The owner of the {what} at etcd cannot be read: look at the key {key.decode()!r} there.")
    if record.tenant_uid == claim.tenant_uid:
        raise OwnershipError(
            f"The {what} at etcd is recorded for this tenant with schema {record.schema!r} and user {record.user!r}: "
            f"set spec.dataStoreSchema and spec.dataStoreUsername to these."
        )
    left = Claim(tenant_uid="", namespace="", name="", schema=record.schema, user=record.user)
    records = " and ".join(repr(record_key.decode()) for record_key in (schema_key(left), user_key(left)))
    raise OwnershipError(
        f"The {what} at etcd belongs to the TenantControlPlane {record.namespace}/{record.name} (UID "
        f"{record.tenant_uid}): choose other names in spec.dataStoreSchema and spec.dataStoreUsername, or, if that "
        f"tenant is gone for good, delete at etcd its user {record.user!r}, its role {record.schema!r}, its data under "
        f"/{record.schema}/ and its records {records}."
    )


def _refuse_unrecorded(claim: Claim, found: Found) -> None:
    # A user without any role is harmless: Kamaji leaves one when it is interrupted.
    is_new = found.rights.permissions is None and not found.rights.roles
    if is_new or is_kamajis(claim, found):
        return
    if _has_kamajis_shape(claim, found):
        raise OwnershipError(
            f"The user {claim.user!r} with the schema {claim.schema!r} exists at etcd without an owner's record, and "
            f"this tenant's status.storage.setup does not name both: choose other names in spec.dataStoreSchema and "
            f"spec.dataStoreUsername, or, if they are this tenant's, restore its status."
        )
    raise OwnershipError(
        f"The user {claim.user!r} or the role {claim.schema!r} exists at etcd and was not made for a tenant: choose "
        f"other names in spec.dataStoreSchema and spec.dataStoreUsername."
    )
