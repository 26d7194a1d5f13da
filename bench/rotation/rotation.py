"""Changing a store's login, its authority and its tenants' passwords under tenants that are in use.

A tenant on another store, which nothing is done to, is called in the same way: what it sees is the machine's doing.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING

from bench.errors import BenchError
from bench.figures import spread
from bench.fleet import NAMESPACE, UNTOUCHED_STORE, Datastore, data_store
from bench.rotation.prober import Calls, Prober
from bench.rotation.results import Phase, RotationResult, Seen
from bench.rotation.store import store_secrets
from kamaji_core.api import labels as wire
from kamaji_core.certificates import secret_data
from kamaji_core.kube import DEPLOYMENTS, SECRETS, config_from_kubeconfig
from kamaji_core.tenancy import DATA_STORES, TENANT_CONTROL_PLANES

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from bench.testbed import Testbed
    from kamaji_core.kube import ClusterConfig

UNTOUCHED = "untouched"
MOST_SENTENCES = 20
_POLL = 0.25
_SOON = 8.0
"""Seconds in which a rollout begins after its cause."""


async def rotate(bed: Testbed, *, rate: float, rest: float) -> RotationResult:
    """Make all changes, one after the other.

    Args:
        bed: with a fleet that was created and is Ready.
        rate: calls a second, shared by the fleet's tenants.
        rest: seconds of calls after each change has settled.

    Raises:
        BenchError: when the tenant that nothing is done to does not become Ready.
    """
    names = bed.options.fleet.names
    await _create_untouched(bed)
    # The tenant beside is called as often as each of the others.
    probers = {name: Prober(await _config(bed, name), rate=rate / len(names)) for name in (*names, UNTOUCHED)}
    phases = []
    async with contextlib.AsyncExitStack() as stack:
        store = await stack.enter_async_context(store_secrets(bed.client))
        for prober in probers.values():
            await stack.enter_async_context(prober.running())

        async def nothing() -> None:
            return

        async def renew() -> None:
            for name in names:
                asked = {"metadata": {"annotations": {wire.ROTATE_ANNOTATION: ""}}}
                await bed.client.merge_patch(SECRETS, f"{name}-datastore-config", asked, NAMESPACE)

        changes: dict[str, Callable[[], Awaitable[None]]] = {
            "nothing": nothing,
            "the DataStore's own password": store.change_login,
            "both authorities trusted": store.trust_both,
            "the server's certificate by the new authority": store.serve_new,
            "the earlier authority trusted no more": store.trust_new,
            "each tenant's password": renew,
        }
        for name, change in changes.items():
            bed.say(f"Changing: {name}.")
            phases.append(await _phase(bed, name, change, probers, rest))
    return RotationResult(replicas=bed.options.fleet.replicas, rate=rate, phases=tuple(phases))


async def _phase(
    bed: Testbed, name: str, change: Callable[[], Awaitable[None]], probers: Mapping[str, Prober], rest: float
) -> Phase:
    names = bed.options.fleet.names
    for prober in probers.values():
        prober.take()
    before = {one: await _generation(bed, one) for one in names}
    began = time.monotonic()
    await change()
    await asyncio.sleep(_SOON)
    settled = await _until_settled(bed)
    seconds = time.monotonic() - began
    await asyncio.sleep(rest)
    taken = {one: prober.take() for one, prober in probers.items()}
    phase = Phase(
        name=name,
        seconds=seconds,
        settled=settled,
        rollouts={one: await _generation(bed, one) - before[one] for one in names},
        kept=_seen(taken[one][0] for one in names),
        new=_seen(taken[one][1] for one in names),
        untouched=_seen(taken[UNTOUCHED]),
    )
    kept, new, untouched = phase.kept, phase.new, phase.untouched
    bed.say(
        f"{seconds:.0f} s, {sum(phase.rollouts.values())} rollouts; failed: {kept.failed} of {kept.calls} on kept, "
        f"{new.failed} of {new.calls} on new connections, {untouched.failed} untouched; late: {kept.late}, {new.late}, "
        f"{untouched.late}."
    )
    return phase


async def _until_settled(bed: Testbed) -> bool:
    deadline = time.monotonic() + bed.options.limit
    while time.monotonic() < deadline:
        if all([await _is_settled(bed, name) for name in bed.options.fleet.names]):
            return True
        await asyncio.sleep(_POLL)
    return False


async def _is_settled(bed: Testbed, name: str) -> bool:
    live = await bed.client.get(DEPLOYMENTS, name, NAMESPACE)
    status, wanted = live.get("status", {}), live["spec"]["replicas"]
    counts = {status.get(count, 0) for count in ("replicas", "updatedReplicas", "readyReplicas")}
    if counts != {wanted} or status.get("observedGeneration") != live["metadata"]["generation"]:
        return False
    config = await bed.client.get(SECRETS, f"{name}-datastore-config", NAMESPACE)
    annotations = config["metadata"].get("annotations") or {}
    return wire.UNSETTLED_ANNOTATION not in annotations and annotations.get(wire.ROTATE_ANNOTATION) != ""


async def _generation(bed: Testbed, name: str) -> int:
    return int((await bed.client.get(DEPLOYMENTS, name, NAMESPACE))["metadata"]["generation"])


def _seen(many: Iterable[Calls]) -> Seen:
    taken = list(many)
    said = sorted(sentence for calls in taken for sentence in calls.failed)
    return Seen(
        calls=sum(calls.count for calls in taken),
        failed=len(said),
        late=sum(calls.late for calls in taken),
        seconds=spread(value for calls in taken for value in calls.seconds),
        said=tuple(said[:MOST_SENTENCES]),
    )


async def _create_untouched(bed: Testbed) -> None:
    await bed.client.apply(DATA_STORES, data_store(Datastore.ETCD, UNTOUCHED_STORE), field_manager="bench")
    tenant = bed.options.fleet.tenant(UNTOUCHED, store=UNTOUCHED_STORE)
    await bed.client.create(TENANT_CONTROL_PLANES, tenant)
    deadline = time.monotonic() + bed.options.limit
    while time.monotonic() < deadline:
        live = await bed.client.get(TENANT_CONTROL_PLANES, UNTOUCHED, NAMESPACE)
        conditions = live.get("status", {}).get("conditions", [])
        if any(one["type"] == "Ready" and one["status"] == "True" for one in conditions):
            return
        await asyncio.sleep(_POLL)
    raise BenchError(
        f"the tenant {UNTOUCHED} does not become Ready: see `kubectl describe tenantcontrolplane -n bench`"
    )


async def _config(bed: Testbed, name: str) -> ClusterConfig:
    secret = await bed.client.get(SECRETS, f"{name}-admin-kubeconfig", NAMESPACE)
    return config_from_kubeconfig(secret_data(secret)["super-admin.conf"])
