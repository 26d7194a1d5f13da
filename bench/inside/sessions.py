"""Measuring what sessions in tenants' clusters cost: at rest against the same operator without tenants, and restarted.

Writes are counted on both sides: in the management cluster's audit log, and by what tenants' API servers themselves
count. What API servers write for themselves, such as Leases, is left out.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from typing import TYPE_CHECKING

from bench import prometheus
from bench.concurrency import at_most
from bench.consumption import connections
from bench.figures import spread
from bench.idle import idle
from bench.inside.access import access_to
from bench.inside.results import SessionsResult
from bench.inside.standing import until_standing
from bench.requests import WRITES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence

    from bench.consumption import Connection
    from bench.inside.access import Access
    from bench.results import CreateResult, IdleResult
    from bench.testbed import Testbed

_QUIET_LIMIT = 300.0
_LOOK_PAUSE = 10.0
_AT_ONCE = 4
_OWN_WRITES = frozenset({"flowschemas", "ipaddresses", "leases", "prioritylevelconfigurations", "servicecidrs"})
"""Resources that an API server writes for itself, and the operator never."""

_WRITE_VERBS = frozenset({"APPLY", "DELETE", "DELETECOLLECTION", "PATCH", "POST", "PUT"})


async def sessions(bed: Testbed, empty: IdleResult, created: CreateResult) -> SessionsResult:
    """Watch a fleet that was created at rest, and restart the operator over it.

    Args:
        bed: with the fleet.
        empty: the operator at rest before there were tenants.
        created: the fleet's creation.
    """
    tenants = created.ready
    standing = await until_standing(tenants, bed.options.limit)
    bed.say(f"{'All' if standing else 'NOT all'} {tenants} sessions stand.")
    accesses = [await access_to(bed.client, bed.observer, name) for name in bed.options.fleet.names]
    await bed.meter.until_quiet(bed.meter.mark().at, _QUIET_LIMIT)
    before = await tenant_writes(accesses)
    async with _most_connections(bed, accesses) as most:
        full = await idle(bed)
    at_rest = await tenant_writes(accesses) - before
    bed.say("Restarting the operator.")
    before = await tenant_writes(accesses)
    await bed.operator.stop()
    mark = bed.meter.mark()
    began = time.monotonic()
    working_after = await bed.operator.start()
    all_standing = await until_standing(tenants, bed.options.limit)
    standing_after = time.monotonic() - began if all_standing else None
    await bed.meter.until_quiet(time.monotonic(), _QUIET_LIMIT)
    window = bed.meter.window(mark)
    bed.say(f"All stand again after {standing_after or 0.0:.1f} s." if all_standing else "Not all stand again.")
    return SessionsResult(
        tenants=tenants,
        stood=standing,
        empty=empty,
        full=full,
        connections=spread(most.values()),
        tenant_writes=dict(at_rest),
        restart_working_after=working_after,
        restart_standing_after=standing_after,
        restart=window,
        restart_writes={kind: n for kind, n in window.asked.kinds.items() if kind.partition(" ")[0] in WRITES},
        restart_tenant_writes=dict(await tenant_writes(accesses) - before),
    )


async def tenant_writes(accesses: Sequence[Access]) -> Counter[str]:
    """Count the writes that the API servers were asked for since they started, by `verb resource`.

    Args:
        accesses: of the tenants.
    """
    found: Counter[str] = Counter()

    async def ask(access: Access) -> None:
        async with access.client() as client:
            found.update(writes_in((await client.raw("/metrics")).decode()))

    await at_most(_AT_ONCE, ask, accesses)
    return found


def writes_in(metrics: str) -> Counter[str]:
    """Count the writes that an API server tells in its metrics, but for those of its own."""
    found: Counter[str] = Counter()
    for labels, value in prometheus.samples(metrics, "apiserver_request_total"):
        verb, resource = labels.get("verb", ""), labels.get("resource", "")
        if verb in _WRITE_VERBS and resource not in _OWN_WRITES:
            found[f"{verb} {resource}"] += int(value)
    return found


@contextlib.asynccontextmanager
async def _most_connections(bed: Testbed, accesses: Sequence[Access]) -> AsyncIterator[Counter[str]]:
    """Look at the operator's connections now and then; gives the most that a look found to each tenant."""
    most: Counter[str] = Counter({access.name: 0 for access in accesses})
    names = {access.address: access.name for access in accesses}

    async def look() -> None:
        while True:
            if (pid := bed.operator.pid) is not None:
                for name, count in by_tenant(connections(pid), names).items():
                    most[name] = max(most[name], count)
            await asyncio.sleep(_LOOK_PAUSE)

    task = asyncio.create_task(look())
    try:
        yield most
    finally:
        task.cancel()


def by_tenant(found: Iterable[Connection], names: dict[str, str]) -> Counter[str]:
    """Count connections by the tenant that they lead to.

    Args:
        found: all connections.
        names: the tenants' names by their addresses.
    """
    return Counter(names[one.peer] for one in found if one.peer in names)
