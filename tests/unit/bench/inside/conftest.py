"""What the operator wants inside a tenant of a fleet, and fleets whose insides were seen to come to be."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
import pytest

from bench.figures import spread
from bench.fleet import Fleet, Shape
from bench.inside.access import planned
from bench.inside.results import InsideFleet, Way
from bench.results import CreateResult
from kamaji_core.api.tenant_control_plane import TenantControlPlane

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.meter import Window
    from kamaji_core.soot.plan import Plan


@pytest.fixture(scope="session")
def plan() -> Plan:
    """Of a tenant with both add-ons."""
    tenant = Fleet(size=1, shape=Shape.API_ONLY, version="v1.37.1", addons=True).tenant("a")
    return planned(msgspec.convert(tenant, TenantControlPlane), address="10.215.0.9", ca_cert=b"PEM")


@pytest.fixture
def fleet(cost: Window) -> Callable[..., InsideFleet]:
    """Make a fleet of two tenants, posted at 1 s and ready at 5 s."""

    def make(way: Way, *, silent: str = "", cpu: float = 0.5, late: float = 0.0) -> InsideFleet:
        names = ("a", "b")
        created = CreateResult(
            ready=2,
            seconds=8.0,
            posted=spread([1.0, 1.0]),
            stages={},
            ready_lag=spread([]),
            quiet_after=9.0,
            until_ready=cost,
            until_quiet=replace(cost, operator_cpu_seconds=cpu),
            restarts={},
            tenants={name: {"posted": 1.0} for name in names},
        )
        moments = {"a": 5.5 + late, "b": 6.0 + late}
        bare = way is Way.BARE
        return InsideFleet(
            way=way,
            silent=silent,
            readyz=dict.fromkeys(names, 5.0),
            bootstrapped={} if bare else {name: at for name, at in moments.items() if name != silent},
            addons_ready={} if bare else {name: at for name, at in moments.items() if name != silent},
            written=dict.fromkeys(names, 5.25) if bare else {},
            created=created,
        )

    return make
