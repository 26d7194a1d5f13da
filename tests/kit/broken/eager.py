"""An entry module that loads its network library at once, which every command of the operator then waits for."""

import grpclib.client

from kamaji_core.contracts import hookimpl
from kamaji_datastore_etcd import EtcdDriver

LIBRARY = grpclib.client


@hookimpl
def kamaji_datastores() -> list[type[EtcdDriver]]:
    """Hand over the driver."""
    return [EtcdDriver]
