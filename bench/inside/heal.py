"""Measuring how soon what somebody changed is put back or acted on, also when the network fails the operator.

Each part begins with an operator whose sessions all stand and says what it found before the next one begins.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bench.errors import BenchError
from bench.inside.access import access_to
from bench.inside.edits import choices, pause_after, watched_kinds
from bench.inside.faults import dropped, silent
from bench.inside.healing import Editor
from bench.inside.results import Fault, Healing, HealResult
from bench.inside.standing import until_standing
from kamaji_core.soot.kinds import Kinds

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

    from bench.inside.access import Access
    from bench.results import CreateResult
    from bench.testbed import Testbed
    from kamaji_core.soot.wanted import Wanted

PARTS = ("watched", "polled", "dropped", "silent")

_WATCHED_LIMIT = 60.0
_LOOK_TAKES = 30.0
"""Seconds that a look at everything may take beside the interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edits:
    """What is done to the tenants.

    Args:
        edits: of each watched kind of each tenant.
        polled_edits: of unwatched objects of each tenant.
        look_seconds: between two looks at everything, while unwatched objects are edited.
        faults: of each sort.
        seed: decides what is edited and how.
        parts: of `PARTS`, those that are measured.
    """

    edits: int
    polled_edits: int
    look_seconds: float
    faults: int
    seed: int
    parts: frozenset[str]


async def heal(bed: Testbed, created: CreateResult, asked: Edits) -> AsyncGenerator[HealResult, None]:
    """Measure part after part; gives all that was measured so far after each.

    Args:
        bed: with a fleet that was created.
        created: its creation.
        asked: what is to be done.

    Raises:
        BenchError: when not all tenants are Ready or not all sessions stand.
    """
    names = bed.options.fleet.names
    if created.ready < len(names):
        raise BenchError(f"only {created.ready} of {len(names)} tenants are Ready: give --limit or fewer tenants")
    await _until_all_stand(bed)
    result = HealResult(look_seconds=asked.look_seconds)
    accesses = [await access_to(bed.client, bed.observer, name) for name in names]
    if "watched" in asked.parts:
        bed.say(f"Editing watched objects: {asked.edits} of each kind of each tenant.")
        result = replace(result, watched=await _edit_all(accesses, asked, _edit_watched))
        yield result
    if "polled" in asked.parts:
        bed.say(f"Editing other objects: {asked.polled_edits} of each tenant, a look every {asked.look_seconds:.0f} s.")
        await _restart(bed, f"--tenant-look-interval={asked.look_seconds:g}")
        result = replace(result, polled=await _edit_all(accesses, asked, _edit_polled))
        yield result
    if "dropped" in asked.parts:
        await _restart(bed)  # whose sessions know nothing of the edits before
        result = replace(result, dropped=await _faults(bed, accesses, asked, dropped))
        yield result
    if "silent" in asked.parts:
        result = replace(result, silent=await _faults(bed, accesses, asked, silent))
        yield result


async def _edit_all(
    accesses: Sequence[Access],
    asked: Edits,
    edit: Callable[[Editor, Sequence[Wanted], Edits, random.Random], Awaitable[list[Healing]]],
) -> tuple[Healing, ...]:
    """Edit all tenants' objects at the same time."""

    async def one(access: Access) -> list[Healing]:
        rng = random.Random(f"{asked.seed} {access.name}")  # noqa: S311 - repeatable, protects nothing
        async with access.client() as client:
            editor = Editor(tenant=access.name, client=client, kinds=Kinds(client))
            return await edit(editor, access.plan.objects, asked, rng)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(access)) for access in accesses]
    return tuple(healing for task in tasks for healing in task.result())


async def _edit_watched(editor: Editor, wanted: Sequence[Wanted], asked: Edits, rng: random.Random) -> list[Healing]:
    """Edit the objects of each watched kind in turn, all kinds at the same time."""
    async with asyncio.TaskGroup() as group:
        tasks = []
        for kind in sorted(watched_kinds(wanted)):
            some = [one for one in wanted if (one.key.api_version, one.key.kind) == kind]
            tasks.append(group.create_task(_edit_in_turn(editor, some, asked.edits, random.Random(rng.random()))))  # noqa: S311
    return [healing for task in tasks for healing in task.result()]


async def _edit_in_turn(editor: Editor, wanted: Sequence[Wanted], edits: int, rng: random.Random) -> list[Healing]:
    loop = asyncio.get_running_loop()
    not_before = [loop.time()] * len(wanted)
    healings = []
    for number in range(edits):
        which, times = number % len(wanted), number // len(wanted) + 1
        await asyncio.sleep(max(not_before[which] - loop.time(), 0.0) + rng.uniform(0.2, 1.0))
        one = wanted[which]
        healings.append(await editor.edit(one, rng.choice(choices(one)), _WATCHED_LIMIT))
        not_before[which] = loop.time() + pause_after(times)
    return healings


async def _edit_polled(editor: Editor, wanted: Sequence[Wanted], asked: Edits, rng: random.Random) -> list[Healing]:
    """Edit objects of kinds that are not watched, each at another moment between two looks."""
    watched = watched_kinds(wanted)
    others = [one for one in wanted if (one.key.api_version, one.key.kind) not in watched]
    healings = []
    for one in rng.sample(others, min(asked.polled_edits, len(others))):
        await asyncio.sleep(rng.uniform(0.0, asked.look_seconds))
        healings.append(await editor.edit(one, rng.choice(choices(one)), asked.look_seconds + _LOOK_TAKES))
    return healings


async def _faults(
    bed: Testbed,
    accesses: Sequence[Access],
    asked: Edits,
    fault: Callable[[Testbed, Access, int], Awaitable[Fault]],
) -> tuple[Fault, ...]:
    """Make faults one by one, at one tenant after the other, each with all sessions standing."""
    found = []
    for number in range(asked.faults):
        await _until_all_stand(bed)
        found.append(await fault(bed, accesses[number % len(accesses)], number))
        said = "never" if found[-1].seconds is None else f"after {found[-1].seconds:.1f} s"
        bed.say(f"Fault {number + 1} of {asked.faults}: acted on {said} ({found[-1].connections} connections).")
    return tuple(found)


async def _restart(bed: Testbed, *arguments: str) -> None:
    await bed.operator.stop()
    await bed.operator_with(*arguments).start()
    await _until_all_stand(bed)


async def _until_all_stand(bed: Testbed) -> None:
    if not await until_standing(bed.options.fleet.size, bed.options.limit):
        raise BenchError("not all tenants' sessions come to stand: see `kubectl describe tenantcontrolplanes -n bench`")
