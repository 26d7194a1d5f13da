"""Few start at once, in the order of their coming; nobody keeps a place for ever, and nobody waits in vain."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kamaji_core.boot import PLACE_LIMIT_SECONDS, BootQueue, Urgency, is_starting, width_for

pytestmark = pytest.mark.looptime(start=0)
CREATION, CHANGE = Urgency.CREATION, Urgency.CHANGE


def key(name: str) -> tuple[str, str]:
    """A tenant."""
    return ("team-a", name)


def queue(width: int) -> tuple[BootQueue, list[str]]:
    """A queue and the names of those it has woken."""
    woken: list[str] = []
    return BootQueue(wake=lambda woke: woken.append(woke[1]), width=width), woken


async def test_as_many_start_as_there_are_places() -> None:
    """The next one waits and knows its place, which stays what it was."""
    boot, _ = queue(2)
    assert [boot.admit(key(name), CREATION) for name in "abcd"] == [0, 0, 1, 2]
    assert [boot.admit(key(name), CREATION) for name in "abcd"] == [0, 0, 1, 2]
    assert (boot.starting, boot.waiting) == (2, 2)
    boot.aclose()


async def test_whoever_is_ready_makes_room_for_the_first_who_waits() -> None:
    """It is woken, and finds its place taken in its name."""
    boot, woken = queue(1)
    for name in "abc":
        boot.admit(key(name), CREATION)
    boot.release(key("a"))
    assert woken == ["b"]
    assert boot.admit(key("b"), CREATION) == 0
    assert boot.admit(key("c"), CREATION) == 2
    boot.aclose()


async def test_a_change_goes_before_creations() -> None:
    """Somebody waits for it; a hundred new tenants came in bulk."""
    boot, woken = queue(1)
    for name in "abc":
        boot.admit(key(name), CREATION)
    assert boot.admit(key("z"), CHANGE) == 1
    boot.release(key("a"))
    assert woken == ["z"]
    boot.aclose()


async def test_a_tenant_that_does_not_become_ready_frees_its_place() -> None:
    """After the limit, and not before."""
    boot, woken = queue(1)
    boot.admit(key("stuck"), CREATION)
    boot.admit(key("next"), CREATION)
    await asyncio.sleep(PLACE_LIMIT_SECONDS - 1)
    assert woken == []
    await asyncio.sleep(2)
    assert woken == ["next"]
    boot.aclose()


async def test_who_waits_and_goes_is_passed_over() -> None:
    """A tenant deleted while it waited gets no place."""
    boot, woken = queue(1)
    for name in "abc":
        boot.admit(key(name), CREATION)
    boot.release(key("b"))
    boot.release(key("a"))
    assert woken == ["c"]
    boot.aclose()


async def test_pods_that_start_already_count() -> None:
    """After a restart of the operator they hold places beyond the width, and nobody else starts."""
    boot, woken = queue(1)
    for name in "ab":
        boot.hold(key(name))
    assert boot.admit(key("c"), CREATION) == 1
    boot.release(key("a"))
    assert woken == []
    boot.release(key("b"))
    assert woken == ["c"]
    boot.aclose()


async def test_without_a_width_everybody_starts() -> None:
    """0 means no limit."""
    boot, _ = queue(0)
    assert {boot.admit(key(str(number)), CREATION) for number in range(50)} == {0}
    boot.aclose()


async def test_a_wider_queue_lets_more_start_at_once() -> None:
    """Nobody has to end for that."""
    boot, woken = queue(1)
    for name in "abcd":
        boot.admit(key(name), CREATION)
    boot.set_width(3)
    assert woken == ["b", "c"]
    boot.aclose()


def stores_queue(width: int, widths: dict[str, int]) -> tuple[BootQueue, list[str]]:
    """A queue whose stores have widths of their own, which may be changed, and the names of those it has woken."""
    woken: list[str] = []
    wake = woken.append
    return BootQueue(wake=lambda key: wake(key[1]), width=width, store_width=lambda name: widths.get(name, 0)), woken


async def test_a_full_store_is_overtaken() -> None:
    """Its tenants wait for one another, and those of other stores start at once."""
    boot, woken = stores_queue(10, {"small": 1})
    assert [boot.admit(key(name), CREATION, store="small") for name in "abc"] == [0, 1, 2]
    assert [boot.admit(key(name), CREATION, store="large") for name in "xyz"] == [0, 0, 0]
    boot.release(key("x"))
    assert woken == []
    boot.release(key("a"))
    assert woken == ["b"]
    assert (boot.starting, boot.waiting) == (3, 1)
    boot.aclose()


async def test_a_free_place_goes_to_the_first_whose_store_has_room() -> None:
    """Whoever came before it keeps its place in the row."""
    boot, woken = stores_queue(2, {"small": 1})
    boot.admit(key("a"), CREATION, store="small")
    boot.admit(key("x"), CREATION, store="large")
    boot.admit(key("b"), CREATION, store="small")
    boot.admit(key("y"), CREATION, store="large")
    boot.release(key("x"))
    assert woken == ["y"]
    boot.release(key("a"))
    assert woken == ["y", "b"]
    boot.aclose()


async def test_a_change_does_not_get_around_a_full_store() -> None:
    """It goes before creations of its store, and a creation of another store goes before it."""
    boot, woken = stores_queue(2, {"small": 1})
    boot.admit(key("a"), CREATION, store="small")
    boot.admit(key("x"), CREATION, store="large")
    boot.admit(key("b"), CREATION, store="small")
    boot.admit(key("y"), CREATION, store="large")
    assert boot.admit(key("z"), CHANGE, store="small") == 1
    boot.release(key("x"))
    assert woken == ["y"]
    boot.release(key("a"))
    assert woken == ["y", "z"]
    boot.aclose()


async def test_the_operators_own_width_holds_for_every_store() -> None:
    """A store may be wider than what the nodes bear."""
    boot, woken = stores_queue(2, {"large": 50})
    assert [boot.admit(key(name), CREATION, store="large") for name in "abc"] == [0, 0, 1]
    boot.release(key("a"))
    assert woken == ["c"]
    boot.aclose()


async def test_a_store_holds_its_width_without_a_common_one() -> None:
    """0 means no limit of the operator's own."""
    boot, _ = stores_queue(0, {"small": 2})
    assert [boot.admit(key(name), CREATION, store="small") for name in "abcd"] == [0, 0, 1, 2]
    boot.aclose()


