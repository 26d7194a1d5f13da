"""However a watch ends, the informer finds its way back: no object missed, none kept that is gone, no hot loop."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import structlog.testing

from kamaji_core.kube import CONFIG_MAPS, Informer, Key, Request

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

pytestmark = pytest.mark.looptime

Change = tuple[Key, Any, Any]


def config(name: str, version: int, value: str = "") -> dict[str, Any]:
    """A ConfigMap."""
    return {
        "metadata": {"namespace": "n", "name": name, "resourceVersion": str(version)},
        "data": {"v": value or str(version)},
    }


def line(kind: str, obj: dict[str, Any]) -> bytes:
    """One event as it is sent."""
    return msgspec.json.encode({"type": kind, "object": obj}) + b"\n"


def bookmark(version: int) -> bytes:
    """A bookmark as it is sent."""
    return line("BOOKMARK", {"metadata": {"resourceVersion": str(version)}})


def value_of(raw: msgspec.Raw) -> str:
    """What the informer keeps: a string, or nothing when it is no string."""
    data = msgspec.json.decode(raw, type=Holder).data
    if data["v"] == "odd":
        raise ValueError("hunter2")
    return data["v"]


class Holder(msgspec.Struct):
    """The part of a ConfigMap that is read."""

    data: dict[str, str]


class World:
    """A server: what it lists, how it answers each watch in turn, and what an informer of it told."""

    def __init__(self, script: Any, reply: Any) -> None:
        self.reply = reply
        self.objects: list[dict[str, Any]] = []
        self.version = 10
        self.watches: list[Any] = []
        self.otherwise: Callable[[], Any] = lambda: reply(body=[1000.0])
        self.changes: list[Change] = []
        self.transport = script(self.answer)
        self.informer: Informer[str] = Informer(
            self.transport.client(),
            CONFIG_MAPS,
            decode=value_of,
            on_change=lambda *change: self.changes.append(change),
        )

    def answer(self, request: Request) -> Any:
        """Answer a list with what there is, a watch with the next in line."""
        if dict(request.query).get("watch"):
            return self.watches.pop(0) if self.watches else self.otherwise()
        body = {"metadata": {"resourceVersion": str(self.version)}, "items": self.objects}
        return self.reply(body=[msgspec.json.encode(body)])

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the informer."""
        task = asyncio.ensure_future(self.informer.run())
        try:
            yield
        finally:
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert self.transport.open == 0

    @property
    def positions(self) -> list[str]:
        """The positions from which watches were asked for."""
        queries = [dict(request.query) for _, request in self.transport.sent]
        return [query["resourceVersion"] for query in queries if "watch" in query]

    @property
    def lists(self) -> int:
        """How often everything was listed."""
        return len(self.transport.times("list"))


@pytest.fixture
def world(script: Any, reply: Any) -> World:
    """A server with one object."""
    made = World(script, reply)
    made.objects = [config("a", 7)]
    return made


async def test_list_then_watch(world: World) -> None:
    """Everything is listed, then watched from the list's position; the store is complete when `synced` is set."""
    world.watches = [
        world.reply(
            body=[
                line("ADDED", config("b", 11)),
                line("MODIFIED", config("a", 12)),
                line("DELETED", config("b", 13)),
                1000.0,
            ]
        )
    ]
    assert not world.informer.synced.is_set()
    async with world.running():
        await world.informer.synced.wait()
        assert dict(world.informer.store) == {("n", "a"): "7"}
        await asyncio.sleep(1)
    assert world.changes == [
        (("n", "a"), None, "7"),
        (("n", "b"), None, "11"),
        (("n", "a"), "7", "12"),
        (("n", "b"), "11", None),
    ]
    assert world.positions == ["10"]


async def test_an_ended_watch_goes_on_where_it_ended(world: World) -> None:
    """After the server's own end of a watch the next begins at the last event or bookmark, without a list."""
    world.watches = [
        world.reply(body=[line("ADDED", config("b", 11)), 60.0, bookmark(40), 60.0, bookmark(50), 120.0])
        for _ in range(3)
    ]
    async with world.running():
        await asyncio.sleep(800)
    assert world.positions == ["10", "50", "50", "50"]
    assert world.lists == 1


