"""What has come to a store between two looks."""

from __future__ import annotations

import pytest

from bench import storage
from bench.errors import BenchError
from bench.fleet import Datastore
from bench.storage import Etcd, Postgres, StoreContent, StoreGrowth, client_of, counted, growth, present

FIELDS = """\
"ClusterID" : 11588568905070377092
"MemberID" : 128088275939295631
"Revision" : 12
"RaftTerm" : 2
"More" : false
"Count" : 345
"""


def test_the_count_is_read_from_fields() -> None:
    """It is the only output format in which etcdctl tells it."""
    assert counted(FIELDS) == 345


def test_another_format_is_an_error() -> None:
    """No count is no zero."""
    with pytest.raises(BenchError, match="another version"):
        counted("OK\n")


def test_what_was_there_before_does_not_count() -> None:
    """A demo's leftovers are not the fleet's."""
    before = StoreContent(keys=10, users=frozenset({"root"}), roles=frozenset({"root", "old"}))
    after = StoreContent(keys=12, users=frozenset({"root", "a"}), roles=frozenset({"root"}))
    assert growth(before, after) == StoreGrowth(keys=2, users=1, roles=0)


def test_cleaning_removes_only_the_fleets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Users and roles of others stay, and so do their keys."""
    asked: list[tuple[str, ...]] = []
    names = {"user": "root\nbench_tenant-001\nshop\n", "role": "bench_tenant-001\nbenchmark\n"}

    def etcdctl(*arguments: str) -> str:
        asked.append(arguments)
        return FIELDS if arguments[0] == "get" else names[arguments[0]] if arguments[1] == "list" else ""

    wiped: list[str] = []
    monkeypatch.setattr(storage, "etcdctl", etcdctl)
    monkeypatch.setattr(storage, "wipe_prefix", wiped.append)
    Etcd().wipe_everything()
    assert wiped == ["/bench_", "kamaji.clastix.io/claims/bench_", "kamaji.clastix.io/users/bench_"]
    deleted = [arguments for arguments in asked if arguments[1] == "delete"]
    assert deleted == [("user", "delete", "bench_tenant-001"), ("role", "delete", "bench_tenant-001")]


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a PostgreSQL with one tenant of the fleet is told."""
    told: list[str] = []

    def psql(statement: str, *, database: str = "postgres") -> str:
        told.append(f"{database}: {statement}")
        if statement.startswith("SELECT count"):
            return "5\n"
        return "bench_tenant_001\n" if statement.startswith("SELECT") else ""

    monkeypatch.setattr(storage.postgres, "psql", psql)
    return told


def test_what_is_at_a_postgres_is_counted(statements: list[str]) -> None:
    """Databases, roles that may log in, and those that may not."""
    names = frozenset({"bench_tenant_001"})
    assert Postgres().content() == StoreContent(keys=5, users=names, roles=names)


def test_cleaning_a_postgres_removes_only_the_fleets(statements: list[str]) -> None:
    """It asks for the fleet's names and removes what it is told."""
    Postgres().wipe_everything()
    changes = [statement for statement in statements if "DROP" in statement]
    assert changes == [
        'postgres: DROP DATABASE "bench_tenant_001" WITH (FORCE)',
        'postgres: DROP ROLE "bench_tenant_001"',
    ]
    assert all("'bench_'" in statement for statement in statements if "SELECT" in statement)


def test_a_floor_on_a_postgres_begins_without_data(statements: list[str]) -> None:
    """In each tenant's own database, which stays."""
    Postgres().wipe_data()
    assert statements[-1] == "bench_tenant_001: DROP TABLE IF EXISTS kine CASCADE"


def test_a_store_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is made of a fleet."""
    monkeypatch.setattr(storage.postgres, "is_wanted", lambda: False)
    assert isinstance(client_of(Datastore.ETCD), Etcd)
    assert len(present()) == 1
    with pytest.raises(BenchError, match="make sandbox-up DATASTORE=postgres"):
        client_of(Datastore.POSTGRES)
    monkeypatch.setattr(storage.postgres, "is_wanted", lambda: True)
    assert isinstance(client_of(Datastore.POSTGRES), Postgres)
    assert len(present()) == 2
