"""Tenants' control planes on a shared etcd: a key prefix, a role and a user known by its certificate, each.

This entry module is imported at every start of the operator and by commands that look at plugins, so it loads no
network library, which comes in when a store is opened.
"""

from kamaji_core.contracts import hookimpl
from kamaji_datastore_etcd.driver import EtcdDriver

__all__ = ["EtcdDriver", "kamaji_datastores"]


@hookimpl
def kamaji_datastores() -> list[type[EtcdDriver]]:
    """Hand over the driver."""
    return [EtcdDriver]
