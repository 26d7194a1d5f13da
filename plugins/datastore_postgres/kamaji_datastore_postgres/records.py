"""Who owns a role or a database, as a comment on it: JSON that names the tenant.

A tenant chooses its names freely in its specification, so they prove nothing. Comments on roles and databases may be
written by those who may make roles, not by tenants, and they go with what they are on: nothing can be left behind that
tells of an owner, and nothing without one is ours.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from kamaji_core.contracts import Claim

if TYPE_CHECKING:
    from collections.abc import Iterable

_KEY = "kamaji.clastix.io"

MARKER = f'{{"{_KEY}": '
"""What every record begins with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Which tenant a role or a database belongs to."""

    tenant_uid: str
    namespace: str
    name: str
    schema: str
    user: str

    def encode(self) -> str:
        """Write the record as it lies in the store."""
        return json.dumps({_KEY: asdict(self)}, sort_keys=True)


def record_of(claim: Claim) -> Record:
    """Make a claim's record, the same for all its roles and its database."""
    return Record(
        tenant_uid=claim.tenant_uid,
        namespace=claim.namespace,
        name=claim.name,
        schema=claim.schema,
        user=claim.user,
    )


def read_record(comment: str | None) -> Record | None:
    """Read a record; None when there is none or it cannot be read, which is then nobody's to take."""
    if comment is None:
        return None
    try:
        fields = json.loads(comment)[_KEY]
        return Record(**{name: str(fields[name]) for name in Record.__slots__})
    except (ValueError, KeyError, TypeError):
        return None


def is_owned(claim: Claim, record: Record | None) -> bool:
    """Whether a record says that this schema and this user are this tenant's."""
    return record is not None and (record.tenant_uid, record.schema, record.user) == (
        claim.tenant_uid,
        claim.schema,
        claim.user,
    )


def recorded_claims(found: Iterable[tuple[str, Record]]) -> tuple[Claim, ...]:
    """Make claims of records, one for each, however many roles carry it.

    Args:
        found: role and record each. What lies on a role that the record does not name proves no owner.
    """
    claims: dict[Record, Claim] = {}
    for role, record in found:
        if role == record.user or role.startswith(f"{record.user}_"):
            claims.setdefault(
                record,
                Claim(
                    tenant_uid=record.tenant_uid,
                    namespace=record.namespace,
                    name=record.name,
                    schema=record.schema,
                    user=record.user,
                ),
            )
    return tuple(claims.values())
