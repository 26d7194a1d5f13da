"""DataStores: their references resolved, a session open to each, and a real login proving that they work."""

from kamaji_core.datastore.controller import DataStoreController
from kamaji_core.datastore.orphans import OrphanFinder
from kamaji_core.datastore.samples import Share, ShareSampler
from kamaji_core.datastore.stores import OpenStores, StoreState

__all__ = ["DataStoreController", "OpenStores", "OrphanFinder", "Share", "ShareSampler", "StoreState"]
