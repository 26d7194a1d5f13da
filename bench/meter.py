"""What a stretch of time cost: the operator's CPU, memory and requests, the servers' CPU, the machine's business.

A meter samples once a second; a window is what lies between a mark and a later look. The operator may be stopped and
started in between: its CPU time is added up over its processes.
"""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from bench.consumption import Consumption, MachineLoad, consumption, cpu_seconds, machine_load
from bench.requests import AskedRequest, AuditTail, RequestCounts, counts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

INTERVAL_SECONDS = 1.0
QUIET_SECONDS = 10.0
"""An operator is quiet when it asked for nothing but Leases and watches for so long."""
QUIET_SHARE = 0.05
"""And took no more than this share of a core meanwhile."""
REST_SECONDS = 4.0
REST_SHARE = 0.2
"""A machine rests when no more than this share of its cores was busy for so long."""
REST_LIMIT_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One look.

    Args:
        at: when, on the monotonic clock.
        operator: its processes; None while it does not run.
        operator_cpu_seconds: of all its processes so far.
        servers: CPU seconds of the sandbox's servers so far, by name.
        machine: all cores.
        own_cpu_seconds: of the measuring process.
    """

    at: float
    operator: Consumption | None
    operator_cpu_seconds: float
    servers: Mapping[str, float]
    machine: MachineLoad
    own_cpu_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What a stretch of time cost.

    Args:
        seconds: its length.
        operator_cpu_seconds: spent by the operator.
        operator_resident_bytes: at its end; 0 when the operator does not run.
        operator_resident_peak_bytes: the most that a sample saw.
        operator_threads: the most that a sample saw.
        operator_connections: established at its end.
        operator_connections_peak: the most that a sample saw.
        asked: the operator's requests.
        server_cpu_seconds: spent by the sandbox's servers, by name.
        machine_busy: share of all cores, 0 to 1.
        machine_available_bytes: the least available memory that a sample saw.
        own_cpu_seconds: spent by the measuring itself.
    """

    seconds: float
    operator_cpu_seconds: float
    operator_resident_bytes: int
    operator_resident_peak_bytes: int
    operator_threads: int
    operator_connections: int
    operator_connections_peak: int
    asked: RequestCounts
    server_cpu_seconds: dict[str, float]
    machine_busy: float
    machine_available_bytes: int
    own_cpu_seconds: float


class Meter:
    """Samples while its context is entered.

    Args:
        operator: gives the process id of the operator, None while it does not run.
        servers: process ids of the sandbox's servers by name.
        tail: the operator's requests; entered by the caller.
    """

    def __init__(self, operator: Callable[[], int | None], servers: Mapping[str, int], tail: AuditTail) -> None:
        self.samples: list[Sample] = []
        self._operator = operator
        self._servers = servers
        self._tail = tail
        self._epoch = time.time() - time.monotonic()
        self._sampling: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self.mark()
        self._sampling = asyncio.create_task(self._sample_for_ever(), name="sampling")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._sampling:
            self._sampling.cancel()
            await asyncio.gather(self._sampling, return_exceptions=True)

    def mark(self) -> Sample:
        """Take a sample now; a window may begin with it."""
        pid = self._operator()
        operator = None if pid is None else consumption(pid)
        before = self.samples[-1] if self.samples else None
        sample = Sample(
            at=time.monotonic(),
            operator=operator,
            operator_cpu_seconds=(before.operator_cpu_seconds if before else 0.0) + spent(self._last_seen(), operator),
            servers={name: cpu_seconds(server) for name, server in self._servers.items()},
            machine=machine_load(),
            own_cpu_seconds=sum(os.times()[:2]),
        )
        self.samples.append(sample)
        return sample

    def window(self, mark: Sample) -> Window:
        """Tell what the time since a mark cost."""
        end = self.mark()
        return window([sample for sample in self.samples if sample.at >= mark.at], self.asked(mark.at, end.at))

    def asked(self, since: float, until: float) -> list[AskedRequest]:
        """The operator's requests between two moments of the monotonic clock."""
        begin, end = since + self._epoch, until + self._epoch
        return [request for request in self._tail.read() if begin <= request.at <= end]

    def seconds_after(self, request: AskedRequest, moment: float) -> float:
        """When a request was asked, seconds after a moment of the monotonic clock."""
        return request.at - self._epoch - moment

    async def until_quiet(self, since: float, limit: float) -> float | None:
        """Wait until the operator is quiet and tell when that began, on the monotonic clock.

        Args:
            since: the earliest moment at which it may have become quiet.
            limit: seconds to wait.

        Returns:
            None when it does not become quiet in time.
        """
        deadline = time.monotonic() + limit
        while True:
            began = self._quiet_since(since)
            if began is not None or time.monotonic() > deadline:
                return began
            await asyncio.sleep(INTERVAL_SECONDS)

    async def until_machine_rests(self, limit: float = REST_LIMIT_SECONDS) -> bool:
        """Wait until the machine has done little for some seconds, so that nothing is still starting or ending.

        Args:
            limit: seconds to wait.

        Returns:
            False when it does not rest in time.
        """
        begin, deadline = self.mark(), time.monotonic() + limit
        while True:
            await asyncio.sleep(INTERVAL_SECONDS)
            if rests([sample for sample in self.samples if sample.at >= begin.at]):
                return True
            if time.monotonic() > deadline:
                return False

    def _quiet_since(self, since: float) -> float | None:
        requests = [request for request in self.asked(since, time.monotonic()) if request.verb != "watch"]
        last = max((request.at - self._epoch for request in requests), default=since)
        return quiet_since([sample for sample in self.samples if sample.at >= last], last)

    def _last_seen(self) -> Consumption | None:
        """The operator as it was when it was last seen to run."""
        return next((sample.operator for sample in reversed(self.samples) if sample.operator), None)

    async def _sample_for_ever(self) -> None:
        while True:
            await asyncio.sleep(INTERVAL_SECONDS)
            self.mark()


