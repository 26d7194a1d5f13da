"""The load: writers for some seconds under a watch, many objects listed, changed and deleted, and compaction.

Everything goes through kube-apiserver, as it does for a tenant's users. What a write's answer promised - a name, a
resourceVersion - is what the watch must have told; a write without an answer promises nothing and counts as an error.
"""

from __future__ import annotations

import asyncio
import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kamaji_core.check.watching import Watching
from kamaji_core.kube import CONFIG_MAPS, NAMESPACES, ApiError, GoneError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from kamaji_core.kube import KubeClient

NAMESPACE = "kamaji-datastore-check"
VALUE = "x" * 1024
"""What an object holds: about the size of the usual small one."""

PAGE = 500
MOST_CHANGED = 1000
"""Objects that are changed and deleted after the lists."""

EVENTS_SECONDS = 30.0
"""How long the last events of the watch are waited for."""

COMPACTION_SECONDS = 720.0
"""How long compaction is waited for: whoever does it, the store or kube-apiserver, usually keeps five minutes."""

COMPACTION_LOOK_SECONDS = 5.0
MOST_ERRORS_KEPT = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadSettings:
    """How much is asked for.

    Args:
        seconds: for which writers write.
        writers: at a time.
        objects: that there are when they are listed.
        compaction: whether it is waited for.
    """

    seconds: float = 10.0
    writers: int = 16
    objects: int = 10_000
    compaction: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What came of it; seconds are of single requests unless said otherwise.

    Args:
        writes_per_second: while writers wrote.
        write_p50: median.
        write_p99: that 99 % do not exceed.
        objects: that were listed.
        paged_list: all of them in pages of 500.
        whole_list: all of them in one answer.
        change_p99: of changes and deletions.
        events_expected: promised by answers to writes.
        events_delivered: of these, what the watch told.
        errors: requests that failed.
        first_errors: in words, a few.
        compacted_after: seconds until a resourceVersion from the beginning was gone; None when it was not.
        compaction_waited: whether that was waited for.
    """

    writes_per_second: float
    write_p50: float
    write_p99: float
    objects: int
    paged_list: float
    whole_list: float
    change_p99: float
    events_expected: int
    events_delivered: int
    errors: int = 0
    first_errors: tuple[str, ...] = ()
    compacted_after: float | None = None
    compaction_waited: bool = False


@dataclass(slots=True)
class _Course:
    """What happens meanwhile: latencies of the present phase and errors of all."""

    latencies: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    async def timed(self, call: Awaitable[Any]) -> Any:
        """Await a request; None when it failed."""
        began = time.monotonic()
        try:
            answer = await call
        except ApiError as error:
            self.errors.append(str(error))
            return None
        self.latencies.append(time.monotonic() - began)
        return answer or {}

    def taken(self) -> list[float]:
        """The latencies so far, which are forgotten."""
        taken, self.latencies = sorted(self.latencies), []
        return taken


async def run_load(
    clients: Sequence[KubeClient], settings: LoadSettings, *, progress: Callable[[str], None]
) -> Figures:
    """Load one tenant's API server.

    Args:
        clients: of the tenant, as its administrator; writers are spread over them.
        settings: how much.
        progress: told what is going on.

    Raises:
        ApiError: when not even the beginning can be made, or a list fails.
    """
    client, course = clients[0], _Course()
    await client.create(NAMESPACES, {"metadata": {"name": NAMESPACE}})
    start = (await client.list(CONFIG_MAPS, NAMESPACE, page=1)).resource_version
    began = time.monotonic()
    async with Watching(client, NAMESPACE, start) as watching:
        progress(f"{settings.writers} writers for {settings.seconds:.0f} s.")
        names = await _write(clients, settings, course, watching)
        took, writes = time.monotonic() - began, course.taken()
        missing = max(settings.objects - len(names), 0)
        progress(f"{len(writes)} writes; making {missing} objects more.")
        names += await _fill(clients, missing, course, watching, workers=settings.writers)
        course.taken()
        progress(f"listing {len(names)} objects.")
        paged, whole = await _lists(client)
        progress("changing and deleting some.")
        await _change(clients, names, course, watching, workers=settings.writers)
        changes = course.taken()
        await watching.until_all(EVENTS_SECONDS)
    compacted_after = await _compacted(client, start, began, progress) if settings.compaction else None
    return Figures(
        writes_per_second=len(writes) / took,
        write_p50=percentile(writes, 50),
        write_p99=percentile(writes, 99),
        objects=len(names),
        paged_list=paged,
        whole_list=whole,
        change_p99=percentile(changes, 99),
        events_expected=watching.expected,
        events_delivered=watching.delivered,
        errors=len(course.errors) + len(watching.errors),
        first_errors=(*course.errors, *watching.errors)[:MOST_ERRORS_KEPT],
        compacted_after=compacted_after,
        compaction_waited=settings.compaction,
    )


def percentile(ordered: Sequence[float], percent: float) -> float:
    """The smallest value that so many percent do not exceed; infinite where there are no values.

    Args:
        ordered: ascending.
        percent: above 0, at most 100.
    """
    if not ordered:
        return float("inf")
    return ordered[max(math.ceil(len(ordered) * percent / 100), 1) - 1]


async def _write(
    clients: Sequence[KubeClient], settings: LoadSettings, course: _Course, watching: Watching
) -> list[str]:
    """Create objects for some time; gives the names of those that were."""
    names: list[str] = []
    ends = time.monotonic() + settings.seconds

    async def writer(number: int) -> None:
        made = 0
        while time.monotonic() < ends:
            made += 1
            if name := await _create(clients[number % len(clients)], f"written-{number}-{made}", course, watching):
                names.append(name)

    async with asyncio.TaskGroup() as group:
        for number in range(settings.writers):
            group.create_task(writer(number))
    return names


async def _fill(
    clients: Sequence[KubeClient], count: int, course: _Course, watching: Watching, *, workers: int
) -> list[str]:
    async def make(client: KubeClient, name: str) -> str:
        return await _create(client, name, course, watching)

    made = await _spread(clients, (f"filled-{number}" for number in range(count)), make, workers=workers)
    return [name for name in made if name]


async def _create(client: KubeClient, name: str, course: _Course, watching: Watching) -> str:
    manifest = {"metadata": {"name": name, "namespace": NAMESPACE}, "data": {"value": VALUE}}
    answer = await course.timed(client.create(CONFIG_MAPS, manifest))
    if answer is None:
        return ""
    watching.expect(name, answer["metadata"]["resourceVersion"])
    return name


async def _lists(client: KubeClient) -> tuple[float, float]:
    """Seconds of a list of all objects in pages, and in one answer."""
    took = []
    for page in (PAGE, 0):
        began = time.monotonic()
        async for _ in client.pages(CONFIG_MAPS, NAMESPACE, page=page):
            pass
        took.append(time.monotonic() - began)
    return took[0], took[1]


async def _change(
    clients: Sequence[KubeClient], names: Sequence[str], course: _Course, watching: Watching, *, workers: int
) -> None:
    """Change some objects and then delete them."""

    async def change(client: KubeClient, name: str) -> str:
        patch = {"data": {"changed": "yes"}}
        answer = await course.timed(client.merge_patch(CONFIG_MAPS, name, patch, NAMESPACE))
        if answer is not None:
            watching.expect(name, answer["metadata"]["resourceVersion"])
            if await course.timed(client.delete(CONFIG_MAPS, name, NAMESPACE)) is not None:
                watching.expect_deletion(name)
        return name

    await _spread(clients, names[:MOST_CHANGED], change, workers=workers)


async def _spread(
    clients: Sequence[KubeClient],
    names: Iterable[str],
    work: Callable[[KubeClient, str], Awaitable[str]],
    *,
    workers: int,
) -> list[str]:
    """Have workers take names in turn, so many at a time."""
    remaining, results = iter(names), []

    async def worker(client: KubeClient) -> None:
        for name in remaining:
            results.append(await work(client, name))  # noqa: PERF401 - several fill one list

    async with asyncio.TaskGroup() as group:
        for number in range(workers):
            group.create_task(worker(clients[number % len(clients)]))
    return results


async def _compacted(
    client: KubeClient, resource_version: str, began: float, progress: Callable[[str], None]
) -> float | None:
    """Wait until a moment of the beginning is gone: the store itself has dropped it then."""
    progress(f"waiting for compaction, at most {COMPACTION_SECONDS / 60:.0f} minutes.")
    path = CONFIG_MAPS.path(NAMESPACE)
    query = f"limit=1&resourceVersion={resource_version}&resourceVersionMatch=Exact"
    deadline = time.monotonic() + COMPACTION_SECONDS
    while time.monotonic() < deadline:
        try:
            await client.raw(f"{path}?{query}")
        except GoneError:
            return time.monotonic() - began
        await asyncio.sleep(COMPACTION_LOOK_SECONDS)
    return None
