"""Shares are looked at from time to time: what differs is told once and made again, what is measured is kept."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from kamaji_core.api.tenant_control_plane import TenantControlPlane
from kamaji_core.contracts import Claim, Drift, ProbeKind, Session, StoreError, UnsupportedError, Usage
from kamaji_core.datastore import OpenStores, ShareSampler, StoreState
from kamaji_core.datastore.samples import INTERVAL_SECONDS, LIMIT_SECONDS, RETRY_SECONDS, Share
from kamaji_core.tenancy import Tenancy

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.looptime(start=0)
KEY = ("team-a", "shop")
SETUP = {"schema": "s", "user": "u", "checksum": "c"}
USAGE = Usage(keys=12, bytes=3456, exact=True)
DRIFT = Drift(what="rights", sentence="The role lacks its range; the next ensure mends it.")


class Telling(Session):
    """A session that answers as it is told, or raises it."""

    def __init__(self) -> None:
        self.drift: Any = None
        self.size: Any = USAGE
        self.asked: list[tuple[str, Claim]] = []

    async def check(self, claim: Claim) -> Drift | None:
        """See `drift`."""
        self.asked.append(("check", claim))
        return await _given(self.drift)  # type: ignore[no-any-return]

    async def usage(self, claim: Claim) -> Usage:
        """See `size`."""
        self.asked.append(("usage", claim))
        return await _given(self.size)  # type: ignore[no-any-return]

    async def probe(self) -> Any:
        """Never asked."""
        raise NotImplementedError

    reserve = ensure = revoke = remove = probe  # type: ignore[assignment]  # a sample writes nothing

    async def aclose(self) -> None:
        """Nothing to close."""


async def _given(answer: Any) -> Any:
    if isinstance(answer, Exception):
        raise answer
    return await answer() if callable(answer) else answer


class Paper:
    """A driver of which only the name is asked."""

    NAME = "paper"


class World:
    """A tenant, its store, and what was told."""

    def __init__(self) -> None:
        self.session = Telling()
        self.tenants: dict[tuple[str, str], TenantControlPlane] = {}
        self.woken: list[tuple[str, str]] = []
        self.tenancy = Tenancy(default_store="", wake=self.woken.append, store_used=lambda _name: None)
        self.stores = OpenStores()
        self.told: list[str] = []
        self.sampler = ShareSampler(
            tenants=self.tenants,
            stores=self.stores,
            tenancy=self.tenancy,
            tell=lambda _tenant, sentence: self.told.append(sentence),
        )

    async def open(self, *, ready: bool = True, session: bool = True) -> None:
        """The DataStore has been looked at."""
        state = StoreState(
            name="fast",
            ready=ready,
            reason="DataStoreIsValid",
            sentence="Well.",
            session=self.session if session else None,
            driver=Paper(),  # type: ignore[arg-type]  # only its name is asked
        )
        await self.stores.put(state)

    def exist(self, **changes: Any) -> None:
        """The tenant is there."""
        metadata = {"name": "shop", "namespace": "team-a", "uid": "uid-shop", **changes.get("metadata", {})}
        manifest = {
            "metadata": metadata,
            "spec": {
                "dataStore": "fast",
                "controlPlane": {
                    "deployment": {"replicas": changes.get("replicas", 1)},
                    "service": {"serviceType": "ClusterIP"},
                },
                "kubernetes": {"version": "v1.37.1", "kubelet": {}},
            },
            "status": {"storage": {"dataStoreName": "fast", "setup": changes.get("setup", SETUP)}},
        }
        self.tenants[KEY] = msgspec.convert(manifest, TenantControlPlane)


@pytest.fixture
async def world() -> World:
    """A tenant whose share is as it was made."""
    world = World()
    await world.open()
    world.exist()
    return world


def is_about(seconds: float | None, expected: float) -> bool:
    """Whether it is the interval, spread."""
    return seconds is not None and 0.9 * expected <= seconds <= 1.1 * expected


async def test_a_share_as_it_was_made_is_measured(world: World) -> None:
    """By the names of the tenant's own record; nobody is told or woken."""
    assert is_about(await world.sampler.look(KEY), INTERVAL_SECONDS)
    claim = Claim(tenant_uid="uid-shop", namespace="team-a", name="shop", schema="s", user="u", recorded=True)
    assert world.session.asked == [("check", claim), ("usage", claim)]
    assert world.sampler.shares == {KEY: Share("fast", USAGE)}
    assert (world.told, world.woken, world.tenancy.doubts(KEY)) == ([], [], False)


