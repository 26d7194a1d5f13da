"""The conformance kit against every broken driver, run by `test_broken_drivers.py` in a process of its own.

Its name keeps pytest from collecting it: each of these tests is meant to fail.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kamaji_core.testing import EtcdServer
from kamaji_core.testing.datastore import DatastoreContract
from kamaji_core.testing.datastore.access import Access

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kamaji_core.testing.datastore import StoreUnderTest

HERE = Path(__file__).parent
ETCD = HERE.parents[1] / "plugins" / "datastore_etcd" / "tests"

WHOLE = "KAMAJI_KIT_WHOLE" in os.environ

sys.path.append(str(HERE))  # for what lies here and is no package's

from broken.logins import Logins  # noqa: E402 - after the line above
from broken.table import WITH_LOGINS  # noqa: E402 - as above


def load(path: Path) -> Any:
    """A module of a folder that is no package."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


EtcdUnderTest = load(ETCD / "under_test.py").EtcdUnderTest


@pytest.fixture(scope="module")
def etcd() -> Iterator[EtcdServer]:
    """One server for all of them."""
    with EtcdServer(tls=True) as server:
        yield server


def suite_of(name: str, driver: type, changes: dict[str, Any], *tests: str) -> type[DatastoreContract]:
    """The kit for one driver: the tests meant for it alone, since to collect all takes longer than to run one."""
    under_test = type(f"{name}UnderTest", (EtcdUnderTest,), changes)

    @pytest.fixture
    def server(self: DatastoreContract, etcd: EtcdServer) -> StoreUnderTest:
        made: StoreUnderTest = under_test(etcd, driver)
        return made

    left_out = {} if WHOLE else {one: None for one in dir(DatastoreContract) if one.startswith("test_")}
    for test in tests:
        left_out.pop(test.partition("[")[0], None)
    return type(f"Test{name}", (DatastoreContract,), {**left_out, "server": server, "__module__": __name__})


globals()["TestLogins"] = suite_of("Logins", Logins, WITH_LOGINS, *vars(Access))  # which is right
for one, (driver, changes, test, _) in load(HERE / "broken_drivers.py").BROKEN.items():
    globals()[f"Test{one}"] = suite_of(one, driver, changes, test)
