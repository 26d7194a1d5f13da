"""What the fleet has at the tenants' store, seen by the store's own client.

An etcd and a PostgreSQL hold different things, keys here and databases there; users and roles both have.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from bench.errors import BenchError
from bench.fleet import STORE_PREFIX, Datastore
from sandbox import postgres
from sandbox.store import etcdctl, wipe_prefix

_RECORDS = ("kamaji.clastix.io/claims/", "kamaji.clastix.io/users/")
"""Where an operator notes in the store whose names are whose; see the etcd plugin."""
_DATABASES = f"SELECT datname FROM pg_database WHERE starts_with(datname, '{STORE_PREFIX}')"  # noqa: S608 - ours
_ROLES = f"SELECT rolname FROM pg_roles WHERE starts_with(rolname, '{STORE_PREFIX}')"  # noqa: S608 - ours


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreContent:
    """What is at the store.

    Args:
        keys: how many, all of them; of a PostgreSQL, databases.
        users: their names; of a PostgreSQL, roles that may log in.
        roles: their names; of a PostgreSQL, those that may not.
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


class StoreClient(Protocol):
    """One of the sandbox's stores; everything raises a `SandboxError` when its own client fails."""

    def content(self) -> StoreContent:
        """Look at the store."""

    def wipe_data(self) -> None:
        """Remove what tenants stored; who may come in stays, so that their API servers can begin anew."""

    def wipe_everything(self) -> None:
        """Remove all that the fleet has at the store, whoever failed to."""


class Etcd:
    """The shared etcd, a prefix of keys for each tenant."""

    def content(self) -> StoreContent:
        """See `StoreClient`."""
        return StoreContent(
            keys=counted(etcdctl("get", "", "--prefix", "--count-only", "--write-out=fields")),
            users=frozenset(etcdctl("user", "list").split()),
            roles=frozenset(etcdctl("role", "list").split()),
        )

    def wipe_data(self) -> None:
        """See `StoreClient`; users, roles and records stay."""
        wipe_prefix(f"/{STORE_PREFIX}")

    def wipe_everything(self) -> None:
        """See `StoreClient`."""
        self.wipe_data()
        for record in _RECORDS:
            wipe_prefix(f"{record}{STORE_PREFIX}")
        present = self.content()
        for kind, names in (("user", present.users), ("role", present.roles)):
            for name in sorted(names):
                if name.startswith(STORE_PREFIX):
                    etcdctl(kind, "delete", name)


class Postgres:
    """The shared PostgreSQL, a database for each tenant."""

    def content(self) -> StoreContent:
        """See `StoreClient`."""
        return StoreContent(
            keys=int(postgres.psql("SELECT count(*) FROM pg_database")),
            users=frozenset(postgres.psql("SELECT rolname FROM pg_roles WHERE rolcanlogin").split()),
            roles=frozenset(postgres.psql("SELECT rolname FROM pg_roles WHERE NOT rolcanlogin").split()),
        )

    def wipe_data(self) -> None:
        """See `StoreClient`; kine makes its table anew."""
        for database in postgres.psql(_DATABASES).split():
            postgres.psql("DROP TABLE IF EXISTS kine CASCADE", database=database)

    def wipe_everything(self) -> None:
        """See `StoreClient`."""
        for database in postgres.psql(_DATABASES).split():
            postgres.psql(f'DROP DATABASE "{database}" WITH (FORCE)')
        for role in postgres.psql(_ROLES).split():
            postgres.psql(f'DROP ROLE "{role}"')


def client_of(datastore: Datastore) -> StoreClient:
    """The client of a kind of store.

    Raises:
        BenchError: when the sandbox has none of that kind.
    """
    if datastore is Datastore.ETCD:
        return Etcd()
    if not postgres.is_wanted():
        raise BenchError("the sandbox has no PostgreSQL: run `make sandbox-up DATASTORE=postgres`")
    return Postgres()


def present() -> tuple[StoreClient, ...]:
    """The clients of all stores that the sandbox has."""
    return (Etcd(), Postgres()) if postgres.is_wanted() else (Etcd(),)


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
