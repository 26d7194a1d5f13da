"""Tenants' control planes on a shared PostgreSQL: a database, an owner role and two logins each.

This entry module is imported at every start of the operator and by commands that look at plugins, so it loads no
network library, which comes in when a store is opened.
"""

from kamaji_core.contracts import hookimpl
from kamaji_datastore_postgres.driver import PostgresDriver

__all__ = ["PostgresDriver", "kamaji_datastores"]


@hookimpl
def kamaji_datastores() -> list[type[PostgresDriver]]:
    """Hand over the driver."""
    return [PostgresDriver]
