"""What a claim's names become at PostgreSQL: a database, its owner, the owner's two logins; and which cannot.

Every statement is quoted by the server, so no name is dangerous here. The rule is strict all the same, because names
travel further: kine folds them to lower case, pg_hba.conf and PgBouncer give some of them a meaning of their own, and
an administrator types them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kamaji_core.contracts import ProbeKind, StoreError

if TYPE_CHECKING:
    from kamaji_core.contracts import Claim

LIMIT = 63
"""Bytes of an identifier in PostgreSQL as it is built everywhere; longer ones are cut off silently."""

SUFFIXES = ("_a", "_b")
"""What follows the owner's name in those of its logins."""

USER_LIMIT = LIMIT - len(SUFFIXES[0])

_NAME = re.compile(r"[a-z0-9_][a-z0-9_-]*")

_ROLES = frozenset(
    {
        *("postgres", "public", "none", "all", "user", "current_role", "current_user", "session_user"),
        "information_schema",
    }
)
"""The administrator, words that stand for a role in SQL or in pg_hba.conf, and a schema that every database has: a role
of its name would look for its tables there."""

_DATABASES = frozenset(
    {"postgres", "template0", "template1", "all", "sameuser", "samerole", "samegroup", "replication", "pgbouncer"}
)
"""PostgreSQL's own databases, words of pg_hba.conf, and PgBouncer's console."""


class NameRefusedError(StoreError):
    """A claim's schema or user cannot be used at PostgreSQL, whoever asks for it."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, kind=ProbeKind.PERMISSION, retry=False)


def logins_of(user: str) -> tuple[str, str]:
    """Tell the two logins of an owner role, in the order in which they are first used."""
    return f"{user}{SUFFIXES[0]}", f"{user}{SUFFIXES[1]}"


def roles_of(user: str) -> tuple[str, str, str]:
    """Tell all roles of a claim's user, the owner first."""
    return (user, *logins_of(user))


def check_names(claim: Claim, *, login: str, database: str) -> None:
    """Refuse a claim whose names cannot be used.

    Args:
        claim: the tenant's.
        login: the operator's own role.
        database: that the operator works in.

    Raises:
        NameRefusedError: naming the field and the remedy.
    """
    problem = (
        _problem(claim.schema, what="schema", field="spec.dataStoreSchema", limit=LIMIT)
        or _problem(claim.user, what="user", field="spec.dataStoreUsername", limit=USER_LIMIT)
        or _reserved(claim)
    )
    if problem is None and login in roles_of(claim.user):
        problem = (
            f"The user {claim.user!r} or one of its logins is the operator's own at PostgreSQL: choose another "
            f"spec.dataStoreUsername."
        )
    if problem is None and claim.schema == database:
        problem = (
            f"The schema {claim.schema!r} is the database that the operator works in: choose another "
            f"spec.dataStoreSchema."
        )
    if problem is not None:
        raise NameRefusedError(problem)


def _problem(name: str, *, what: str, field: str, limit: int) -> str | None:
    if not name:
        return f"The {what} at PostgreSQL is empty: set {field}."
    if _NAME.fullmatch(name) is None:
        return (
            f"The {what} {name!r} cannot be used at PostgreSQL: give {field} lower-case letters, digits, underscores "
            f"and hyphens, no hyphen at the beginning."
        )
    if len(name) > limit:
        return f"The {what} is longer than {limit} bytes: choose a shorter {field}."
    return None


def _reserved(claim: Claim) -> str | None:
    if claim.schema in _DATABASES:
        return f"The schema {claim.schema!r} is reserved at PostgreSQL: choose another spec.dataStoreSchema."
    if claim.user in _ROLES or any(role.startswith("pg_") for role in roles_of(claim.user)):
        return f"The user {claim.user!r} is reserved at PostgreSQL: choose another spec.dataStoreUsername."
    return None
