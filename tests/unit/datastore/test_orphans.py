"""What tenants that are gone left at a store is told once, and never of a tenant that exists."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from kamaji_core.api.tenant_control_plane import TenantControlPlane
from kamaji_core.contracts import Claim, ProbeKind, Session, StoreError, UnsupportedError
from kamaji_core.datastore import OpenStores, OrphanFinder, StoreState
from kamaji_core.datastore.orphans import INTERVAL_SECONDS, LIMIT_SECONDS, RETRY_SECONDS
from kamaji_core.tenancy import Tenancy

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

pytestmark = pytest.mark.looptime(start=0)


def claim(name: str, *, uid: str = "") -> Claim:
    """What a tenant has at the store."""
    return Claim(tenant_uid=uid or f"uid-{name}", namespace="team-a", name=name, schema=f"s-{name}", user=f"u-{name}")


class Telling(Session):
    """A session that tells what it is given, or raises it."""

    def __init__(self, *claims: Claim) -> None:
        self.answer: Callable[[], Awaitable[Sequence[Claim]]] | Exception | Sequence[Claim] = claims
        self.asked = 0

    async def claims(self) -> Sequence[Claim]:
        """See `answer`."""
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return await self.answer() if callable(self.answer) else self.answer

    async def probe(self) -> Any:
        """Never asked."""
        raise NotImplementedError

    reserve = ensure = revoke = remove = probe  # type: ignore[assignment]  # never asked either

    async def aclose(self) -> None:
        """Nothing to close."""


class World:
    """A store, its session, the tenants that exist, and what was told."""

    def __init__(self, *claims: Claim) -> None:
        self.session = Telling(*claims)
        self.tenancy = Tenancy(default_store="fast", wake=lambda _key: None, store_used=lambda _name: None)
        self.stores = OpenStores()
        self.told: list[tuple[str, str]] = []
        self.finder = OrphanFinder(
            stores=self.stores, tenancy=self.tenancy, tell=lambda name, sentence: self.told.append((name, sentence))
        )

    async def open(self, *, ready: bool = True, session: bool = True) -> None:
        """The DataStore has been looked at."""
        state = StoreState(
            name="fast",
            ready=ready,
            reason="DataStoreIsValid",
            sentence="Well.",
            session=self.session if session else None,
        )
        await self.stores.put(state)

    def exist(self, *names: str) -> None:
        """Exactly these tenants exist."""
        for key in list(self.tenancy._uids):
            self.tenancy.observe(key, None)
        for name in names:
            manifest = {
                "metadata": {"name": name, "namespace": "team-a", "uid": f"uid-{name}"},
                "spec": {
                    "controlPlane": {"service": {"serviceType": "ClusterIP"}},
                    "kubernetes": {"version": "v1.37.1", "kubelet": {}},
                },
            }
            self.tenancy.observe(("team-a", name), msgspec.convert(manifest, TenantControlPlane))


async def test_a_claim_without_a_tenant_is_told_with_all_that_finds_it() -> None:
    """Schema, user, store, namespace, name and UID, and what to do."""
    world = World(claim("gone"), claim("there"))
    await world.open()
    world.exist("there")
    await world.finder.look("fast")
    sentence = (
        "Schema 's-gone' and user 'u-gone' in the DataStore 'fast' belong to the TenantControlPlane team-a/gone "
        "(UID uid-gone), which does not exist in this cluster: if no other cluster has it, remove them at the store."
    )
    assert world.told == [("fast", sentence)]
    assert world.finder.counts == {"fast": 1}


async def test_nothing_is_told_while_every_claim_has_its_tenant() -> None:
    """The store was asked, and counts none."""
    world = World(claim("a"), claim("b"))
    await world.open()
    world.exist("a", "b")
    await world.finder.look("fast")
    assert (world.told, world.finder.counts, world.session.asked) == ([], {"fast": 0}, 1)


async def test_each_is_told_once() -> None:
    """In the order of their names, however often the store is asked; a new one is told alone."""
    world = World(claim("b"), claim("a"))
    await world.open()
    for _ in range(3):
        await world.finder.look("fast")
    assert [sentence.split("team-a/")[1][0] for _, sentence in world.told] == ["a", "b"]
    world.session.answer = (claim("b"), claim("c"), claim("a"))
    await world.finder.look("fast")
    assert [sentence.split("team-a/")[1][0] for _, sentence in world.told] == ["a", "b", "c"]
    assert world.finder.counts == {"fast": 3}


async def test_one_that_was_removed_and_comes_back_is_told_again() -> None:
    """A store that was restored from a backup."""
    world = World(claim("a"))
    await world.open()
    await world.finder.look("fast")
    world.session.answer = ()
    await world.finder.look("fast")
    assert world.finder.counts == {"fast": 0}
    world.session.answer = (claim("a"),)
    await world.finder.look("fast")
    assert len(world.told) == 2


async def test_a_new_tenant_of_the_same_name_is_another() -> None:
    """By its UID: the claim of the earlier one is an orphan."""
    world = World(claim("shop", uid="uid-earlier"))
    await world.open()
    world.exist("shop")
    await world.finder.look("fast")
    assert "UID uid-earlier" in world.told[0][1]


@pytest.mark.parametrize(("before", "after"), [(["a"], []), ([], ["a"])], ids=["ends", "begins"])
async def test_a_tenant_that_comes_or_goes_while_the_store_answers_is_no_orphan(
    before: list[str], after: list[str]
) -> None:
    """The answer is of another moment than the list of tenants; the next look tells."""
    world = World()
    world.exist(*before)

    async def slowly() -> Sequence[Claim]:
        await asyncio.sleep(5)
        world.exist(*after)
        return (claim("a"),)

    world.session.answer = slowly
    await world.open()
    await world.finder.look("fast")
    assert (world.told, world.finder.counts) == ([], {"fast": 0})
    world.session.answer = (claim("a"),)
    await world.finder.look("fast")
    assert len(world.told) == (0 if after else 1)


async def test_the_next_look_is_about_ten_minutes_later() -> None:
    """Spread, so that stores are not asked together."""
    world = World()
    await world.open()
    delays = {await world.finder.look("fast") for _ in range(20)}
    assert len(delays) == 20
    assert all(0.9 * INTERVAL_SECONDS <= (delay or 0) <= 1.1 * INTERVAL_SECONDS for delay in delays)


@pytest.mark.parametrize("opened", [{"ready": False}, {"session": False}, {"ready": False, "session": False}])
async def test_a_store_that_is_not_ready_is_asked_later(opened: dict[str, bool]) -> None:
    """And what was found in it stays counted."""
    world = World(claim("a"))
    await world.open()
    await world.finder.look("fast")
    await world.open(**opened)
    assert await world.finder.look("fast") == RETRY_SECONDS
    assert (world.session.asked, world.finder.counts) == (1, {"fast": 1})


async def test_a_store_that_is_gone_is_forgotten() -> None:
    """Neither asked nor counted, until it is open."""
    world = World(claim("a"))
    assert await world.finder.look("fast") == RETRY_SECONDS
    await world.open()
    await world.finder.look("fast")
    await world.stores.drop("fast")
    assert await world.finder.look("fast") == RETRY_SECONDS
    assert world.finder.counts == {}
    assert world.session.asked == 1


async def test_a_driver_that_cannot_tell_is_asked_once() -> None:
    """Nothing is counted, for nothing is known."""
    world = World()
    world.session.answer = UnsupportedError("whose claims are at the store")
    await world.open()
    assert await world.finder.look("fast") is None
    assert world.finder.counts == {}


@pytest.mark.parametrize(
    "error", [StoreError("Refused.", kind=ProbeKind.REFUSED), RuntimeError("hunter2"), TimeoutError()]
)
async def test_a_store_that_fails_is_asked_soon_again(error: Exception) -> None:
    """What was found before stays counted, and is not told again when it recovers."""
    world = World(claim("a"))
    await world.open()
    await world.finder.look("fast")
    world.session.answer = error
    assert await world.finder.look("fast") == RETRY_SECONDS
    assert world.finder.counts == {"fast": 1}
    world.session.answer = (claim("a"),)
    await world.finder.look("fast")
    assert len(world.told) == 1


async def test_a_silent_store_holds_the_others_up_for_a_bounded_time() -> None:
    """Half a minute, by the driver or without it."""
    world = World()

    async def silent() -> Sequence[Claim]:
        await asyncio.Event().wait()
        return ()

    world.session.answer = silent
    await world.open()
    assert await world.finder.look("fast") == RETRY_SECONDS
    assert asyncio.get_running_loop().time() == LIMIT_SECONDS