def spent(before: Consumption | None, after: Consumption | None) -> float:
    """CPU seconds between two looks at the operator; another process began at 0."""
    if after is None:
        return 0.0
    if before is None or before.pid != after.pid:
        return after.cpu_seconds
    return max(after.cpu_seconds - before.cpu_seconds, 0.0)


def quiet_since(samples: Sequence[Sample], last_request: float) -> float | None:
    """The first moment after which the operator was quiet for long enough; None when there is none yet.

    Args:
        samples: those after the last request, in their order.
        last_request: when that was.
    """
    for index, begin in enumerate(samples):
        for end in samples[index:]:
            if end.at - begin.at >= QUIET_SECONDS:
                spent_seconds = end.operator_cpu_seconds - begin.operator_cpu_seconds
                if spent_seconds <= QUIET_SHARE * (end.at - begin.at):
                    # The sample comes up to a second after the moment that it speaks for.
                    return max(last_request, begin.at - INTERVAL_SECONDS)
                break
    return None


def rests(samples: Sequence[Sample]) -> bool:
    """Whether the machine has rested for long enough up to the last of some samples."""
    end = samples[-1]
    begin = next((sample for sample in reversed(samples) if end.at - sample.at >= REST_SECONDS), None)
    if begin is None:
        return False
    total = end.machine.total_seconds - begin.machine.total_seconds
    return end.machine.busy_seconds - begin.machine.busy_seconds <= REST_SHARE * total


def window(samples: Sequence[Sample], requests: Sequence[AskedRequest]) -> Window:
    """What lies between the first and the last of some samples.

    Args:
        samples: at least two, in their order.
        requests: the operator's meanwhile.
    """
    begin, end = samples[0], samples[-1]
    seen = [sample.operator for sample in samples if sample.operator]
    total = end.machine.total_seconds - begin.machine.total_seconds
    return Window(
        seconds=end.at - begin.at,
        operator_cpu_seconds=end.operator_cpu_seconds - begin.operator_cpu_seconds,
        operator_resident_bytes=end.operator.resident_bytes if end.operator else 0,
        operator_resident_peak_bytes=max((one.resident_bytes for one in seen), default=0),
        operator_threads=max((one.threads for one in seen), default=0),
        operator_connections=end.operator.connections if end.operator else 0,
        operator_connections_peak=max((one.connections for one in seen), default=0),
        asked=counts(requests),
        server_cpu_seconds={name: end.servers[name] - begin.servers[name] for name in begin.servers},
        machine_busy=(end.machine.busy_seconds - begin.machine.busy_seconds) / total if total else 0.0,
        machine_available_bytes=min(sample.machine.available_bytes for sample in samples),
        own_cpu_seconds=end.own_cpu_seconds - begin.own_cpu_seconds,
    )