async def test_a_store_that_becomes_wider_lets_more_start() -> None:
    """As soon as somebody says that it may have changed, in the order of their coming; narrower ends nobody."""
    widths = {"small": 1}
    boot, woken = stores_queue(10, widths)
    for name in "abcde":
        boot.admit(key(name), CREATION, store="small")
    widths["small"] = 3
    assert woken == []
    boot.reconsider()
    assert woken == ["b", "c"]
    widths["small"] = 1
    boot.reconsider()
    assert boot.starting == 3
    for name in "ab":
        boot.release(key(name))
    assert woken == ["b", "c"]
    boot.release(key("c"))
    assert woken == ["b", "c", "d"]
    boot.aclose()


async def test_a_store_without_a_width_any_more_lets_all_start() -> None:
    """The annotation is gone, or the DataStore is."""
    widths = {"small": 1}
    boot, woken = stores_queue(10, widths)
    for name in "abcd":
        boot.admit(key(name), CREATION, store="small")
    widths.clear()
    boot.reconsider()
    assert woken == ["b", "c", "d"]
    boot.aclose()


async def test_pods_that_start_already_count_for_their_store() -> None:
    """After a restart of the operator; twice held is held once."""
    boot, woken = stores_queue(10, {"small": 1})
    boot.hold(key("a"), store="small")
    boot.hold(key("a"), store="small")
    assert boot.admit(key("b"), CREATION, store="small") == 1
    boot.release(key("a"))
    assert woken == ["b"]
    boot.aclose()


async def test_who_holds_a_place_keeps_it_whatever_store_it_names() -> None:
    """Its place is given back to the store that it was taken of."""
    boot, woken = stores_queue(10, {"small": 1})
    boot.admit(key("a"), CREATION, store="small")
    assert boot.admit(key("a"), CHANGE, store="large") == 0
    boot.admit(key("b"), CREATION, store="small")
    boot.release(key("a"))
    assert woken == ["b"]
    boot.aclose()


