"""A leader that gets no answers any more has ended its work before anybody else can lead.

What kubernetes-asyncio's elector does not do: its hung renewal passes the deadline, or its error ends the elector and
the work goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from kamaji_core.kube import LEASES, KubeClient, NotLeaderError
from kamaji_core.testing import Drop, LoseAnswer, Refuse, Stall

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from kamaji_core.kube import ClusterConfig
    from kamaji_core.testing import FaultProxy

pytestmark = pytest.mark.real

LEASE_CALLS = "*/leases*"
TOLERANCE = 0.7
"""Seconds that a busy machine may add."""


async def renewals(fault_proxy: FaultProxy, count: int) -> None:
    """Wait until so many more writes of the Lease came by."""
    before = fault_proxy.count(verbs={"patch"}, path=LEASE_CALLS)
    await fault_proxy.until(lambda: fault_proxy.count(verbs={"patch"}, path=LEASE_CALLS) >= before + count)


@pytest.mark.parametrize(
    ("fault", "verbs"),
    [
        (Drop(), None),
        (Stall(0), None),
        (Drop(), {"patch"}),
        (Stall(0), {"patch"}),  # each renewal reaches the server, and the leader does not hear of it
        (Refuse(500, "InternalError"), None),
    ],
    ids=["dropped", "stalled", "writes dropped", "writes stalled", "refused"],
)
async def test_a_leader_without_answers_has_ended_before_another_leads(
    proxied: KubeClient,
    fault_proxy: FaultProxy,
    terms: Any,
    told: Callable[..., None],
    fault: Any,
    verbs: set[str] | None,
) -> None:
    """Its work is cancelled `give_up` after the last renewal and awaited; who goes straight leads only after that."""
    terms.candidate("stalled", through=proxied, ending=0.5)
    stalled = await terms.begun(1)
    terms.candidate("straight")
    await renewals(fault_proxy, 2)
    fault_proxy.add(fault, verbs=verbs, path=LEASE_CALLS)
    faulty = time.monotonic()
    await terms.until(lambda: stalled.cancelled < float("inf"))
    # What the leadership says is ours until the Lease's end: the last renewal that was answered, and `duration`.
    spare = terms.settings.duration - terms.settings.give_up
    assert stalled.leadership.remaining() == pytest.approx(spare, abs=TOLERANCE)
    other = await terms.begun(2)
    told(
        work_stopped_seconds=stalled.cancelled - faulty,
        other_leads_seconds=other.began - faulty,
        gap_seconds=other.began - stalled.ended,
    )
    assert other.identity == "straight"
    assert stalled.cancelled - faulty <= terms.settings.give_up + TOLERANCE
    assert stalled.ended <= other.began
    assert other.began - faulty <= 2 * terms.settings.duration + terms.settings.retry + TOLERANCE
    assert not stalled.leadership.is_leader()
    # The other one is let be: the stalled elector neither takes nor releases what is not its own.
    fault_proxy.clear()
    renewed = (await terms.lease())["renewTime"]
    looks = fault_proxy.count(verbs={"get"}, path=LEASE_CALLS)
    await fault_proxy.until(lambda: fault_proxy.count(verbs={"get"}, path=LEASE_CALLS) >= looks + 5)
    spec = await terms.lease()
    assert spec["holderIdentity"] == "straight"
    assert spec["renewTime"] > renewed
    assert len(terms.all) == 2


async def test_the_lead_comes_back_when_the_server_does(
    proxied: KubeClient, fault_proxy: FaultProxy, terms: Any, told: Callable[..., None]
) -> None:
    """A leader that nobody replaced leads again once it is answered: a new term, and the old one's work had ended."""
    terms.candidate("only", through=proxied, ending=0.2)
    stalled = await terms.begun(1)
    fault_proxy.add(Drop(), path=LEASE_CALLS)
    await terms.until(lambda: stalled.ended < float("inf"))
    fault_proxy.clear()
    well = time.monotonic()
    again = await terms.begun(2)
    told(leads_again_seconds=again.began - well)
    assert again.leadership is not stalled.leadership
    assert again.began - well < 5


