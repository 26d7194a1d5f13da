"""Telling users what happens to their objects, without ever costing the work that it tells of.

Recording is a dictionary look-up and never waits, writing happens beside it, and what cannot be written is dropped. The
same sentence again is a number in the Event that is there, written at most once a minute.

The Events are of core/v1, not of events.k8s.io/v1: a repetition is a `count` there and no second object, `action` need
not be invented, every kubectl shows both alike, and it is the kind that Kamaji writes, so its RBAC rules hold.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, Never

import structlog

from kamaji_core.kube.errors import AlreadyExistsError, ApiError, ConfigError, ForbiddenError, NotFoundError
from kamaji_core.kube.event_series import Occurrence, Series, SeriesBook
from kamaji_core.kube.queue import WorkQueue
from kamaji_core.kube.resources import EVENTS

if TYPE_CHECKING:
    from kamaji_core.kube.client import KubeClient

log = structlog.get_logger()

EventType = Literal["Normal", "Warning"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectReference:
    """The object that an Event is about.

    Args:
        api_version: such as `apps/v1`.
        kind: such as `Deployment`.
        name: of the object.
        namespace: of the object; empty for cluster scope, whose Events lie in `default`.
        uid: of the object, without which `kubectl describe` does not find the Event.
    """

    api_version: str
    kind: str
    name: str
    namespace: str = ""
    uid: str = ""


class EventRecorder:
    """Records Events in a bounded memory and writes them as long as `run` runs.

    Args:
        client: of the cluster.
        component: who reports, such as `kamaji`.
        instance: which process reports.
        kept: sentences that are remembered at most; the ones that were silent for the longest are forgotten first.
        waiting: new Events that wait to be written at most; beyond it they are dropped.
        burst: new Events of one object that are written in quick succession.
        refill: seconds after which one more is allowed.
        patch_seconds: seconds between writes of one Event's count.
        window: seconds of silence after which the same sentence is a new Event.
    """

    def __init__(
        self,
        client: KubeClient,
        *,
        component: str = "kamaji",
        instance: str = "",
        kept: int = 4096,
        waiting: int = 1000,
        burst: int = 25,
        refill: float = 300.0,
        patch_seconds: float = 60.0,
        window: float = 600.0,
    ) -> None:
        self._client = client
        self._source = {"component": component, "host": instance} if instance else {"component": component}
        self._reporter = {"reportingComponent": component, "reportingInstance": instance}
        self._book = SeriesBook[ObjectReference](kept=kept, burst=burst, refill=refill, window=window)
        self._waiting = waiting
        self._patch_seconds = patch_seconds
        self._queue: WorkQueue[Occurrence[ObjectReference]] = WorkQueue(first_retry=1.0, longest_retry=30.0)
        self._writing = asyncio.Lock()
        self._dropped = 0

    @property
    def dropped(self) -> int:
        """Events that were recorded and will not be written: too many of one object, or nobody took them."""
        return self._dropped

    def event(self, involved: ObjectReference, type: EventType, reason: str, message: str) -> None:  # noqa: A002 - the field's name
        """Record an Event; never waits and never raises.

        Args:
            involved: what it is about.
            type: `Normal` or `Warning`.
            reason: machine-readable, in CamelCase.
            message: a sentence for people, cut after 1024 characters.
        """
        occurrence = Occurrence(involved, type, reason, message[:_LONGEST_MESSAGE])
        now = asyncio.get_running_loop().time()
        if (series := self._book.find(occurrence, now)) is not None:
            series.repeat(datetime.now(UTC), now)
            if series.written:  # otherwise it waits already, or is tried again at its time
                self._queue.add_after(occurrence, series.written_at + self._patch_seconds - now)
        elif len(self._queue) >= self._waiting or not self._book.allows(involved, now):
            self._dropped += 1
        else:
            name = _event_name(involved.name)
            self._book.begin(occurrence, Series(name=name, moment=datetime.now(UTC), now=now))
            self._queue.add(occurrence)

    async def run(self) -> Never:
        """Write what is recorded until cancelled; what fails is tried again a few times, then dropped."""
        while True:
            occurrence = await self._queue.get()
            try:
                await self._write(occurrence)
            finally:
                self._queue.done(occurrence)

    async def drain(self, *, limit: float = 5.0) -> int:
        """Write at once all that is recorded, counts that wait for their minute too, whether or not `run` runs.

        Args:
            limit: seconds for all of it.

        Returns:
            How many are still not written.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit):
                for occurrence in self._book.unwritten():
                    await self._write(occurrence)
        return len(self._book.unwritten())

    async def _write(self, occurrence: Occurrence[ObjectReference]) -> None:
        async with self._writing:
            series = self._book.get(occurrence)
            if series is None or series.is_written:
                self._queue.forget(occurrence)
                return
            try:
                await self._write_series(occurrence, series)
            except (ApiError, ConfigError) as error:
                self._take_failure(occurrence, series, error)
            else:
                self._queue.forget(occurrence)
                if not series.is_written:  # it happened again meanwhile, and perhaps never will
                    self._queue.add_after(occurrence, self._patch_seconds)

    async def _write_series(self, occurrence: Occurrence[ObjectReference], series: Series) -> None:
        """Create the Event, or write its count where it is there already."""
        namespace = occurrence.involved.namespace or "default"
        count, last = series.count, series.last
        if series.written:
            series.written_at = asyncio.get_running_loop().time()  # what happens meanwhile waits from now on
            try:
                await self._write_count(series.name, namespace, count, last)
            except NotFoundError:  # Events live for an hour
                series.written = 0
                series.name = _event_name(occurrence.involved.name)
        if not series.written:
            try:
                await self._client.create(EVENTS, self._object(occurrence, series, namespace))
            except AlreadyExistsError:  # our own: its answer was lost, and it may tell of fewer
                await self._write_count(series.name, namespace, count, last)
        series.note_written(count, asyncio.get_running_loop().time())

    async def _write_count(self, name: str, namespace: str, count: int, last: datetime) -> None:
        await self._client.merge_patch(EVENTS, name, {"count": count, "lastTimestamp": _time(last)}, namespace)

    def _take_failure(self, occurrence: Occurrence[ObjectReference], series: Series, error: Exception) -> None:
        series.failures += 1
        refused = isinstance(error, ApiError) and error.status in _REFUSED
        if not refused and series.failures < _ATTEMPTS:
            self._queue.retry(occurrence)
            return
        if refused and is_namespace_going(error):
            log.debug("dropped an event of a namespace that is going", error=str(error))
        else:
            log.warning("dropped an event", error=str(error))
        self._dropped += 1
        self._book.end(occurrence)
        self._queue.forget(occurrence)

    def _object(self, occurrence: Occurrence[ObjectReference], series: Series, namespace: str) -> dict[str, Any]:
        involved = occurrence.involved
        reference = {"apiVersion": involved.api_version, "kind": involved.kind, "name": involved.name}
        reference |= {"namespace": involved.namespace} if involved.namespace else {}
        reference |= {"uid": involved.uid} if involved.uid else {}
        return {
            "metadata": {"name": series.name, "namespace": namespace},
            "involvedObject": reference,
            "type": occurrence.type,
            "reason": occurrence.reason,
            "message": occurrence.message,
            "count": series.count,
            "firstTimestamp": _time(series.first),
            "lastTimestamp": _time(series.last),
            "source": self._source,
            **self._reporter,
        }


def _event_name(involved: str) -> str:
    """Give a name that is unique and, like every name of an object, at most 253 characters of a DNS subdomain."""
    return f"{involved[:_LONGEST_STEM].rstrip('.-')}.{uuid.uuid4().hex[:16]}"


def is_namespace_going(error: Exception) -> bool:
    """Whether a write was refused because its namespace is gone or on its way out."""
    # Nobody can be told anything there any more, and nothing is wrong with that.
    if isinstance(error, NotFoundError):
        return True
    return isinstance(error, ForbiddenError) and (
        "being terminated" in error.message or any(cause.reason == "NamespaceTerminating" for cause in error.causes)
    )


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


_LONGEST_MESSAGE = 1024
"""What events.k8s.io/v1 allows of the same Event."""
_LONGEST_STEM = 236
_ATTEMPTS = 5
_REFUSED = frozenset({400, 403, 404, 405, 409, 413, 422})
"""No later attempt would be taken either."""
