"""The driver's pure half: settings checked, and what a tenant's pod needs so that its API server finds its file.

There is no server to share: a tenant's data is one file in a volume of its own, which its pod brings along. So the
operator keeps nothing at a store, and all that matters is said in `parts`.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import msgspec

from kamaji_core.contracts import (
    Capability,
    ControlPlaneParts,
    Credentials,
    DatastoreDriver,
    Mount,
    Volume,
    VolumeClaim,
    read_config,
)
from kamaji_kine import CONTAINER, ENDPOINT, GROUP, KineConfig, kine_parts, kine_problems

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from kamaji_core.contracts import Claim, SecretReferences, Session, StoreView, TenantView

NO_SERVER = "none:0"
"""What stands in `spec.endpoints`, which every DataStore must have: an address that nobody could mean."""

VOLUME = "sqlite"
DIRECTORY = "/var/lib/kine"

CONNECTION = (
    f"sqlite://{DIRECTORY}/state.db"
    "?_journal_mode=WAL&_busy_timeout=30000&_synchronous=NORMAL&_txlock=immediate&_stmt_cache_size=20"
)
"""The file, with the options that kine sets itself only when it is told no file."""

_SIZE = re.compile(r"[1-9]\d*(\.\d+)?([kMGTPE]|[KMGTPE]i)?")
_OBJECT_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")


class SqliteConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Settings under `spec.config` of a DataStore.

    Args:
        size: of each tenant's volume; the volumes that are there keep theirs.
        storage_class: of each tenant's volume; empty for the management cluster's default.
        kine: its image and resources.
    """

    size: str = "1Gi"
    storage_class: str = ""
    kine: KineConfig = KineConfig()


class SqliteDriver(DatastoreDriver):
    """A file in a volume for each tenant.

    `MANY_REPLICAS` is left out: the volume is attached to one node, and two that write to one file ruin it. From that
    alone the operator refuses a second replica and ends a pod before it starts the next one.
    """

    NAME: ClassVar[str] = "SQLite"
    API_VERSION: ClassVar[tuple[int, int]] = (1, 0)
    CONFIG: ClassVar[type[msgspec.Struct] | None] = SqliteConfig
    CAPABILITIES: ClassVar[frozenset[Capability]] = frozenset({Capability.MANY_TENANTS})

    def validate(self, store: StoreView) -> Sequence[str]:
        """Tell what is wrong with a DataStore, a sentence each, with the field and the remedy.

        The type of `spec.config` was checked before, by what `CONFIG` declares.
        """
        return list(_problems(store))

    def issue(
        self,
        store: StoreView,  # noqa: ARG002 - the contract's signature
        claim: Claim,
        *,
        current: Credentials | None,
        now: datetime,  # noqa: ARG002 - as above
        renew: bool = False,  # noqa: ARG002 - there is no login that could be renewed
    ) -> Credentials:
        """Tell which file kine opens: the same for every tenant, since each has a volume of its own.

        Nobody logs in, so there is no password; who may mount the volume is Kubernetes' to decide.
        """
        if current is not None and current.user == claim.user and current.settings.get(ENDPOINT) == CONNECTION:
            return current
        return Credentials(user=claim.user, settings={ENDPOINT: CONNECTION})

    def open(self, store: StoreView) -> Session:  # noqa: ARG002 - as above
        """Prepare a session, which has nobody to talk to."""
        from kamaji_datastore_sqlite.session import SqliteSession  # noqa: PLC0415 - where a network library would come in

        return SqliteSession()

    def parts(
        self,
        store: StoreView,
        tenant: TenantView,  # noqa: ARG002 - as above
        claim: Claim,  # noqa: ARG002 - as above
        *,
        secrets: SecretReferences,
    ) -> ControlPlaneParts:
        """Tell what the pod needs: kine, and a claimed volume that only kine sees."""
        config = read_config(SqliteConfig, store.config)
        kine = kine_parts(config.kine, secrets=secrets)
        claimed = VolumeClaim(suffix=VOLUME, size=config.size, storage_class=config.storage_class, group=GROUP)
        return replace(
            kine,
            claims=(claimed,),
            volumes=(*kine.volumes, Volume(name=VOLUME, claim=claimed.suffix)),
            mounts=(*kine.mounts, Mount(component=CONTAINER, volume=VOLUME, path=DIRECTORY, read_only=False)),
        )


def _problems(store: StoreView) -> Iterator[str]:
    if store.endpoints != (NO_SERVER,):
        # An address that is not looked at would make its author believe that the data is there.
        yield f"spec.endpoints is {', '.join(store.endpoints)}, but SQLite has no server: write [{NO_SERVER!r}]."
    if store.basic_auth is not None:
        yield "spec.basicAuth is set, but SQLite knows no login: remove it."
    if store.tls is not None:
        yield "spec.tlsConfig is set, but SQLite has no connections: remove it."
    config = read_config(SqliteConfig, store.config)
    if not _SIZE.fullmatch(config.size):
        yield f"spec.config.size is {config.size!r}: write a quantity such as 1Gi."
    if config.storage_class and not _OBJECT_NAME.fullmatch(config.storage_class):
        yield f"spec.config.storageClass is {config.storage_class!r}: write the name of a StorageClass, or remove it."
    yield from kine_problems(config.kine)
