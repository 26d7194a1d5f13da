"""PostgreSQL keeps the contract: the whole conformance kit against a real server.

With the rights that managed servers give in each run; a superuser, who may do more, is looked at by `make explore`.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kamaji_core.testing import DatastoreContract, PostgresServer

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
def postgres() -> Iterator[PostgresServer]:
    """One server for all tests of the kit."""
    with PostgresServer() as server:
        yield server


@pytest.fixture(scope="module")
def superuser(postgres: PostgresServer) -> StoreUnderTest:
    """The operator logs in as the superuser."""
    store: StoreUnderTest = beside("under_test").PostgresUnderTest(postgres)
    return store


@pytest.fixture(scope="module")
def managed(postgres: PostgresServer) -> StoreUnderTest:
    """The operator logs in as a role that managed servers give."""
    postgres.sql("CREATE ROLE kamaji LOGIN CREATEDB CREATEROLE PASSWORD 'managed-password'")
    postgres.sql("GRANT CONNECT ON DATABASE postgres TO kamaji")
    store: StoreUnderTest = beside("under_test").PostgresUnderTest(
        postgres, login="kamaji", password="managed-password"
    )
    return store


@pytest.mark.real
@pytest.mark.skipif("KAMAJI_EXPLORE" not in os.environ, reason="KAMAJI_EXPLORE=1: as a superuser too, four minutes")
class TestPostgres(DatastoreContract):
    """Every promise of the contract, kept with the rights of a superuser."""

    @pytest.fixture
    def server(self, superuser: StoreUnderTest) -> StoreUnderTest:
        """See `superuser`."""
        return superuser


@pytest.mark.real
class TestManagedPostgres(DatastoreContract):
    """The same with CREATEDB and CREATEROLE alone."""

    @pytest.fixture
    def server(self, managed: StoreUnderTest) -> StoreUnderTest:
        """See `managed`."""
        return managed