@pytest.mark.parametrize("form", ["answer", "event"])
async def test_gone_lists_anew_and_finds_what_was_deleted(world: World, refusal: Any, form: str) -> None:
    """After either form of 410 the difference is reported, deletions too."""
    gone = {"code": 410, "reason": "Expired", "message": "too old"}
    first = refusal(410, "Gone") if form == "answer" else world.reply(body=[line("ERROR", gone)])
    world.watches = [first]
    async with world.running():
        await world.informer.synced.wait()
        world.objects, world.version = [config("c", 19)], 20
        await asyncio.sleep(5)
    assert dict(world.informer.store) == {("n", "c"): "19"}
    assert world.changes[1:] == [(("n", "a"), "7", None), (("n", "c"), None, "19")]
    assert world.positions == ["10", "20"]


async def test_gone_for_ever_is_no_hot_loop(world: World, refusal: Any) -> None:
    """A server that always says 410 is asked less and less often."""
    world.otherwise = lambda: refusal(410, "Gone")
    async with world.running():
        await asyncio.sleep(300)
    assert len(world.transport.times("watch")) < 50


async def test_streams_that_end_at_once_are_no_hot_loop(world: World) -> None:
    """A server that closes each watch at once is asked less and less often, and listed anew now and then."""
    world.otherwise = lambda: world.reply(body=[])
    async with world.running():
        await asyncio.sleep(300)
    assert len(world.transport.times("watch")) < 50
    assert 2 <= world.lists <= len(world.transport.times("watch")) / 3 + 1


async def test_streams_with_one_event_each_are_no_hot_loop(world: World) -> None:
    """A server that closes after each event is asked less and less often as well."""
    world.otherwise = lambda: world.reply(body=[bookmark(12)])
    async with world.running():
        await asyncio.sleep(300)
    assert len(world.transport.times("watch")) < 50
    assert world.lists == 1


async def test_streams_that_end_without_a_word_lead_to_a_list(world: World) -> None:
    """Some servers close instead of saying 410: after three such watches in a row everything is listed."""
    world.watches = [world.reply(body=[]) for _ in range(3)]
    async with world.running():
        await world.informer.synced.wait()
        world.objects, world.version = [], 20
        await asyncio.sleep(30)
    assert dict(world.informer.store) == {}
    assert world.positions == ["10", "10", "10", "20"]


async def test_refusals_lead_to_a_list(world: World, refusal: Any) -> None:
    """A restored server does not know our position and answers 504 to it: that leads to a list too."""
    world.watches = [refusal(504, "Timeout") for _ in range(3)]
    async with world.running():
        await world.informer.synced.wait()
        world.objects, world.version = [config("a", 3)], 4
        await asyncio.sleep(30)
    assert dict(world.informer.store) == {("n", "a"): "3"}


async def test_a_cut_connection_goes_on_without_a_list(world: World, cut: Exception) -> None:
    """A break within an event loses nothing: the watch goes on after the last whole event."""
    half = line("ADDED", config("c", 12))[:20]
    world.watches = [world.reply(body=[line("ADDED", config("b", 11)), half, cut])]
    async with world.running():
        await asyncio.sleep(5)
    assert world.positions == ["10", "11"]
    assert world.lists == 1
    assert ("n", "b") in world.informer.store


async def test_a_server_that_is_down_for_long_costs_no_list(world: World, cut: Exception) -> None:
    """Connections that are refused say nothing of the position; the watch is back within 15 s of the server."""
    world.watches = [world.reply(body=[bookmark(30), cut])]

    def down() -> Any:
        if asyncio.get_running_loop().time() < 600:
            raise cut
        return world.reply(body=[line("ADDED", config("b", 31)), 1000.0])

    world.otherwise = down
    async with world.running():
        await asyncio.sleep(616)
        assert ("n", "b") in world.informer.store
    assert world.lists == 1
    assert len(world.transport.times("watch")) < 100


async def test_a_silent_watch_is_left(world: World) -> None:
    """A live connection from which nothing comes is left after 150 s and watched anew from the same position."""
    async with world.running():
        await asyncio.sleep(160)
    assert [round(when) for when in world.transport.times("watch")] == [0, 150]


async def test_a_server_that_is_down_at_the_start(world: World, cut: Exception) -> None:
    """The first list is tried until it succeeds, with growing pauses; until then nothing is synced."""
    answer = world.transport.reply

    def down(request: Request) -> Any:
        if asyncio.get_running_loop().time() < 100:
            raise cut
        return answer(request)

    world.transport.reply = down
    async with world.running():
        await asyncio.sleep(99)
        assert not world.informer.synced.is_set()
        await asyncio.sleep(20)
        assert world.informer.synced.is_set()
    assert len(world.transport.times("list")) < 20


