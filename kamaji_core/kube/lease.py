"""A Lease as it is stored: reading what elects, and writing it so that every other elector understands it.

Pure. The times in a Lease are for people; nobody decides by them, since clocks of machines differ.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from kamaji_core.kube.resources import LEASES

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseSettings:
    """Which Lease decides who leads, and how patient everybody is.

    Args:
        namespace: of the Lease.
        name: of the Lease.
        duration: seconds after which a leader that was not seen to renew counts as gone; whole.
        give_up: seconds without a renewal after which a leader stops working; the rest of `duration` is what its work
            has for ending.
        retry: seconds between renewals, and between a candidate's looks; jittered by a fifth.
    """

    namespace: str
    name: str = "kamaji.clastix.io"
    duration: int = 15
    give_up: float = 10.0
    retry: float = 2.0

    def __post_init__(self) -> None:
        if not 0 < self.retry * 1.2 < self.give_up < self.duration:
            raise ValueError(
                f"A Lease needs retry * 1.2 < give_up < duration, not {self.retry:g}, {self.give_up:g} and "
                f"{self.duration}: otherwise it is lost before it is renewed."
            )

    @property
    def called(self) -> str:
        """Namespace and name, for sentences."""
        return f"{self.namespace}/{self.name}"


class LeaseRecord(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """The `spec` of a Lease (coordination.k8s.io/v1), as far as it elects; times in RFC 3339 with microseconds."""

    holder_identity: str | None = None
    lease_duration_seconds: int | None = None
    acquire_time: str | None = None
    renew_time: str | None = None
    lease_transitions: int | None = None

    def renewed(self, settings: LeaseSettings, now: datetime) -> LeaseRecord:
        """Give the record after a renewal by its holder."""
        return msgspec.structs.replace(self, renew_time=micro_time(now), lease_duration_seconds=settings.duration)

    def taken(self, identity: str, settings: LeaseSettings, now: datetime) -> LeaseRecord:
        """Give the record after a candidate took it; taking it from another one, or from nobody, is a transition."""
        return LeaseRecord(
            holder_identity=identity,
            lease_duration_seconds=settings.duration,
            acquire_time=micro_time(now),
            renew_time=micro_time(now),
            lease_transitions=(self.lease_transitions or 0) + (self.holder_identity != identity),
        )

    def released(self, now: datetime) -> LeaseRecord:
        """Give the record after its holder left it to whoever comes next."""
        # Without a holder it is free at once; the duration must be positive, and 1 s is for electors that wait for it.
        return msgspec.structs.replace(
            self, holder_identity="", lease_duration_seconds=1, acquire_time=micro_time(now), renew_time=micro_time(now)
        )


class _Version(msgspec.Struct, frozen=True):
    resource_version: str = msgspec.field(default="", name="resourceVersion")


class StoredLease(msgspec.Struct, frozen=True):
    """A Lease as read: its record and the resourceVersion that the next write must still find."""

    metadata: _Version
    spec: LeaseRecord = LeaseRecord()

    @property
    def version(self) -> str:
        """Its resourceVersion."""
        return self.metadata.resource_version


def new_lease(settings: LeaseSettings, identity: str, now: datetime) -> dict[str, Any]:
    """Give a Lease to create, held from its beginning."""
    record = msgspec.structs.replace(LeaseRecord().taken(identity, settings, now), lease_transitions=0)
    return {
        "apiVersion": LEASES.api_version,
        "kind": LEASES.kind,
        "metadata": {"namespace": settings.namespace, "name": settings.name},
        "spec": msgspec.to_builtins(record),
    }


def patch_of(record: LeaseRecord, version: str) -> dict[str, Any]:
    """Give the merge patch that writes a record, unless the Lease changed since that resourceVersion."""
    return {"metadata": {"resourceVersion": version}, "spec": msgspec.to_builtins(record)}


def micro_time(now: datetime) -> str:
    """Write a time as Kubernetes' MicroTime: UTC, RFC 3339, always six digits of microseconds."""
    return now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
