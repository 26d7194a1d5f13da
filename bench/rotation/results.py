"""What was seen while a store's secrets changed, as it goes into the file of figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.figures import Spread


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What became of some probers' calls.

    Args:
        calls: all of them.
        failed: those that were refused or cut.
        late: those that were not answered in time.
        seconds: of those that were answered well.
        said: the first sentences of failed ones, with their moments, seconds since the probers began.
    """

    calls: int
    failed: int
    late: int
    seconds: Spread
    said: tuple[tuple[float, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """One change.

    Args:
        name: what was changed.
        seconds: from the change until all pods were of the wanted template and ready, and no earlier login was kept.
        settled: whether that came to be in time.
        rollouts: new templates of each tenant's Deployment.
        kept: calls on connections that were kept, of the tenants that it befell.
        new: calls on a connection of their own.
        untouched: all calls of the tenant that nothing was done to.
    """

    name: str
    seconds: float
    settled: bool
    rollouts: dict[str, int]
    kept: Seen
    new: Seen
    untouched: Seen


@dataclass(frozen=True, slots=True, kw_only=True)
class RotationResult:
    """All changes, in their order.

    Args:
        replicas: of each tenant.
        rate: calls a second, shared by the fleet's tenants, half of them on kept connections.
        phases: the changes.
    """

    replicas: int
    rate: float
    phases: tuple[Phase, ...]
