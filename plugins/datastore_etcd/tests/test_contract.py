"""etcd keeps the contract: the whole conformance kit against a real server."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kamaji_core.testing import DatastoreContract, EtcdServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kamaji_core.testing.datastore import StoreUnderTest


def beside(name: str) -> Any:
    """A module of this folder, which is no package."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def etcd() -> Iterator[StoreUnderTest]:
    """One server for all tests of the kit."""
    with EtcdServer(tls=True) as server:
        yield beside("under_test").EtcdUnderTest(server)


@pytest.mark.real
class TestEtcd(DatastoreContract):
    """Every promise of the contract, kept by etcd's driver."""

    @pytest.fixture
    def server(self, etcd: StoreUnderTest) -> StoreUnderTest:
        """See `etcd`."""
        return etcd
