"""The driver that all broken ones are made from: etcd's, with a session that can be another."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from kamaji_datastore_etcd import EtcdDriver
from kamaji_datastore_etcd.channels import Channels
from kamaji_datastore_etcd.driver import StoreUnusableError, login_of
from kamaji_datastore_etcd.session import EtcdSession

if TYPE_CHECKING:
    from kamaji_core.contracts import StoreView


class Broken(EtcdDriver):
    """etcd's driver with the session class `SESSION` and the channels class `CHANNELS`."""

    SESSION: ClassVar[type[EtcdSession]] = EtcdSession
    CHANNELS: ClassVar[type[Channels]] = Channels

    def open(self, store: StoreView) -> EtcdSession:
        """Prepare the other session."""
        problems = self.validate(store)
        if problems or store.tls is None:
            raise StoreUnusableError(problems)
        return self.SESSION(self.CHANNELS(store.endpoints, store.tls), login=login_of(store))
