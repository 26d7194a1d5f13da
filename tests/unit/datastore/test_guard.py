"""A store that is slow or silent holds up nobody but its own tenants, and these for a bounded time."""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any

import pytest

from kamaji_core.contracts import Claim, Credentials, Probe, ProbeKind, Session, StoreError, UnsupportedError
from kamaji_core.datastore.guard import ASIDE_SECONDS, DOUBT_SECONDS, GuardedSession, Lane
from kamaji_core.kube import WorkQueue, run_workers

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.looptime(start=0)
CLAIM = Claim(tenant_uid="u", namespace="team-a", name="shop", schema="s", user="u")
CREDENTIALS = Credentials(user="u")
WELL = Probe(kind=ProbeKind.OK, sentence="Well.")


def now() -> float:
    """The loop's time, seconds."""
    return asyncio.get_running_loop().time()


class Slow(Session):
    """A session whose calls take as long as is said, or end with an error; it counts those under way."""

    def __init__(self, seconds: float = 0.0, error: Exception | None = None, probe: Probe = WELL) -> None:
        self.seconds = seconds
        self.error = error
        self.answer = probe
        self.under_way = 0
        self.most = 0
        self.asked = 0
        self.closed = False

    async def probe(self) -> Probe:
        """As was said."""
        await asyncio.sleep(0)
        return self.answer

    async def reserve(self, claim: Claim, *_: Any) -> Any:
        """Take the time."""
        self.asked += 1
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await asyncio.sleep(self.seconds)
        finally:
            self.under_way -= 1
        if self.error is not None:
            raise self.error

    ensure = settle = revoke = remove = check = usage = reserve  # type: ignore[assignment]  # one is as good as another

    async def aclose(self) -> None:
        """Note it."""
        self.closed = True


class World:
    """A guarded session whose doubts are counted."""

    def __init__(self, session: Slow) -> None:
        self.session = session
        self.doubts: list[float] = []
        self.guard = GuardedSession(session, doubt=lambda: self.doubts.append(now()))


CALLS: dict[str, Callable[[Session], Any]] = {
    "reserve": lambda session: session.reserve(CLAIM),
    "ensure": lambda session: session.ensure(CLAIM, CREDENTIALS),
    "settle": lambda session: session.settle(CLAIM, CREDENTIALS),
    "revoke": lambda session: session.revoke(CLAIM),
    "remove": lambda session: session.remove(CLAIM),
    "check": lambda session: session.check(CLAIM),
    "usage": lambda session: session.usage(CLAIM),
}


def test_every_method_of_a_session_is_passed_on() -> None:
    """One that were inherited would answer in the driver's place."""
    named = {name for name, _ in inspect.getmembers(Session, inspect.isfunction)}
    assert named - vars(GuardedSession).keys() == set()


@pytest.mark.parametrize("name", CALLS)
async def test_a_call_that_is_quick_is_passed_on(name: str) -> None:
    """Without a doubt."""
    world = World(Slow(0.1))
    await CALLS[name](world.guard)
    await asyncio.sleep(10)
    assert (world.session.asked, world.doubts) == (1, [])


async def test_what_the_driver_does_not_tell_stays_unsupported() -> None:
    """The core asks for the type."""
    world = World(Slow())
    with pytest.raises(UnsupportedError):
        await world.guard.claims()


async def test_closing_is_passed_on() -> None:
    """The driver has the connections."""
    world = World(Slow())
    await world.guard.aclose()
    assert world.session.closed


@pytest.mark.parametrize(("name", "width"), [("ensure", Lane.SETTING_UP), ("remove", Lane.REMOVING), ("usage", 1)])
async def test_few_are_under_way_at_a_time(name: str, width: int) -> None:
    """The others wait; none is refused."""
    world = World(Slow(0.1))
    await asyncio.gather(*(CALLS[name](world.guard) for _ in range(20)))
    assert (world.session.asked, world.session.most) == (20, width)


async def test_removals_do_not_keep_new_tenants_waiting() -> None:
    """They take as long as there is data."""
    world = World(Slow(60))
    removals = [asyncio.create_task(world.guard.remove(CLAIM)) for _ in range(5)]
    await asyncio.sleep(1)
    world.session.seconds = 0.1
    await world.guard.ensure(CLAIM, CREDENTIALS)
    assert now() == pytest.approx(1.1)
    for removal in removals:
        removal.cancel()
    await asyncio.gather(*removals, return_exceptions=True)


async def test_a_slow_call_has_the_store_probed_once_and_goes_on() -> None:
    """The probe finds it well: slow is no error."""
    world = World(Slow(10))
    calls = [asyncio.create_task(world.guard.ensure(CLAIM, CREDENTIALS)) for _ in range(3)]
    await asyncio.sleep(DOUBT_SECONDS + 0.1)
    assert world.doubts == [DOUBT_SECONDS]
    await world.guard.probe()
    await asyncio.gather(*calls)
    assert now() == 10
    assert world.doubts == [DOUBT_SECONDS]