async def test_asked_to_wait_we_wait(world: World, refusal: Any) -> None:
    """A 429 with a long Retry-After delays the next watch by at least that."""
    world.watches = [refusal(429, Retry_After="40")]
    async with world.running():
        await asyncio.sleep(60)
    first, second = world.transport.times("watch")
    assert second - first >= 40


async def test_a_list_of_unchanged_objects_reports_nothing(world: World, refusal: Any) -> None:
    """After 410 a list in which every resourceVersion is known is no change, and decodes nothing."""
    world.watches = [refusal(410, "Gone")]
    async with world.running():
        await world.informer.synced.wait()
        world.objects[0]["data"] = {"v": "odd"}  # would not decode
        with structlog.testing.capture_logs() as logs:
            await asyncio.sleep(5)
    assert world.changes == [(("n", "a"), None, "7")]
    assert not [entry for entry in logs if entry["log_level"] == "error"]


async def test_an_odd_object_is_left_out_and_named(world: World) -> None:
    """What cannot be decoded is logged with its key, without words that may be secret, and the others come through."""
    world.objects.append(config("odd", 8, "odd"))
    world.objects.append({"metadata": {"namespace": "n", "name": "bad", "resourceVersion": "9"}, "data": {"v": 3}})
    world.objects.append({"metadata": "rubbish"})
    world.watches = [
        world.reply(body=[line("MODIFIED", config("a", 11, "odd")), line("ADDED", config("b", 12)), 1000.0])
    ]
    with structlog.testing.capture_logs() as logs:
        async with world.running():
            await asyncio.sleep(1)
    # Of what was readable before, the last readable state is kept: it is not gone.
    assert dict(world.informer.store) == {("n", "a"): "7", ("n", "b"): "12"}
    errors = [entry for entry in logs if entry["log_level"] == "error"]
    assert [(entry.get("namespace"), entry.get("name")) for entry in errors] == [
        ("n", "odd"),
        ("n", "bad"),
        (None, None),
        ("n", "a"),
    ]
    assert "hunter2" not in str(logs)
    assert "$.data" in errors[1]["error"]


async def test_a_listener_that_raises_stops_nothing(world: World) -> None:
    """An error in `on_change` is logged; the informer goes on."""
    world.informer._on_change = lambda key, *_: world.changes.append(key[5])  # an IndexError
    world.watches = [world.reply(body=[line("ADDED", config("b", 11)), 1000.0])]
    with structlog.testing.capture_logs() as logs:
        async with world.running():
            await asyncio.sleep(1)
    assert set(world.informer.store) == {("n", "a"), ("n", "b")}
    assert [entry["event"] for entry in logs if entry["log_level"] == "error"] == ["reporting a change failed"] * 2


async def test_own_writes_are_folded_in(world: World) -> None:
    """An answer is seen at once, its event is no second change, and an older event does not take it back."""
    world.watches = [
        world.reply(body=[5.0, line("MODIFIED", config("a", 11)), line("MODIFIED", config("a", 12)), 1000.0])
    ]
    async with world.running():
        await asyncio.sleep(1)
        world.informer.put(config("a", 12))
        world.informer.put(config("a", 6))
        world.informer.put({"metadata": "rubbish"})
        assert world.informer.store[("n", "a")] == "12"
        await asyncio.sleep(10)
    assert world.changes == [(("n", "a"), None, "7"), (("n", "a"), "7", "12")]


async def test_the_selection_is_the_same_for_list_and_watch(script: Any, reply: Any) -> None:
    """Selectors and namespace are sent with both."""
    body = b'{"metadata":{"resourceVersion":"1"},"items":[]}'
    transport = script(lambda request: reply(body=[1000.0] if dict(request.query).get("watch") else [body]))
    informer = Informer[str](
        transport.client(),
        CONFIG_MAPS,
        decode=value_of,
        on_change=lambda *_: None,
        label_selector="a=b",
        field_selector="metadata.name=c",
        namespace="n",
    )
    task = asyncio.ensure_future(informer.run())
    await asyncio.sleep(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(transport.sent) == 2
    for _, request in transport.sent:
        assert request.path == "/api/v1/namespaces/n/configmaps"
        assert {"labelSelector": "a=b", "fieldSelector": "metadata.name=c"}.items() <= dict(request.query).items()