async def test_terms_alternate_and_never_overlap(proxied: KubeClient, fault_proxy: FaultProxy, terms: Any) -> None:
    """Through three faults in a row, each befalling whoever leads, there is never more than one."""
    terms.candidate("left", through=proxied, ending=0.3)
    await terms.begun(1)
    terms.candidate("right", ending=0.3)
    fault_proxy.add(Drop(), path=LEASE_CALLS)
    await terms.begun(2)
    fault_proxy.clear()
    # The other's fault: its Lease is taken away by hand, and nobody holds it.
    await terms.write(holderIdentity="nobody", leaseDurationSeconds=1)
    third = await terms.begun(3)
    if third.identity == "left":
        fault_proxy.add(Stall(0), path=LEASE_CALLS)
    else:
        await terms.write(holderIdentity="nobody")
    await terms.begun(4)


async def test_work_that_does_not_end_may_not_write(proxied: KubeClient, fault_proxy: FaultProxy, terms: Any) -> None:
    """Work that lingers past the Lease's end is refused every write from before the moment when another one leads."""
    terms.may_overlap = True  # that is why it may not write
    terms.candidate("lingering", through=proxied, ending=6.0)
    lingering = await terms.begun(1)
    terms.candidate("straight")
    await renewals(fault_proxy, 1)
    fault_proxy.add(Drop(), path=LEASE_CALLS)
    await terms.until(lambda: lingering.cancelled < float("inf"))
    with pytest.raises(NotLeaderError, match="too short for a write of 2 s"):
        lingering.leadership.check()
    await terms.begun(2)
    assert lingering.ended == float("inf")
    with pytest.raises(NotLeaderError, match="not ours any more"):
        lingering.leadership.check(at_least=0.0)


@pytest.mark.parametrize(
    "fault",
    [
        Refuse(500, "InternalError"),
        Refuse(503, "ServiceUnavailable"),
        Refuse(429, "TooManyRequests"),
        Refuse(429, "TooManyRequests", retry_after=1),
        Refuse(401, "Unauthorized"),
        Refuse(403, "Forbidden"),
        LoseAnswer(),
    ],
    ids=str,
)
async def test_a_short_trouble_costs_nothing(
    proxied: KubeClient, fault_proxy: FaultProxy, patient: Any, fault: Any
) -> None:
    """Whatever the server answers to three calls, the elector goes on: the term is the same, and the Lease renewed."""
    patient.candidate("leader", through=proxied)
    term = await patient.begun(1)
    patient.candidate("straight")
    rule = fault_proxy.add(fault, path=LEASE_CALLS, times=3)
    await fault_proxy.until(lambda: rule.hits == 3)
    until = term.leadership.remaining() + time.monotonic()
    await renewals(fault_proxy, 2)
    await renewals(fault_proxy, 1)  # so the one before was answered
    assert term.leadership.remaining() + time.monotonic() > until
    spec = await patient.lease()
    assert (spec["holderIdentity"], spec["leaseTransitions"]) == ("leader", 0)
    assert patient.all == [term]
    assert term.cancelled == float("inf")


async def test_a_renewal_whose_answer_was_lost(
    proxied: KubeClient, fault_proxy: FaultProxy, patient: Any, told: Callable[..., None]
) -> None:
    """The conflict with one's own write is no other leader: a look tells, and the next renewal holds."""
    patient.candidate("leader", through=proxied)
    term = await patient.begun(1)
    rule = fault_proxy.add(LoseAnswer(), verbs={"patch"}, path=LEASE_CALLS, times=1)
    await fault_proxy.until(lambda: rule.hits == 1)
    lost = time.monotonic()
    patches = fault_proxy.count(verbs={"patch"}, path=LEASE_CALLS)
    await fault_proxy.until(lambda: fault_proxy.count(verbs={"patch"}, path=LEASE_CALLS) == patches + 1)
    told(healing_seconds=time.monotonic() - lost)
    assert time.monotonic() - lost < 2
    await renewals(fault_proxy, 1)
    assert term.leadership.remaining() > patient.settings.duration - 1.5
    assert (await patient.lease())["leaseTransitions"] == 0
    assert patient.all == [term]


async def test_a_lease_whose_creation_was_not_answered(
    proxied: KubeClient, fault_proxy: FaultProxy, patient: Any
) -> None:
    """A Lease that turns out to be one's own is taken at the next look, not waited for, and is no change of hands."""
    fault_proxy.add(LoseAnswer(), verbs={"create"}, path=LEASE_CALLS, times=1)
    began = time.monotonic()
    patient.candidate("leader", through=proxied)
    term = await patient.begun(1)
    assert term.began - began < 3
    assert (await patient.lease())["leaseTransitions"] == 0


