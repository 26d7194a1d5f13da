"""What the fleet has at the tenants' store, seen by the store's own client."""

from __future__ import annotations

from dataclasses import dataclass

from bench.errors import BenchError
from bench.fleet import STORE_PREFIX
from sandbox.store import etcdctl, wipe_prefix

_RECORDS = ("kamaji.clastix.io/claims/", "kamaji.clastix.io/users/")
"""Where an operator notes in the store whose names are whose; see the etcd plugin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreContent:
    """What is at the store.

    Args:
        keys: how many, all of them.
        users: their names.
        roles: their names.
    """

    keys: int
    users: frozenset[str]
    roles: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreGrowth:
    """What has come to the store since it was looked at; 0 where as much is there as before."""

    keys: int
    users: int
    roles: int


def content() -> StoreContent:
    """Look at the store.

    Raises:
        SandboxError: when etcdctl fails.
    """
    return StoreContent(
        keys=counted(etcdctl("get", "", "--prefix", "--count-only", "--write-out=fields")),
        users=frozenset(etcdctl("user", "list").split()),
        roles=frozenset(etcdctl("role", "list").split()),
    )


def growth(before: StoreContent, after: StoreContent) -> StoreGrowth:
    """What has come between two looks."""
    return StoreGrowth(
        keys=after.keys - before.keys,
        users=len(after.users - before.users),
        roles=len(after.roles - before.roles),
    )


def counted(fields: str) -> int:
    """Read the count from what etcdctl writes as fields.

    Raises:
        BenchError: when it is not there.
    """
    for line in fields.splitlines():
        name, _, value = line.partition(":")
        if name.strip() == '"Count"':
            return int(value)
    raise BenchError("etcdctl does not tell how many keys there are: is it another version?")


def wipe_data() -> None:
    """Remove the tenants' keys; their users, roles and records stay, so that their API servers can begin anew."""
    wipe_prefix(f"/{STORE_PREFIX}")


def wipe_everything() -> None:
    """Remove all that the fleet has at the store, whoever failed to."""
    wipe_data()
    for record in _RECORDS:
        wipe_prefix(f"{record}{STORE_PREFIX}")
    present = content()
    for kind, names in (("user", present.users), ("role", present.roles)):
        for name in sorted(names):
            if name.startswith(STORE_PREFIX):
                etcdctl(kind, "delete", name)
