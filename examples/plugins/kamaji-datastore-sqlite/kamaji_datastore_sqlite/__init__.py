"""Tenants' control planes on SQLite: a volume and a file each, opened by a kine of their own.

This entry module is imported at every start of the operator, so it loads nothing but the driver's pure half.
"""

from kamaji_core.contracts import hookimpl
from kamaji_datastore_sqlite.driver import SqliteDriver

__all__ = ["SqliteDriver", "kamaji_datastores"]


@hookimpl
def kamaji_datastores() -> list[type[SqliteDriver]]:
    """Hand over the driver."""
    return [SqliteDriver]