@pytest.mark.parametrize("kind", [ProbeKind.TIMEOUT, ProbeKind.REFUSED])
async def test_a_probe_that_finds_nobody_ends_what_is_under_way_and_what_waits(kind: ProbeKind) -> None:
    """With its sentence, and new calls at once; until one finds it well again."""
    world = World(Slow(1000, probe=Probe(kind=kind, sentence="Nobody answers.")))
    calls = [asyncio.create_task(CALLS[name](world.guard)) for name in CALLS for _ in range(10)]
    await asyncio.sleep(5)
    await world.guard.probe()
    ended = await asyncio.gather(*calls, return_exceptions=True)
    assert {(str(one), one.kind, one.retry) for one in ended if isinstance(one, StoreError)} == {
        ("Nobody answers.", kind, True)
    }
    assert len(ended) == len([one for one in ended if isinstance(one, StoreError)])
    assert (world.session.under_way, now()) == (0, 5)
    asked = world.session.asked
    with pytest.raises(StoreError, match="Nobody answers"):
        await world.guard.revoke(CLAIM)
    assert (world.session.asked, now()) == (asked, 5)
    world.session.answer, world.session.seconds = WELL, 0
    await world.guard.probe()
    await world.guard.revoke(CLAIM)


@pytest.mark.parametrize("kind", [ProbeKind.FULL, ProbeKind.AUTH, ProbeKind.PERMISSION, ProbeKind.TLS])
async def test_one_that_answers_is_still_asked(kind: ProbeKind) -> None:
    """A full store must be able to get rid of tenants."""
    world = World(Slow(probe=Probe(kind=kind, sentence="It is not well.")))
    await world.guard.probe()
    await world.guard.remove(CLAIM)
    assert world.session.asked == 1


async def test_a_call_that_ran_out_of_time_spares_the_others_until_the_next_probe() -> None:
    """And asks for that one at once."""
    world = World(Slow(1, error=StoreError("No answer in time.", kind=ProbeKind.TIMEOUT)))
    with pytest.raises(StoreError, match="No answer in time"):
        await world.guard.ensure(CLAIM, CREDENTIALS)
    assert world.doubts == [1]
    with pytest.raises(StoreError, match="It did not answer another request in time") as caught:
        await world.guard.ensure(CLAIM, CREDENTIALS)
    assert (caught.value.kind, world.session.asked) == (ProbeKind.TIMEOUT, 1)
    world.session.error = None
    await world.guard.probe()
    await world.guard.ensure(CLAIM, CREDENTIALS)


async def test_one_tenants_measuring_says_nothing_about_the_others() -> None:
    """It takes as long as there is data."""
    world = World(Slow(1, error=StoreError("No answer in time.", kind=ProbeKind.TIMEOUT)))
    with pytest.raises(StoreError):
        await world.guard.usage(CLAIM)
    world.session.error = None
    await world.guard.ensure(CLAIM, CREDENTIALS)
    assert world.doubts == []


async def test_a_probe_that_was_given_up_counts_as_silence() -> None:
    """Whoever asked it had a limit."""
    world = World(Slow())

    async def never() -> Probe:
        await asyncio.Event().wait()
        return WELL

    world.session.probe = never  # type: ignore[method-assign]
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(15):
            await world.guard.probe()
    with pytest.raises(StoreError, match="did not answer a login in time"):
        await world.guard.ensure(CLAIM, CREDENTIALS)


@pytest.mark.parametrize("error", [TimeoutError("hunter2"), ValueError("hunter2")])
async def test_a_strangers_error_passes_as_it_is(error: Exception) -> None:
    """Whoever asks turns it into a sentence."""
    world = World(Slow(error=error))
    with pytest.raises(type(error)):
        await world.guard.ensure(CLAIM, CREDENTIALS)


async def test_being_cancelled_frees_the_slot() -> None:
    """And no timer stays that would doubt the store afterwards."""
    world = World(Slow(1000))
    calls = [asyncio.create_task(world.guard.ensure(CLAIM, CREDENTIALS)) for _ in range(Lane.SETTING_UP + 1)]
    await asyncio.sleep(1)
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    await asyncio.sleep(10)
    assert (world.session.under_way, world.doubts) == (0, [])
    world.session.seconds = 0
    await world.guard.ensure(CLAIM, CREDENTIALS)


async def test_ten_tenants_of_a_silent_store_do_not_keep_a_single_worker() -> None:
    """Each of them holds it for half a second at most; then it is the others' turn."""
    world, queue = World(Slow(1000)), WorkQueue[str]()
    finished: list[tuple[str, float]] = []

    async def handle(key: str) -> None:
        if key.startswith("silent"):
            await world.guard.ensure(CLAIM, CREDENTIALS)
        finished.append((key, now()))

    for number in range(10):
        queue.add(f"silent-{number}")
    queue.add("good")
    workers = asyncio.create_task(run_workers(queue, handle, workers=1))
    await asyncio.sleep(60)
    assert finished == [("good", 10 * ASIDE_SECONDS)]
    workers.cancel()
    await asyncio.gather(workers, return_exceptions=True)
