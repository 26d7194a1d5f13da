"""One leader at a time: whoever comes, goes, is robbed of the Lease or wakes from a long sleep."""

from __future__ import annotations

import asyncio
import time
import uuid
from typing import TYPE_CHECKING, Any

import pytest
import structlog
import structlog.testing

from kamaji_core.kube import LEASES, NAMESPACES, KubeClient, Leadership, NotLeaderError, lead
from kamaji_core.kube.leadership import boottime

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.real


async def end(*candidates: asyncio.Task[None]) -> None:
    """Cancel candidates and await them."""
    for candidate in candidates:
        candidate.cancel()
    await asyncio.gather(*candidates, return_exceptions=True)


async def test_one_of_two_leads(terms: Any) -> None:
    """The first leads and renews, the Lease says so to everybody, and the second waits for as long as that lasts."""
    terms.candidate("first")
    term = await terms.begun(1)
    terms.candidate("second")
    spec = await terms.lease()
    assert spec.keys() == {
        "holderIdentity",
        "leaseDurationSeconds",
        "acquireTime",
        "renewTime",
        "leaseTransitions",
    }
    assert (spec["holderIdentity"], spec["leaseDurationSeconds"], spec["leaseTransitions"]) == ("first", 3, 0)
    renewals = 0
    while time.monotonic() < term.began + 1.5 * terms.settings.duration:
        renewed = spec["renewTime"]
        spec = await terms.lease(lambda spec, last=renewed: spec["renewTime"] > last)  # type: ignore[misc]
        renewals += 1
        assert term.leadership.check(at_least=0.1) <= 3
    assert renewals > 4
    assert spec["acquireTime"] < spec["renewTime"]
    assert len(terms.all) == 1


async def test_going_hands_over_at_once(terms_of: Any, told: Callable[..., None]) -> None:
    """A leader that is told to go ends its work and releases the Lease: the next one does not wait for its end."""
    async with terms_of(duration=60, give_up=40) as terms:
        first = terms.candidate("first", ending=0.2)
        await terms.begun(1)
        terms.candidate("second")
        went = time.monotonic()
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        term = await terms.begun(2)
        told(handover_seconds=term.began - went)
        assert term.began - went < 5
        spec = await terms.lease(lambda spec: spec["holderIdentity"] == "second")
        assert spec["leaseTransitions"] == 1


async def test_a_released_lease_has_no_holder(terms: Any) -> None:
    """Where nobody waits, the Lease stays as any elector understands it: free, and not for long."""
    only = terms.candidate("only")
    await terms.begun(1)
    await end(only)
    spec = await terms.lease()
    assert (spec.get("holderIdentity", ""), spec["leaseDurationSeconds"]) == ("", 1)
    assert not terms.all[0].leadership.is_leader()


async def test_a_waiting_candidate_goes_without_a_trace(terms: Any) -> None:
    """Cancelling somebody who does not lead ends it at once and takes nothing from the leader."""
    terms.candidate("first")
    await terms.begun(1)
    second = terms.candidate("second")
    renewed = (await terms.lease())["renewTime"]
    await terms.lease(lambda spec: spec["renewTime"] > renewed)
    async with asyncio.timeout(2):
        await end(second)
    spec = await terms.lease(lambda spec: spec["renewTime"] > renewed)
    assert spec["holderIdentity"] == "first"
    assert terms.all[0].leadership.is_leader()


async def test_each_of_many_leads_in_its_turn(terms: Any) -> None:
    """Five who come at the same moment, and go one by one when they lead, lead one after the other."""
    waiting = {f"candidate-{number}": terms.candidate(f"candidate-{number}") for number in range(5)}
    for count in range(1, 6):
        term = await terms.begun(count)
        await end(waiting.pop(term.identity))
    assert len({term.identity for term in terms.all}) == 5


async def test_a_leader_that_died_is_waited_for(client: KubeClient, terms: Any, told: Callable[..., None]) -> None:
    """A Lease that nobody renews is taken when it was seen unchanged for its own duration, whatever its times say."""
    lease = {
        "metadata": {"namespace": terms.settings.namespace, "name": terms.settings.name},
        "spec": {
            "holderIdentity": "dead",
            "leaseDurationSeconds": 2,
            "renewTime": "1999-01-01T00:00:00.000000Z",
            "leaseTransitions": 7,
        },
    }
    await client.create(LEASES, lease)
    began = time.monotonic()
    terms.candidate("next")
    term = await terms.begun(1)
    told(waited_seconds=term.began - began)
    assert 2 <= term.began - began < 5
    assert (await terms.lease())["leaseTransitions"] == 8


@pytest.mark.parametrize("spec", [{}, {"holderIdentity": "", "leaseDurationSeconds": 3600}], ids=["empty", "released"])
async def test_a_lease_without_a_holder_is_taken_at_once(client: KubeClient, terms: Any, spec: dict[str, Any]) -> None:
    """A Lease that somebody made by hand, or that its leader left, is nobody's."""
    metadata = {"namespace": terms.settings.namespace, "name": terms.settings.name}
    await client.create(LEASES, {"metadata": metadata, "spec": spec})
    began = time.monotonic()
    terms.candidate("next")
    assert (await terms.begun(1)).began - began < 2


