"""The results of each measurement inside tenants' clusters, as they go into the file of figures."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.figures import differences, spread

if TYPE_CHECKING:
    from bench.figures import Spread
    from bench.meter import Window
    from bench.results import CreateResult, IdleResult


class Way(enum.StrEnum):
    """Who writes into the clusters of a fleet."""

    SESSIONS = "sessions"
    BARE = "bare client"
    SILENT = "sessions, one silent"


@dataclass(frozen=True, slots=True, kw_only=True)
class InsideFleet:
    """One fleet's clusters coming to hold what they should; moments are seconds from the first POST, by tenant.

    Args:
        way: who writes.
        silent: the tenant whose API server never answers the operator; empty for none.
        readyz: when the API server first said that it is ready.
        bootstrapped: when the tenant's condition Bootstrapped became true.
        addons_ready: when AddonsReady did.
        written: when the bare client had written its last object.
        created: the fleet's creation.
    """

    way: Way
    silent: str
    readyz: dict[str, float]
    bootstrapped: dict[str, float]
    addons_ready: dict[str, float]
    written: dict[str, float]
    created: CreateResult

    def after_readyz(self, moments: dict[str, float], *, without: str = "") -> Spread:
        """How long after their API servers' readiness tenants came to something.

        Args:
            moments: when they did.
            without: a tenant that does not count.
        """
        return spread(value for name, value in differences(moments, self.readyz).items() if name != without)


@dataclass(frozen=True, slots=True, kw_only=True)
class InsideResult:
    """Two fleets of equal shape that differ in who writes, in the order in which they were made."""

    fleets: tuple[InsideFleet, ...]

    def fleet(self, way: Way) -> InsideFleet | None:
        """The fleet of one way, if it was made."""
        return next((fleet for fleet in self.fleets if fleet.way is way), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Healing:
    """One edit inside a tenant's cluster.

    Args:
        tenant: whose.
        kind: of the object.
        object: its kind and name.
        edit: what was done to it.
        seconds: until it was as wanted again; None when it was not in time.
    """

    tenant: str
    kind: str
    object: str
    edit: str
    seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault of the network, and a change made right after it.

    Args:
        connections: how many of the operator's it befell.
        seconds: until what was changed was acted on; None when it was not in time.
    """

    connections: int
    seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HealResult:
    """How soon the operator puts back or notices what somebody changed; a part that was not asked for is empty.

    Args:
        watched: edits of objects that are watched.
        polled: edits of objects that only looks at everything see.
        look_seconds: between these looks, while `polled` was measured.
        dropped: packets of a session's connections dropped, and an edit inside the tenant's cluster.
        silent: the management API server's connections silent, and a change of a tenant.
    """

    watched: tuple[Healing, ...] = ()
    polled: tuple[Healing, ...] = ()
    look_seconds: float
    dropped: tuple[Fault, ...] = ()
    silent: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionsResult:
    """Sessions at rest, and the operator restarted over them.

    Args:
        tenants: how many have one.
        stood: whether all sessions stood when the watching began.
        empty: the operator at rest before there were tenants.
        full: the operator at rest with all of them.
        connections: the most that a look found to one tenant, over the tenants.
        tenant_writes: what tenants' API servers were asked to write while the fleet rested, by `verb resource`.
        restart_working_after: from the start until the health address answered, seconds.
        restart_standing_after: until all sessions stood; None when they never did.
        restart: what the restart cost until the operator was quiet.
        restart_writes: what it wrote in the management cluster meanwhile, by `verb resource`.
        restart_tenant_writes: what tenants' API servers were asked to write meanwhile.
    """

    tenants: int
    stood: bool
    empty: IdleResult
    full: IdleResult
    connections: Spread
    tenant_writes: dict[str, int]
    restart_working_after: float
    restart_standing_after: float | None
    restart: Window
    restart_writes: dict[str, int]
    restart_tenant_writes: dict[str, int]

    @property
    def resident_bytes(self) -> float:
        """Memory that a tenant takes of the operator at rest."""
        return self._a_tenant(self.full.window.operator_resident_bytes - self.empty.window.operator_resident_bytes)

    @property
    def resident_bytes_after_restart(self) -> float:
        """The same in an operator that did not see the tenants' creation."""
        return self._a_tenant(self.restart.operator_resident_bytes - self.empty.window.operator_resident_bytes)

    @property
    def cpu_share(self) -> float:
        """Share of a core, 0 to 1, that a tenant takes at rest."""
        return self._a_tenant(self.full.cpu_share - self.empty.cpu_share)

    def _a_tenant(self, growth: float) -> float:
        return growth / max(self.tenants, 1)
