"""The results of each measurement inside tenants' clusters, as they go into the file of figures."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.figures import differences, spread

if TYPE_CHECKING:
    from bench.figures import Spread
    from bench.results import CreateResult


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
