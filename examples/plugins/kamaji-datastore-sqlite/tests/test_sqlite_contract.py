"""The conformance kit, held against a driver whose store has no server.

Of the kit only what an operator and a file in a volume have to do with each other is left; why the rest is not asked
stands in `CANNOT`, and pytest shows it beside each test that is skipped.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import pytest

from kamaji_core.contracts import BasicAuth, ProbeKind, StoreView, TlsMaterial
from kamaji_core.testing.datastore import DatastoreContract, Feature, StoreUnderTest
from kamaji_datastore_sqlite import SqliteDriver

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kamaji_core.contracts import Claim, DatastoreDriver
    from kamaji_core.testing.datastore.desk import Desk

NO_SERVER = "there is no server, so nothing can refuse, be slow or be full"
NO_LOGIN = "nobody logs in: a pod opens the file in its own volume"
NO_RECORD = "a volume belongs to one tenant, so there is no name that a second one could ask for"
UNSEEN = "a file in a tenant's volume cannot be looked at by the operator"


class SqliteUnderTest(StoreUnderTest):
    """No store at all, as the driver sees it."""

    CANNOT: ClassVar[Mapping[Feature | ProbeKind, str]] = {
        Feature.SERVER: NO_SERVER,
        Feature.LOGINS: NO_LOGIN,
        Feature.EXPIRY: NO_LOGIN,
        Feature.SETTLE: NO_LOGIN,
        Feature.OWNERS: NO_RECORD,
        Feature.TAKEOVER: NO_RECORD,
        Feature.USAGE: UNSEEN,
        Feature.CHECK: UNSEEN,
        Feature.CLAIMS: UNSEEN,
        **{kind: NO_SERVER for kind in ProbeKind if kind is not ProbeKind.OK},
    }
    ENTRY = "kamaji_datastore_sqlite"
    NETWORK_LIBRARIES = ("aiohttp", "sqlite3", "ssl")

    def driver(self) -> DatastoreDriver:
        """The driver of this distribution."""
        return SqliteDriver()

    def store(self, *, endpoints: tuple[str, ...] = ()) -> StoreView:
        """The only DataStore that there can be, but for its settings."""
        return StoreView(name="sqlite", endpoints=endpoints or ("none:0",))

    def wrong_stores(self) -> Mapping[str, StoreView]:
        """One mistake each."""
        right = self.store()
        return {
            "spec.endpoints": replace(right, endpoints=("db:5432",)),
            "spec.basicAuth": replace(right, basic_auth=BasicAuth(username="a", password="b")),
            "spec.tlsConfig": replace(right, tls=TlsMaterial()),
            "spec.config.size": replace(right, config={"size": "big"}),
            "spec.config.storageClass": replace(right, config={"storageClass": "Fast"}),
            "spec.config.kine.image": replace(right, config={"kine": {"image": ""}}),
        }

    async def leftovers(self, claim: Claim) -> Sequence[str]:
        """Nothing outside of the tenant's own volume, which Kubernetes removes with its claim."""
        return ()


class TestSqlite(DatastoreContract):
    """Every promise of the contract that a store without a server can keep."""

    @pytest.fixture
    def server(self) -> StoreUnderTest:
        """What the kit asks for."""
        return SqliteUnderTest()

    async def test_one_cancelled_call_spares_the_others(self, desk: Desk) -> None:
        """Left out: no call of this driver ever waits, so none can be cancelled in the middle."""
        pytest.skip("no call ever waits, so none can be cancelled in the middle")
