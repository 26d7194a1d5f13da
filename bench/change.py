"""Measuring one change of one tenant: how many rollouts it makes, what it costs, and whether others notice it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from bench import fleet as tenants
from bench.fleet import NAMESPACE
from bench.results import ChangeResult
from bench.timeline import deployment_is_ready, tenant_is_ready
from kamaji_core.api.labels import NAME_LABEL
from kamaji_core.kube import Resource
from kamaji_core.tenancy import TENANT_CONTROL_PLANES

if TYPE_CHECKING:
    from bench.testbed import Testbed

REPLICA_SETS = Resource("apps", "v1", "replicasets", "ReplicaSet")
_QUIET_LIMIT = 180.0


async def change(bed: Testbed) -> ChangeResult:
    """Turn on an admission plugin of the last tenant and wait until only new pods run."""
    name = bed.options.fleet.names[-1]
    generations = _generations(bed)
    replica_sets = await _replica_sets(bed, name)
    bed.say(f"Changing the specification of {name}.")
    mark = bed.meter.mark()
    await bed.client.merge_patch(TENANT_CONTROL_PLANES, name, tenants.change(), NAMESPACE)
    settled = await bed.observer.until(lambda: _is_settled(bed, name, generations[name]), bed.options.limit)
    settled_after = time.monotonic() - mark.at
    await bed.meter.until_quiet(time.monotonic(), _QUIET_LIMIT)
    after = _generations(bed)
    return ChangeResult(
        tenant=name,
        settled_after=settled_after if settled else None,
        generations=after[name] - generations[name],
        replica_sets=await _replica_sets(bed, name) - replica_sets,
        others_changed=sum(after[other] != generations.get(other) for other in after if other != name),
        window=bed.meter.window(mark),
    )


def _is_settled(bed: Testbed, name: str, generation_before: int) -> bool:
    deployment = bed.observer.deployment(name)
    tenant = bed.observer.tenants.get((NAMESPACE, name))
    if deployment is None or tenant is None or deployment["metadata"]["generation"] <= generation_before:
        return False
    return deployment_is_ready(deployment) and tenant_is_ready(tenant)


def _generations(bed: Testbed) -> dict[str, int]:
    return {name: obj["metadata"]["generation"] for (_, name), obj in bed.observer.deployments.items()}


async def _replica_sets(bed: Testbed, name: str) -> int:
    listing = await bed.client.list(REPLICA_SETS, NAMESPACE, label_selector=f"{NAME_LABEL}={name}")
    return len(listing.items)
