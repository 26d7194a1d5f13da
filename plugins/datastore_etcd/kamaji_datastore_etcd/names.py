"""What a claim's names become at etcd: a key range, a role and a user, and which names cannot become that.

The schema is one element of a key's path and the user is a certificate's common name, so both are refused early where
they would mean something else: a slash or `..` would move the range, `root` would be etcd's administrator.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kamaji_core.contracts import ProbeKind, StoreError

if TYPE_CHECKING:
    from kamaji_core.contracts import Claim

ROOT = "root"
"""The name of etcd's administrator, user and role."""

SCHEMA_LIMIT = 253
"""Bytes; etcd has no limit of its own, Kubernetes names have this one."""

USER_LIMIT = 64
"""Bytes of a certificate's common name: RFC 5280 allows 64 characters (ub-common-name), OpenSSL counts bytes."""


class NameRefusedError(StoreError):
    """A claim's schema or user cannot be used at etcd, whoever asks for it."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, kind=ProbeKind.PERMISSION, retry=False)


def key_range(schema: str) -> tuple[bytes, bytes]:
    """Tell the first key of a schema's range and the first key after it.

    Both ends carry what follows the name, so that `a` does not cover `ab`: `/a/` up to `/a0`, `0` being the character
    after the slash.
    """
    prefix = f"/{schema}".encode()
    return prefix + b"/", prefix + b"0"


def check_names(claim: Claim, *, login: str) -> None:
    """Refuse a claim whose names cannot be used.

    Args:
        claim: the tenant's.
        login: the user name of the operator's own login.

    Raises:
        NameRefusedError: naming the field and the remedy.
    """
    problem = (
        _problem(claim.schema, what="schema", field="spec.dataStoreSchema")
        or _problem(claim.user, what="user", field="spec.dataStoreUsername")
        or _too_long(claim)
    )
    if problem is None and claim.user == login:
        problem = f"The user {claim.user!r} is the operator's own login at etcd: choose another spec.dataStoreUsername."
    if problem is not None:
        raise NameRefusedError(problem)


def _problem(name: str, *, what: str, field: str) -> str | None:
    if not name:
        return f"The {what} at etcd is empty: set {field}."
    if "/" in name or not name.isprintable() or name in {".", ".."}:
        return f"The {what} {name!r} has a character that etcd's key ranges do not allow: choose another {field}."
    if name == ROOT:
        return f"The {what} {name!r} is reserved for etcd's administrator: choose another {field}."
    return None


def _too_long(claim: Claim) -> str | None:
    if len(claim.schema.encode()) > SCHEMA_LIMIT:
        return f"The schema is longer than {SCHEMA_LIMIT} bytes: choose a shorter spec.dataStoreSchema."
    if len(claim.user.encode()) > USER_LIMIT:
        return (
            f"The user is longer than the {USER_LIMIT} bytes of a certificate's common name: choose a shorter "
            f"spec.dataStoreUsername."
        )
    return None
