"""What at the store differs from a claim that was made, gravest first, each with a sentence.

Whoever may make roles can change a tenant's at any time. `ensure` mends what can be mended without asking; what this
module finds tells the user what happened and whether there is something to do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kamaji_core.contracts import Drift
from kamaji_datastore_postgres import changes, ownership
from kamaji_datastore_postgres.names import logins_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kamaji_core.contracts import Claim
    from kamaji_datastore_postgres.catalog import Found
    from kamaji_datastore_postgres.changes import Statement

_MENDED = "it is put right when the store is next told of the tenant."


def drift_of(claim: Claim, found: Found, *, limit: int, inner: Sequence[Statement] = ()) -> Drift | None:
    """Compare.

    Args:
        claim: of a tenant that was made before.
        found: what is at the store under its names.
        limit: connections of each login.
        inner: what is to be mended inside of its database.
    """
    try:
        ownership.refuse_strangers(claim, found)
    except ownership.OwnershipError as error:
        return Drift(what="owner", sentence=str(error))
    if found.database is None:
        sentence = f"The database {claim.schema!r} is gone from PostgreSQL: an empty one is made in its place when the "
        return Drift(what="database", sentence=sentence + "store is next told of the tenant; restore it from a backup.")
    if found.database.is_broken:
        return Drift(what="database", sentence=half_dropped(claim.schema))
    what = changes.gravest(
        (
            *changes.role_changes(claim, found, limit=limit),
            *changes.database_changes(claim, found, limit=limit),
            *inner,
        )
    )
    names = (claim.user, *logins_of(claim.user))
    if what not in {"owner", "user"} and not any(found.roles[name].can_login for name in names if name in found.roles):
        what = "login"
    return None if what is None else Drift(what=what, sentence=f"{_sentence(what, claim, limit)}: {_mended(what)}")


def half_dropped(schema: str) -> str:
    """Say that dropping a database was interrupted."""
    return (
        f"The database {schema!r} was left half dropped at PostgreSQL and cannot be used any more: run DROP DATABASE "
        f"for it, and restore it from a backup if its data is needed."
    )


def _mended(what: str) -> str:
    return _MENDED if what != "rights" else f"{_MENDED.removesuffix('.')}, or by whoever granted them."


def _sentence(what: str, claim: Claim, limit: int) -> str:
    user, schema = claim.user, claim.schema
    return {
        "owner": f"PostgreSQL lacks the owner's record on the roles of {user!r} or on the database {schema!r}",
        "user": f"A role of {user!r} is gone from PostgreSQL or is no member of its owner any more",
        "database": f"The database {schema!r} at PostgreSQL takes no connections or lacks its schema",
        "login": f"No login of {user!r} may log in at PostgreSQL",
        "rights": f"The roles of {user!r} or others have other rights at PostgreSQL than on the database {schema!r}",
        "connection limit": f"The database {schema!r} or a login of {user!r} has another limit at PostgreSQL than the "
        f"{limit} connections of spec.config.connectionLimit",
    }[what]
