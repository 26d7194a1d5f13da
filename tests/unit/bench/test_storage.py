"""What has come to a store between two looks."""

from __future__ import annotations

import pytest

from bench import storage
from bench.errors import BenchError
from bench.storage import StoreContent, StoreGrowth, counted, growth

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
    storage.wipe_everything()
    assert wiped == ["/bench_", "kamaji.clastix.io/claims/bench_", "kamaji.clastix.io/users/bench_"]
    deleted = [arguments for arguments in asked if arguments[1] == "delete"]
    assert deleted == [("user", "delete", "bench_tenant-001"), ("role", "delete", "bench_tenant-001")]
