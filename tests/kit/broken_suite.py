"""The kit against each broken driver, collected by `test_broken_drivers.py` alone: most of this must fail."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from broken import logins, table

from kamaji_core.testing import EtcdServer
from kamaji_core.testing.datastore import DatastoreContract

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from kamaji_core.contracts import Claim, DatastoreDriver
    from kamaji_core.testing.datastore import StoreUnderTest

_PATH = Path(__file__).parents[2] / "plugins" / "datastore_etcd" / "tests" / "under_test.py"
_spec = importlib.util.spec_from_file_location("under_test", _PATH)
assert _spec is not None
assert _spec.loader is not None
under_test = importlib.util.module_from_spec(_spec)
sys.modules["under_test"] = under_test
_spec.loader.exec_module(under_test)


class EtcdWithLogins(under_test.EtcdUnderTest):  # type: ignore[misc,name-defined]
    """etcd as `broken.logins` uses it: earlier logins can be ended."""

    CANNOT: Mapping[Any, str] = {
        feature: why for feature, why in under_test.EtcdUnderTest.CANNOT.items() if feature != "settle"
    }

    async def leftovers(self, claim: Claim) -> Sequence[str]:
        """The logins too."""
        session = logins.Logins().open(self.store())
        try:
            users = sorted(await session.logins(claim))
        finally:
            await session.aclose()
        return [*await super().leftovers(claim), *(f"login {user!r}" for user in users)]


@pytest.fixture(scope="session")
def etcd() -> Iterator[EtcdServer]:
    """One server for all broken drivers: they use other names each time."""
    with EtcdServer(tls=True) as server:
        yield server


def suite_of(driver: type[DatastoreDriver], entry: str = "") -> type:
    """The kit's class for one driver."""
    kind = EtcdWithLogins if issubclass(driver, logins.Logins) else under_test.EtcdUnderTest

    @pytest.fixture
    def server(self: object, etcd: EtcdServer) -> StoreUnderTest:
        store = kind(etcd, driver)
        if entry:
            store.ENTRY = entry
        return store

    return type(f"Test{driver.__name__}", (DatastoreContract,), {"server": server, "__module__": __name__})


for _driver in (*table.CAUGHT_BY, logins.Logins):
    globals()[f"Test{_driver.__name__}"] = suite_of(_driver, table.ENTRIES.get(_driver, ""))
