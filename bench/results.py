"""The results of each measurement, as they go into the file of figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.inside.results import HealResult, InsideResult, SessionsResult
from bench.rotation.results import RotationResult

if TYPE_CHECKING:
    from bench.figures import Spread
    from bench.meter import Window
    from bench.storage import StoreGrowth


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateResult:
    """A fleet from the first POST on; seconds count from there.

    Args:
        ready: how many tenants became Ready in time.
        seconds: until all were, or until the limit.
        posted: the answers to the POSTs.
        stages: when the tenants reached each stage.
        ready_lag: from a Deployment's readiness to its tenant's.
        quiet_after: when the operator became quiet; None when it did not.
        until_ready: what it cost until all were Ready.
        until_quiet: what it cost until the operator was quiet.
        restarts: of containers, by their name.
        tenants: moments by stage by tenant.
        bare_resident_bytes: of an interpreter that only imports what the operator imports; None for another's operator.
        loop_lag: the longest that the operator's event loop was late, seconds; None when it does not tell.
    """

    ready: int
    seconds: float
    posted: Spread
    stages: dict[str, Spread]
    ready_lag: Spread
    quiet_after: float | None
    until_ready: Window
    until_quiet: Window
    restarts: dict[str, int]
    tenants: dict[str, dict[str, float]]
    bare_resident_bytes: int | None = None
    loop_lag: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IdleResult:
    """A fleet that nobody asks for anything.

    Args:
        was_quiet: whether the operator had become quiet before.
        cpu_share: of one core, 0 to 1.
        requests_per_minute: of the operator, Leases left out.
        writes_per_minute: of those.
        window: what the time cost.
        restarts: of containers, by their name.
    """

    was_quiet: bool
    cpu_share: float
    requests_per_minute: float
    writes_per_minute: float
    window: Window
    restarts: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartResult:
    """Two restarts of the operator; seconds count from its start.

    Before the second, each tenant's Service is changed by hand, so that its being put back shows when the operator
    looked at the tenant.

    Args:
        stopped_after: from the signal to the process's end.
        working_after: until its health address answers, with nothing to do.
        leading_after: until it holds the Lease, seconds from the end of the old one; None when there is no Lease.
        first_request_after: until its first request; None when there was none.
        quiet_after: until it was quiet; None when it did not become so.
        window: what the first restart cost, from the start to the look that found it quiet.
        rollouts: Deployments that it changed, which should be none.
        looked_at: when tenants were looked at after the second restart; fewer than there are when some never were.
        putting_back: what the second restart cost.
    """

    stopped_after: float
    working_after: float
    leading_after: float | None
    first_request_after: float | None
    quiet_after: float | None
    window: Window
    rollouts: int
    looked_at: Spread
    putting_back: Window


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeResult:
    """One change of one tenant's spec that needs other pods.

    Args:
        tenant: its name.
        settled_after: seconds until only new pods run and the tenant is Ready; None when the limit came first.
        generations: by how many its Deployment's generation grew.
        replica_sets: how many ReplicaSets came.
        others_changed: Deployments of other tenants that changed, which should be none.
        window: what it cost until the operator was quiet.
    """

    tenant: str
    settled_after: float | None
    generations: int
    replica_sets: int
    others_changed: int
    window: Window


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteResult:
    """The whole fleet deleted; seconds count from the first DELETE.

    Args:
        gone: when tenants were gone; fewer than there were when some stayed.
        pods_gone_after: until the last pod was; None when the limit came first.
        window: what it cost, until nothing was left or the limit came.
        left_at_store: what has come to the store since before the fleet.
        left_objects: objects in the namespace, by kind.
    """

    gone: Spread
    pods_gone_after: float | None
    window: Window
    left_at_store: StoreGrowth
    left_objects: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorRun:
    """The same pods without an operator, so many booting at a time; seconds count from the first start.

    Args:
        width: how many boot at a time; 0 is all at once.
        ready: how many Deployments became ready in time.
        stages: when tenants reached each stage.
        deployment_ready: when Deployments were ready.
        restarts: of containers, by their name.
        window: what it cost.
        tenants: when each Deployment was ready.
    """

    width: int
    ready: int
    stages: dict[str, Spread]
    deployment_ready: Spread
    restarts: dict[str, int]
    window: Window
    tenants: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorResult:
    """What the machine and the programs need by themselves.

    Args:
        best: the width of the best run.
        runs: one for each width.
    """

    best: int
    runs: tuple[FloorRun, ...]


Result = (
    CreateResult
    | IdleResult
    | RestartResult
    | ChangeResult
    | DeleteResult
    | FloorResult
    | InsideResult
    | SessionsResult
    | HealResult
    | RotationResult
)
