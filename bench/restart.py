"""Measuring a restart of the operator over a fleet that needs nothing, and over one that needs it everywhere."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from bench.concurrency import at_most
from bench.figures import spread
from bench.fleet import NAMESPACE
from bench.results import RestartResult
from bench.timeline import DRIFTED, PUT_BACK
from kamaji_core.api.labels import COMPONENT_LABEL
from kamaji_core.kube import LEASES, SERVICES, NotFoundError

if TYPE_CHECKING:
    from bench.meter import Window
    from bench.testbed import Testbed

_QUIET_LIMIT = 300.0
_DRIFT_LIMIT = 30.0
LEASE, LEASE_NAMESPACE = "kamaji.clastix.io", "default"
"""Where Kamaji and this operator elect, with the namespace of the kubeconfig that it is given."""

_LEASE_LIMIT = 60.0
_LEASE_POLL = 0.02
_PATCHES_AT_A_TIME = 8


async def restart(bed: Testbed) -> RestartResult:
    """Restart the operator twice, the second time after changing each tenant's Service by hand."""
    meter = bed.meter
    generations = _generations(bed)
    bed.say("Restarting the operator.")
    stopped_after = await bed.operator.stop()
    mark = meter.mark()
    leading = asyncio.create_task(_leading_after(bed, time.monotonic()))
    working_after = await bed.operator.start()
    leading_after = await leading
    quiet = await meter.until_quiet(mark.at + working_after, _QUIET_LIMIT)
    window = meter.window(mark)
    asked = meter.asked(mark.at, mark.at + window.seconds)
    rollouts = sum(generations.get(name) != generation for name, generation in _generations(bed).items())
    looked_at, putting_back = await _restart_over_drift(bed)
    return RestartResult(
        stopped_after=stopped_after,
        working_after=working_after,
        leading_after=leading_after,
        first_request_after=meter.seconds_after(asked[0], mark.at) if asked else None,
        quiet_after=None if quiet is None else quiet - mark.at,
        window=window,
        rollouts=rollouts,
        looked_at=spread(looked_at.values()),
        putting_back=putting_back,
    )


async def _leading_after(bed: Testbed, began: float) -> float | None:
    """Seconds until somebody holds the Lease again."""
    while time.monotonic() < began + _LEASE_LIMIT:
        try:
            lease = await bed.client.get(LEASES, LEASE, LEASE_NAMESPACE)
        except NotFoundError:
            return None
        if lease["spec"].get("holderIdentity"):
            return time.monotonic() - began
        await asyncio.sleep(_LEASE_POLL)
    return None


async def _restart_over_drift(bed: Testbed) -> tuple[dict[str, float], Window]:
    """Tell when each tenant's changed Service was put back, seconds after the start, and what it cost."""
    bed.say("Restarting the operator after each tenant's Service was changed.")
    names = bed.options.fleet.names
    await bed.operator.stop()

    async def drift(name: str) -> None:
        patch = {"metadata": {"labels": {COMPONENT_LABEL: DRIFTED}}}
        await bed.client.merge_patch(SERVICES, name, patch, NAMESPACE)

    await at_most(_PATCHES_AT_A_TIME, drift, names)
    await bed.observer.until(lambda: all(_is_drifted(bed, name) for name in names), _DRIFT_LIMIT)
    timeline = bed.observer.begin()
    mark = bed.meter.mark()
    await bed.operator.start()
    await bed.observer.until(lambda: timeline.reached(PUT_BACK) >= len(names), bed.options.limit)
    await bed.meter.until_quiet(time.monotonic(), _QUIET_LIMIT)
    began = mark.at - timeline.began
    return {name: moment - began for name, moment in timeline.at(PUT_BACK).items()}, bed.meter.window(mark)


def _is_drifted(bed: Testbed, name: str) -> bool:
    service = bed.observer.services.get((NAMESPACE, name), {"metadata": {}})
    return (service["metadata"].get("labels") or {}).get(COMPONENT_LABEL) == DRIFTED


def _generations(bed: Testbed) -> dict[str, int]:
    return {name: obj["metadata"]["generation"] for (_, name), obj in bed.observer.deployments.items()}