async def test_a_tenant_that_does_not_become_ready_frees_its_store() -> None:
    """After the same limit."""
    boot, woken = stores_queue(10, {"small": 1})
    boot.admit(key("stuck"), CREATION, store="small")
    boot.admit(key("next"), CREATION, store="small")
    await asyncio.sleep(PLACE_LIMIT_SECONDS + 1)
    assert woken == ["next"]
    boot.aclose()


async def test_a_new_term_finds_every_store_empty() -> None:
    """What was held in the last one is counted anew by whoever leads."""
    boot, woken = stores_queue(10, {"small": 1})
    for name in "ab":
        boot.admit(key(name), CREATION, store="small")
    boot.aclose()
    assert boot.admit(key("c"), CREATION, store="small") == 0
    assert woken == []
    boot.aclose()


steps = st.lists(st.tuples(st.sampled_from(["creation", "change", "release"]), st.integers(0, 7)), max_size=60)


@given(steps=steps, width=st.integers(1, 4))
def test_places_are_never_exceeded_and_never_idle(steps: list[tuple[str, int]], width: int) -> None:
    """Whatever happens: not more than the width start, and nobody waits while there is room."""

    async def run() -> None:
        boot, _ = queue(width)
        for what, number in steps:
            name = key(str(number))
            if what == "release":
                boot.release(name)
            else:
                boot.admit(name, CHANGE if what == "change" else CREATION)
            assert boot.starting <= width
            assert boot.waiting == 0 or boot.starting == width
        boot.aclose()

    asyncio.run(run())


store_steps = st.lists(
    st.tuples(st.sampled_from(["creation", "change", "release", "width"]), st.integers(0, 7), st.sampled_from("ab")),
    max_size=60,
)


@given(steps=store_steps, width=st.integers(0, 4))
def test_no_store_is_ever_exceeded_and_no_room_is_idle(steps: list[tuple[str, int, str]], width: int) -> None:
    """Whatever happens: nobody waits who could start, every wake-up has its place, and nobody starts beyond a width."""

    async def run() -> None:
        widths = {"a": 1, "b": 2}
        woken: list[tuple[str, str]] = []
        boot = BootQueue(wake=woken.append, width=width, store_width=widths.__getitem__)
        for what, number, store in steps:
            before = Counter(boot._starting)
            name = (store, str(number))  # a tenant keeps its store
            woken.clear()
            if what == "release":
                boot.release(name)
            elif what == "width":
                widths[store] = number % 4
                boot.reconsider()
            else:
                boot.admit(name, CHANGE if what == "change" else CREATION, store=store)
            assert set(woken) <= boot._holders.keys()
            starting = Counter(key[0] for key in boot._holders)
            assert +boot._starting == starting
            assert width == 0 or boot.starting <= width
            for one in "ab":
                assert widths[one] == 0 or starting[one] <= max(widths[one], before[one])
            full = 0 < width <= boot.starting
            waiting = {key[0] for keys in boot._waiting.values() for key in keys}
            assert full or all(0 < widths[one] <= starting[one] for one in waiting)
        boot.aclose()

    asyncio.run(run())


def node(cpu: str, **spec: object) -> dict[str, object]:
    """A node with so many cores."""
    return {"spec": spec, "status": {"allocatable": {"cpu": cpu}}}


@pytest.mark.parametrize(
    ("nodes", "width"),
    [
        ([], 4),
        ([node("2")], 4),
        ([node("1900m"), node("2")], 7),
        ([node("8"), node("64", unschedulable=True)], 16),
        ([node("250m")], 1),
        ([node("lots")], 4),
    ],
)
def test_the_width_follows_the_cores_that_take_pods(nodes: list[dict[str, object]], width: int) -> None:
    """Two for each, at least one; a fixed number when nothing is known."""
    assert width_for(nodes) == width


@pytest.mark.parametrize(
    ("deployment", "starting"),
    [
        ({"spec": {"replicas": 1}}, True),
        ({"spec": {"replicas": 1}, "status": {"readyReplicas": 1}}, False),
        ({"spec": {"replicas": 0}}, False),
    ],
)
def test_pods_are_starting_while_none_of_the_wanted_is_ready(deployment: dict[str, object], *, starting: bool) -> None:
    """Such a tenant holds a place when the operator comes back."""
    assert is_starting(deployment) is starting
