"""An entry module that loads the network library at every start."""

import kamaji_datastore_etcd.session
from kamaji_datastore_etcd import kamaji_datastores

__all__ = ["kamaji_datastore_etcd", "kamaji_datastores"]