async def test_looks_are_spread(world: World) -> None:
    """So that tenants that were made together are not looked at together for ever."""
    assert len({await world.sampler.look(KEY) for _ in range(20)}) == 20


async def test_what_differs_is_told_once_and_made_again(world: World) -> None:
    """The tenant is doubted and woken at each look that finds it; another difference is told anew."""
    world.session.drift = DRIFT
    for _ in range(3):
        await world.sampler.look(KEY)
    assert world.told == [f"Its share of the DataStore 'fast' is not as it was made: {DRIFT.sentence}"]
    assert world.woken == [KEY] * 3
    assert world.tenancy.doubts(KEY)
    world.session.drift = Drift(what="user", sentence="The user is gone.")
    await world.sampler.look(KEY)
    assert len(world.told) == 2


async def test_what_was_mended_and_differs_again_is_told_again(world: World) -> None:
    """It has happened twice."""
    for drift in (DRIFT, None, DRIFT):
        world.session.drift = drift
        await world.sampler.look(KEY)
    assert len(world.told) == 2


@pytest.mark.parametrize("change", ["gone", "another"])
async def test_what_changes_while_the_store_answers_is_no_difference(world: World, change: str) -> None:
    """A tenant that ends, or another of the same name."""

    async def slowly() -> Drift:
        await asyncio.sleep(5)
        if change == "gone":
            del world.tenants[KEY]
        else:
            world.exist(metadata={"uid": "uid-next"})
        return DRIFT

    world.session.drift = slowly
    await world.sampler.look(KEY)
    assert (world.told, world.woken) == ([], [])


@pytest.mark.parametrize(
    "changes",
    [
        {"metadata": {"annotations": {"kamaji.clastix.io/paused": "true"}}},
        {"metadata": {"deletionTimestamp": "2030-01-01T00:00:00Z"}},
        {"replicas": 0},
        {"setup": {}},
    ],
    ids=["paused", "deleted", "sleeping", "not set up"],
)
async def test_some_are_left_alone(world: World, changes: dict[str, Any]) -> None:
    """They are looked at again when the interval is over."""
    world.exist(**changes)
    assert is_about(await world.sampler.look(KEY), INTERVAL_SECONDS)
    assert world.session.asked == []


async def test_another_operators_tenants_are_left_alone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever owns them looks at them."""
    monkeypatch.setattr(world.tenancy, "owns", lambda _tenant: False)
    await world.sampler.look(KEY)
    assert world.session.asked == []


async def test_a_tenant_that_is_gone_is_forgotten(world: World) -> None:
    """Its figures vanish, and it is not looked at again."""
    await world.sampler.look(KEY)
    del world.tenants[KEY]
    assert await world.sampler.look(KEY) is None
    assert world.sampler.shares == {}


@pytest.mark.parametrize("opened", [{"ready": False}, {"session": False}])
async def test_a_store_that_is_not_ready_is_asked_later(world: World, opened: dict[str, bool]) -> None:
    """What was measured stays."""
    await world.sampler.look(KEY)
    await world.open(**opened)
    assert is_about(await world.sampler.look(KEY), RETRY_SECONDS)
    assert len(world.session.asked) == 2
    assert world.sampler.shares == {KEY: Share("fast", USAGE)}


@pytest.mark.parametrize("what", ["drift", "size"])
async def test_a_driver_that_does_not_tell_is_asked_once(world: World, what: str) -> None:
    """For all its tenants; the other question is still asked."""
    setattr(world.session, what, UnsupportedError("that"))
    for _ in range(3):
        assert is_about(await world.sampler.look(KEY), INTERVAL_SECONDS)
    counts = {name: [asked for asked, _ in world.session.asked].count(name) for name in ("check", "usage")}
    assert counts == ({"check": 1, "usage": 3} if what == "drift" else {"check": 3, "usage": 1})


async def _never() -> None:
    await asyncio.Event().wait()


FAULTS: list[Exception | Callable[[], Any]] = [
    StoreError("Refused.", kind=ProbeKind.REFUSED),
    RuntimeError("hunter2"),
    _never,
]


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_store_that_fails_is_asked_soon_again(world: World, fault: Any) -> None:
    """In bounds, without a word to the tenant; its figures stay."""
    await world.sampler.look(KEY)
    world.session.size = fault
    assert is_about(await world.sampler.look(KEY), RETRY_SECONDS)
    assert asyncio.get_running_loop().time() <= LIMIT_SECONDS
    assert (world.told, world.sampler.shares) == ([], {KEY: Share("fast", USAGE)})