async def test_a_deleted_lease_is_made_anew(client: KubeClient, terms: Any) -> None:
    """The leader goes on when its Lease is deleted, and who waits does not take the gap for a chance."""
    terms.candidate("first")
    await terms.begun(1)
    terms.candidate("second")
    renewed = (await terms.lease())["renewTime"]
    await terms.lease(lambda spec: spec["renewTime"] > renewed)
    await client.delete(LEASES, terms.settings.name, terms.settings.namespace)
    spec = await terms.lease()
    assert spec["holderIdentity"] == "first"
    await terms.lease(lambda spec, last=spec["renewTime"]: spec["renewTime"] > last)  # type: ignore[misc]
    assert [term.identity for term in terms.all] == ["first"]
    assert terms.all[0].leadership.is_leader()


async def test_a_stolen_lease_stops_the_work(terms: Any, told: Callable[..., None]) -> None:
    """Robbed, it leads no more before its work is told, leaves the thief's Lease alone, and waits its turn."""
    terms.candidate("robbed", ending=0.3)
    term = await terms.begun(1)
    with structlog.testing.capture_logs() as logs:
        stolen = time.monotonic()
        await terms.write(holderIdentity="thief", leaseDurationSeconds=2)
        await terms.until(lambda: term.cancelled < float("inf"))
        assert not term.leadership.is_leader()
        with pytest.raises(NotLeaderError):
            term.leadership.check()
        again = await terms.begun(2)
    told(noticed_seconds=term.cancelled - stolen, back_seconds=again.began - stolen)
    assert term.cancelled - stolen < 1.5
    # The thief never renews: its Lease runs out after 2 s, and was not released for it before.
    assert again.began - stolen >= 2
    assert any("taken the Lease" in entry["event"] for entry in logs)
    assert not any("released" in entry["event"] for entry in logs)
    assert again.leadership is not term.leadership
    assert again.leadership.is_leader()
    assert not term.leadership.is_leader()


async def test_work_that_fails_ends_the_leading(client: KubeClient, terms: Any) -> None:
    """What the work raises is raised, after the Lease was released for the next one."""

    async def work(leadership: Leadership) -> None:
        leadership.check()
        raise ValueError("no luck")

    with pytest.raises(ValueError, match="no luck"):
        await lead(client, terms.settings, work, identity="unlucky")
    assert (await terms.lease()).get("holderIdentity", "") == ""


async def test_work_that_returns_ends_the_leading(client: KubeClient, terms: Any) -> None:
    """Work that is done is not begun again, and the Lease is free."""
    terms_of_work: list[Leadership] = []

    async def work(leadership: Leadership) -> None:
        terms_of_work.append(leadership)

    async with asyncio.timeout(10):
        await lead(client, terms.settings, work)
    assert len(terms_of_work) == 1
    assert not terms_of_work[0].is_leader()
    assert (await terms.lease()).get("holderIdentity", "") == ""


async def test_work_that_fails_on_its_way_out(client: KubeClient, terms: Any) -> None:
    """Work that raises while it is cancelled for a stolen Lease is heard, not begun again."""
    began = asyncio.Event()

    async def work(leadership: Leadership) -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            raise ValueError("no luck on the way out")

    leading = asyncio.create_task(lead(client, terms.settings, work, identity="unlucky"))
    async with asyncio.timeout(20):
        await began.wait()
        await terms.write(holderIdentity="thief")
        with pytest.raises(ValueError, match="on the way out"):
            await leading
    assert (await terms.lease())["holderIdentity"] == "thief"


async def test_the_lease_is_kept_for_work_that_ends_slowly(terms: Any) -> None:
    """Told to go, even twice, a leader renews until its work has ended, though that takes longer than the Lease."""
    first = terms.candidate("first", ending=terms.settings.duration + 1.5)
    term = await terms.begun(1)
    terms.candidate("second")
    first.cancel()
    await terms.until(lambda: term.cancelled < float("inf"))
    first.cancel()
    again = await terms.begun(2)
    with pytest.raises(asyncio.CancelledError):
        await first
    assert term.ended - term.cancelled >= terms.settings.duration + 1.4
    assert again.began - term.ended < 2


async def test_a_machine_that_slept_is_no_leader(terms: Any) -> None:
    """The first question after a suspension is answered no, the work is stopped, and then it may lead again."""
    asleep = 0.0
    terms.candidate("sleeper", clock=lambda: boottime() + asleep)
    term = await terms.begun(1)
    assert term.leadership.is_leader()
    asleep = 3600.0
    with pytest.raises(NotLeaderError, match="is not ours any more"):
        term.leadership.check()
    again = await terms.begun(2)
    assert again.leadership.check(at_least=0.1) > 0
    with pytest.raises(NotLeaderError):
        term.leadership.check(at_least=0.1)


async def test_a_missing_namespace_is_told_and_waited_for(client: KubeClient, terms_of: Any) -> None:
    """A Lease that cannot be made is no other candidate's: the log says what is missing, and it heals by itself."""
    namespace = f"test-{uuid.uuid4().hex[:10]}"
    warned = asyncio.Event()

    def note(_logger: object, method: str, entry: Any) -> Any:
        if method == "warning" and f'namespaces "{namespace}" not found' in entry.get("error", ""):
            warned.set()
        raise structlog.DropEvent

    processors = structlog.get_config()["processors"]
    kept = list(processors)
    processors[:] = [note]
    async with terms_of(namespace=namespace, duration=3, give_up=2) as terms:
        try:
            terms.candidate("early")
            async with asyncio.timeout(5):
                await warned.wait()
        finally:
            processors[:] = kept
        await client.create(NAMESPACES, {"metadata": {"name": namespace}})
        await terms.begun(1)
