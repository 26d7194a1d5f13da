"""What an add-on is: a class that says, for one tenant, what must lie in its pods and what inside the tenant's cluster.

All of its methods are pure: an add-on states what is wanted and is told what came of it; applying, comparing, pruning
and watching are the core's.
"""

from __future__ import annotations

import abc
import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from kamaji_core.contracts.parts import ControlPlaneParts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import msgspec

    from kamaji_core.contracts.datastore import TenantView


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantObject:
    """An object that an add-on wants inside the tenant's cluster.

    Args:
        manifest: exactly the fields that the add-on owns.
        watch: put back within a second when somebody changes it; otherwise it is looked at every ten minutes.
        yield_fields: paths such as `spec.replicas` that belong to the tenant's users once they were made.
        create_only: made once and then left alone.
        restart_on_digest: digest that is noted in the pod template, so that pods restart when it changes; empty for
            none.
    """

    manifest: Mapping[str, Any]
    watch: bool = False
    yield_fields: tuple[str, ...] = ()
    create_only: bool = False
    restart_on_digest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedCertificate:
    """Public half of a certificate or kubeconfig that was issued for an add-on's parts.

    Args:
        secret: name of the Secret in the tenant's namespace that holds the key beside it.
        certificate: in PEM.
        authority: certificate of its authority in PEM.
    """

    secret: str
    certificate: bytes
    authority: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """What was issued for an add-on's parts, by the suffixes that the parts name; never a private key."""

    certificates: Mapping[str, IssuedCertificate] = field(default_factory=dict)
    kubeconfigs: Mapping[str, IssuedCertificate] = field(default_factory=dict)


class Outcome(enum.StrEnum):
    """What became of one object."""

    APPLIED = "applied"
    UNCHANGED = "unchanged"
    YIELDED = "yielded"
    WAITING = "waiting"


@dataclass(frozen=True, slots=True, kw_only=True)
class AppliedObject:
    """What became of one `TenantObject`.

    Args:
        manifest: as it was wanted.
        outcome: what was done.
        reason: why it waits, a sentence; empty otherwise.
        live: the object as the tenant shows it, None when it was not made.
    """

    manifest: Mapping[str, Any]
    outcome: Outcome
    reason: str = ""
    live: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What became of all that one add-on wanted.

    Args:
        objects: in the order in which they were wanted.
        material: what was issued for its parts.
    """

    objects: tuple[AppliedObject, ...] = ()
    material: Material = field(default_factory=Material)


class Addon(abc.ABC):
    """A kind of add-on. Instantiated once, without arguments."""

    NAME: ClassVar[str]
    """What it is called in conditions, labels and metrics."""

    SPEC_KEY: ClassVar[str]
    """The key of `spec.addons`, or of `spec.addons.extra`, that turns it on."""

    API_VERSION: ClassVar[tuple[int, int]]
    """The contract version it was written for."""

    CONFIG: ClassVar[type[msgspec.Struct]]
    """Type of its settings."""

    STATUS: ClassVar[type[msgspec.Struct]]
    """Type of its part of the tenant's status."""

    @abc.abstractmethod
    def config(self, spec: Mapping[str, Any]) -> msgspec.Struct | None:
        """Read the settings out of `spec.addons`; None when the add-on is off, so that what it made is removed."""

    @abc.abstractmethod
    def tenant_objects(self, tenant: TenantView, config: msgspec.Struct, material: Material) -> Sequence[TenantObject]:
        """Tell the objects wanted inside the tenant's cluster."""

    @abc.abstractmethod
    def status(self, tenant: TenantView, config: msgspec.Struct, applied: Applied) -> msgspec.Struct:
        """Tell the add-on's part of the tenant's status; the same as long as nothing changed, so without times."""

    def parts(self, tenant: TenantView, config: msgspec.Struct) -> ControlPlaneParts:  # noqa: ARG002 - for subclasses
        """Tell what the tenant's pods need; nothing unless an add-on says otherwise."""
        return ControlPlaneParts()
