"""Few start at once, in the order of their coming; nobody keeps a place for ever, and nobody waits in vain."""

from __future__ import annotations

import asyncio

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