async def test_a_release_whose_answer_was_lost(proxied: KubeClient, fault_proxy: FaultProxy, patient: Any) -> None:
    """It was done all the same: the next one leads at once, and the leader's going is not held up."""
    leading = patient.candidate("first", through=proxied)
    first = await patient.begun(1)
    patient.candidate("second")
    leading.cancel()
    await patient.until(lambda: first.cancelled < float("inf"))
    fault_proxy.add(LoseAnswer(), verbs={"patch"}, path=LEASE_CALLS)
    second = await patient.begun(2)
    assert second.began - first.ended < 3


async def test_a_release_that_is_not_answered_ends(
    proxied: KubeClient, fault_proxy: FaultProxy, patient: Any, told: Callable[..., None]
) -> None:
    """A leader that is told to go while the server hangs goes within seconds."""
    leading = patient.candidate("only", through=proxied)
    term = await patient.begun(1)
    fault_proxy.add(Drop(), path=LEASE_CALLS)
    leading.cancel()
    async with asyncio.timeout(6):
        with pytest.raises(asyncio.CancelledError):
            await leading
    told(going_seconds=time.monotonic() - term.cancelled)
    assert not term.leadership.is_leader()


class Line:
    """A TCP line to the API server that can be down: connections are reset, and new ones refused.

    Args:
        config: of the server.
    """

    def __init__(self, config: ClusterConfig) -> None:
        self._direct = config
        self._port = 0  # any at first, then always the same
        self._listening: asyncio.Server | None = None
        self._carried: set[asyncio.Task[None]] = set()

    @property
    def config(self) -> ClusterConfig:
        """How to reach the server through the line."""
        return dataclasses.replace(self._direct, server=f"https://127.0.0.1:{self._port}")

    async def up(self) -> None:
        """Carry connections."""
        self._listening = await asyncio.start_server(self._carry, "127.0.0.1", self._port)
        self._port = self._listening.sockets[0].getsockname()[1]

    async def down(self) -> None:
        """Carry none."""
        if self._listening is not None:
            self._listening.close()
        for task in self._carried:
            task.cancel()
        await asyncio.gather(*self._carried, return_exceptions=True)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._pass(reader, writer))
        self._carried.add(task)
        task.add_done_callback(self._carried.discard)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        address = urlsplit(self._direct.server)
        from_server, to_server = await asyncio.open_connection(address.hostname, address.port)
        pumps = [asyncio.ensure_future(_pump(reader, to_server)), asyncio.ensure_future(_pump(from_server, writer))]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            writer.transport.abort()
            to_server.transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()


@pytest.fixture
async def line(config: ClusterConfig) -> AsyncIterator[Line]:
    """A line to the server that is up."""
    line = Line(config)
    await line.up()
    yield line
    await line.down()


@pytest.fixture
async def lined(line: Line) -> AsyncIterator[KubeClient]:
    """A client at the line's end."""
    async with KubeClient(line.config) as client:
        yield client


async def test_a_server_that_is_dead_for_a_while(
    client: KubeClient, lined: KubeClient, line: Line, patient: Any
) -> None:
    """Connections that are cut and refused for less than `give_up` cost nothing, whoever else waits."""
    patient.candidate("leader", through=lined)
    term = await patient.begun(1)
    patient.candidate("straight")
    await line.down()
    await asyncio.sleep(patient.settings.give_up / 2)  # the fault's length, not a wait for anything
    assert term.leadership.is_leader()
    await line.up()
    until = term.leadership.remaining() + time.monotonic()
    async with asyncio.timeout(patient.settings.give_up):
        while term.leadership.remaining() + time.monotonic() < until + 1:
            await client.get(LEASES, patient.settings.name, patient.settings.namespace)
    spec = await patient.lease()
    assert (spec["holderIdentity"], spec["leaseTransitions"]) == ("leader", 0)
    assert patient.all == [term]
    assert term.cancelled == float("inf")


async def test_a_server_that_is_dead_for_too_long(
    lined: KubeClient, line: Line, terms: Any, told: Callable[..., None]
) -> None:
    """A leader whose connections are refused ends its work in time; the elector lives, and leads again later."""
    terms.candidate("cut off", through=lined, ending=0.5)
    term = await terms.begun(1)
    other = terms.candidate("straight")
    await line.down()
    dead = time.monotonic()
    second = await terms.begun(2)
    told(work_stopped_seconds=term.cancelled - dead, other_leads_seconds=second.began - dead)
    assert term.cancelled - dead <= terms.settings.give_up + TOLERANCE
    assert second.identity == "straight"
    await line.up()
    other.cancel()
    third = await terms.begun(3)
    assert third.identity == "cut off"
