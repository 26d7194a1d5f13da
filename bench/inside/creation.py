"""Measuring how soon a new tenant's cluster holds what it should, beside a bare client that writes the same.

Each fleet is created like any other. Beside that, each tenant's API server is asked at its Service's address until it
says that it is ready, which is where both clocks start: the operator's stops at the tenant's conditions, the bare
client's when its last object is written.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from bench import packets
from bench.create import create
from bench.fleet import NAMESPACE
from bench.inside.access import access_to
from bench.inside.bare import until_ready, write
from bench.inside.results import InsideFleet, InsideResult, Way
from bench.silence import silent_server
from bench.testbed import testbed
from bench.timeline import CONDITION_PREFIX, POD
from sandbox.places import HOST_ADDRESS

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.meter import Sample
    from bench.testbed import Options, Testbed

BOOTSTRAPPED = f"{CONDITION_PREFIX}Bootstrapped"
ADDONS_READY = f"{CONDITION_PREFIX}AddonsReady"
_API_PORT = 6443
_LATE_LIMIT = 60.0
"""Seconds after a fleet is Ready in which the last tenant's inside may still come to be."""


@dataclass(slots=True)
class _Seen:
    """Moments on the monotonic clock by tenant."""

    readyz: dict[str, float] = field(default_factory=dict)
    written: dict[str, float] = field(default_factory=dict)


def ways(*, silent_one: bool, number: int) -> tuple[Way, Way]:
    """Which two fleets a run compares, in the order in which they are made: every second run turns it round.

    Args:
        silent_one: whether a fleet with a silent API server takes the place of the bare client's.
        number: of the run, from 1.
    """
    pair = (Way.SESSIONS, Way.SILENT if silent_one else Way.BARE)
    return pair if number % 2 else (pair[1], pair[0])


async def inside(
    options: Options,
    *,
    order: tuple[Way, Way],
    keep: Callable[[InsideResult, list[Sample]], None],
    say: Callable[[str], None],
) -> None:
    """Measure two fleets, one after the other, each on a testbed of its own.

    Args:
        options: of the fleet with sessions.
        order: of the fleets.
        keep: takes what was measured so far, after each fleet.
        say: takes a line of progress.

    Raises:
        BenchError: when it cannot be measured.
        SandboxError: when the sandbox is not up.
    """
    fleets: list[InsideFleet] = []
    for way in order:
        say(f"Fleet: {way}.")
        command = f"{options.command} --no-tenant-sessions" if way is Way.BARE else options.command
        async with testbed(replace(options, command=command), say) as bed:
            fleets.append(await _fleet(bed, way))
            keep(InsideResult(fleets=tuple(fleets)), bed.meter.samples)


async def _fleet(bed: Testbed, way: Way) -> InsideFleet:
    names = bed.options.fleet.names
    silent = names[0] if way is Way.SILENT else ""
    seen = _Seen()
    async with contextlib.AsyncExitStack() as stack:
        group = await stack.enter_async_context(asyncio.TaskGroup())
        followers = [group.create_task(_follow(bed, name, way, seen)) for name in names]
        if silent:
            followers.append(group.create_task(_silence(bed, silent)))
        created = await create(bed)
        timeline = bed.observer.timeline
        others = [name for name in names if name != silent]
        if way is Way.BARE:
            await asyncio.wait(followers, timeout=_LATE_LIMIT)
        else:
            stages = (BOOTSTRAPPED, ADDONS_READY)
            await bed.observer.until(
                lambda: all(timeline.has(name, stage) for name in others for stage in stages), _LATE_LIMIT
            )
        for follower in followers:
            follower.cancel()
    return InsideFleet(
        way=way,
        silent=silent,
        readyz=_since(timeline.began, seen.readyz),
        bootstrapped=timeline.at(BOOTSTRAPPED),
        addons_ready=timeline.at(ADDONS_READY),
        written=_since(timeline.began, seen.written),
        created=created,
    )


async def _follow(bed: Testbed, name: str, way: Way, seen: _Seen) -> None:
    """Note when a tenant's API server is ready, and be the bare client where there is one."""
    if not await bed.observer.until(lambda: bed.observer.timeline.has(name, POD), _patience(bed)):
        return
    access = await access_to(bed.client, bed.observer, name)
    async with access.client() as client:
        await until_ready(client)
        seen.readyz[name] = time.monotonic()
        if way is Way.BARE:
            await write(client, access.plan.objects)
            seen.written[name] = time.monotonic()


async def _silence(bed: Testbed, name: str) -> None:
    """Have the operator's connections to a tenant's Service accepted and never answered, until cancelled."""
    services = bed.observer.services
    if not await bed.observer.until(lambda: _address(services.get((NAMESPACE, name))) != "", _patience(bed)):
        return
    address = _address(services[NAMESPACE, name])
    async with silent_server() as port, packets.ruled(_into_silence(address, port)):
        bed.say(f"The operator's connections to {name} are accepted and never answered.")
        await asyncio.Event().wait()


def _into_silence(address: str, port: int) -> str:
    return packets.redirecting(address, _API_PORT, to=HOST_ADDRESS, to_port=port)


def _address(service: dict[str, Any] | None) -> str:
    return str((service or {}).get("spec", {}).get("clusterIP") or "")


def _patience(bed: Testbed) -> float:
    return bed.options.limit + _LATE_LIMIT * 2


def _since(began: float, moments: dict[str, float]) -> dict[str, float]:
    return {name: moment - began for name, moment in moments.items()}
