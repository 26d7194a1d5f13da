"""Users are told what happens to their objects, in few writes, and telling never costs or stops the work itself."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import structlog.testing

from kamaji_core.kube import CONFIG_MAPS, EVENTS, NAMESPACES, EventRecorder, KubeClient, NotFoundError, ObjectReference
from kamaji_core.testing import Delay, Drop, LoseAnswer, Refuse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from kamaji_core.testing import ApiServer, FaultProxy

pytestmark = pytest.mark.real

PATCH_SECONDS = 1.0
Event = dict[str, Any]


class Told:
    """A recorder behind the proxy, and the Events of a namespace as they are.

    Args:
        client: straight to the server.
        proxied: through the proxy.
        fault_proxy: counts the writes.
        namespace: of the Events.
    """

    def __init__(self, client: KubeClient, proxied: KubeClient, fault_proxy: FaultProxy, namespace: str) -> None:
        self.namespace = namespace
        self._client = client
        self._proxied = proxied
        self._proxy = fault_proxy
        self._running: list[asyncio.Task[None]] = []

    def recorder(self, *, run: bool = True, **settings: Any) -> EventRecorder:
        """A recorder, running unless told otherwise."""
        recorder = EventRecorder(self._proxied, **{"patch_seconds": PATCH_SECONDS} | settings)
        if run:
            self._running.append(asyncio.ensure_future(recorder.run()))
        return recorder

    def about(self, name: str = "a", **fields: str) -> ObjectReference:
        """An object of the namespace."""
        identity = {"api_version": "v1", "kind": "ConfigMap", "namespace": self.namespace, "uid": "u-1"}
        return ObjectReference(name=name, **identity | fields)

    async def stored(self, name: str = "a", namespace: str | None = None) -> list[Event]:
        """The Events about an object."""
        selector = f"involvedObject.name={name}"
        listing = await self._client.list(EVENTS, namespace or self.namespace, field_selector=selector)
        return [msgspec.json.decode(item) for item in listing.items]

    async def until(self, condition: Callable[[list[Event]], bool], name: str = "a") -> list[Event]:
        """Wait until the Events about an object are so, and give them."""
        async with asyncio.timeout(20):
            while True:
                listing = await self._client.list(EVENTS, self.namespace)
                if condition(events := await self.stored(name)):
                    return events
                version = listing.resource_version
                watch = self._client.watch(EVENTS, self.namespace, resource_version=version)
                async with contextlib.aclosing(watch) as changes:
                    await anext(changes)

    def writes(self, verb: str) -> int:
        """How many creates or patches of Events came."""
        return self._proxy.count(verbs={verb}, path="*/events*")

    async def written(self, verb: str, count: int) -> float:
        """Wait until so many creates or patches came, and tell when the last did."""
        await self._proxy.until(lambda: self.writes(verb) >= count)
        return asyncio.get_running_loop().time()

    async def stop(self) -> None:
        """End what runs; it must not have ended by itself."""
        for task in self._running:
            assert not task.done()
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        self._running.clear()


@pytest.fixture
async def told_events(
    client: KubeClient, proxied: KubeClient, fault_proxy: FaultProxy, namespace: str
) -> AsyncIterator[Told]:
    """Recorders of the test's namespace; whatever happens, they live until the end."""
    told = Told(client, proxied, fault_proxy, namespace)
    yield told
    await told.stop()


async def test_an_event_as_users_see_it(told_events: Told) -> None:
    """All that kubectl and dashboards show is there, in the forms that they expect."""
    recorder = told_events.recorder(component="kamaji", instance="kamaji-0")
    recorder.event(told_events.about(), "Warning", "StoreUnreachable", "The store does not answer.")
    (event,) = await told_events.until(lambda events: len(events) == 1)
    assert event["involvedObject"] == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "namespace": told_events.namespace,
        "name": "a",
        "uid": "u-1",
    }
    assert event["metadata"]["namespace"] == told_events.namespace
    assert event["metadata"]["name"].startswith("a.")
    shown = {field: event[field] for field in ("type", "reason", "message", "count", "source")}
    assert shown == {
        "type": "Warning",
        "reason": "StoreUnreachable",
        "message": "The store does not answer.",
        "count": 1,
        "source": {"component": "kamaji", "host": "kamaji-0"},
    }
    assert (event["reportingComponent"], event["reportingInstance"]) == ("kamaji", "kamaji-0")
    assert event["firstTimestamp"] == event["lastTimestamp"]
    assert abs(datetime.now(UTC) - datetime.fromisoformat(event["lastTimestamp"])) < timedelta(seconds=20)


async def test_kubectl_describe_shows_it(
    client: KubeClient, api_server: ApiServer, told_events: Told, tmp_path: Path
) -> None:
    """`kubectl describe` looks for Events by the object's UID, and prints count, reason and sentence."""
    obj = {"metadata": {"namespace": told_events.namespace, "name": "a"}}
    uid = (await client.create(CONFIG_MAPS, obj))["metadata"]["uid"]
    recorder = told_events.recorder()
    recorder.event(told_events.about(uid=uid), "Normal", "Created", "It was created.")
    recorder.event(told_events.about(uid="another's"), "Normal", "Other", "Of an earlier incarnation.")
    await told_events.until(lambda events: len(events) == 2)
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_bytes(api_server.kubeconfig)
    kubectl = Path(sys.executable).with_name("kubectl")
    command = [
        kubectl,
        f"--kubeconfig={kubeconfig}",
        f"--namespace={told_events.namespace}",
        "describe",
        "configmap",
        "a",
    ]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, check=True, timeout=60)
    line = next(line for line in done.stdout.decode().splitlines() if "Created" in line)
    assert line.split()[0] == "Normal"
    assert "kamaji" in line
    assert line.endswith("It was created.")
    assert "Of an earlier incarnation" not in done.stdout.decode()


async def test_a_repetition_is_a_count(told_events: Told, told: Callable[..., None]) -> None:
    """The same sentence ten times is one Event, whose count is written once for each `patch_seconds` at most."""
    recorder = told_events.recorder()

    def repeat(times: int) -> None:
        for _ in range(times):
            recorder.event(told_events.about(), "Normal", "Waiting", "It waits.")

    repeat(1)
    created = await told_events.written("create", 1)
    (first,) = await told_events.until(lambda events: len(events) == 1)
    repeat(5)
    one = await told_events.written("patch", 1)
    (event,) = await told_events.until(lambda events: events[0]["count"] == 6)
    repeat(3)
    repeat(2)
    two = await told_events.written("patch", 2)
    (event,) = await told_events.until(lambda events: events[0]["count"] == 11)
    told(first_patch_seconds=one - created, second_patch_seconds=two - one)
    assert one - created > PATCH_SECONDS - 0.3
    assert two - one > PATCH_SECONDS - 0.3
    assert event["metadata"]["name"] == first["metadata"]["name"]
    assert event["firstTimestamp"] == first["firstTimestamp"]
    assert event["lastTimestamp"] > first["lastTimestamp"]
    assert (told_events.writes("create"), told_events.writes("patch")) == (1, 2)


async def test_a_repetition_after_silence_is_written_at_once(told_events: Told) -> None:
    """A count whose last write is long ago does not wait."""
    recorder = told_events.recorder(patch_seconds=0.2)
    recorder.event(told_events.about(), "Normal", "Waiting", "It waits.")
    await told_events.until(lambda events: len(events) == 1)
    recorder.event(told_events.about(), "Normal", "Waiting", "It waits.")
    await told_events.until(lambda events: events[0]["count"] == 2)
    await asyncio.sleep(0.3)  # silence, not a wait for anything
    recorder.event(told_events.about(), "Normal", "Waiting", "It waits.")
    async with asyncio.timeout(5):
        await told_events.until(lambda events: events[0]["count"] == 3)


async def test_a_repetition_while_the_event_is_made(told_events: Told, fault_proxy: FaultProxy) -> None:
    """What happens again during the first write is counted there too, though nothing follows it."""
    fault_proxy.add(Delay(0.3), verbs={"create"}, path="*/events*")
    recorder = told_events.recorder()
    recorder.event(told_events.about(), "Normal", "Waiting", "It waits.")
    await told_events.written("create", 1)
    recorder.event(told_events.about(), "Normal", "Waiting", "It waits.")
    await told_events.until(lambda events: [event["count"] for event in events] == [2])
    assert (told_events.writes("create"), told_events.writes("patch")) == (1, 1)


async def test_a_repetition_while_the_count_is_written(told_events: Told, fault_proxy: FaultProxy) -> None:
    """A slow write of a count is not followed at once by the next: `patch_seconds` lie between two of them."""
    fault_proxy.add(Delay(0.3), verbs={"patch"}, path="*/events*")
    recorder = told_events.recorder()
    recorder.event(told_events.about(), "Normal", "Waiting", "It waits.")
    await told_events.until(lambda events: len(events) == 1)
    recorder.event(told_events.about(), "Normal", "Waiting", "It waits.")
    one = await told_events.written("patch", 1)
    recorder.event(told_events.about(), "Normal", "Waiting", "It waits.")
    two = await told_events.written("patch", 2)
    assert two - one > PATCH_SECONDS - 0.3
    await told_events.until(lambda events: events[0]["count"] == 3)


async def test_another_sentence_is_another_event(told_events: Told) -> None:
    """Type, reason, sentence and object make an Event; each of these is one of its own."""
    recorder = told_events.recorder()
    recorder.event(told_events.about(), "Normal", "Waiting", "It waits.")
    recorder.event(told_events.about(), "Warning", "Waiting", "It waits.")
    recorder.event(told_events.about(), "Normal", "Waited", "It waits.")
    recorder.event(told_events.about(), "Normal", "Waiting", "It waits for the store.")
    recorder.event(told_events.about("b"), "Normal", "Waiting", "It waits.")
    assert await recorder.drain() == 0
    assert len(await told_events.stored("a")) == 4
    assert len(await told_events.stored("b")) == 1


async def test_a_storm_is_limited(told_events: Told) -> None:
    """One object's burst of new sentences is cut off, counted as dropped, and costs another object nothing."""
    recorder = told_events.recorder(burst=3, refill=300.0)
    for number in range(10):
        recorder.event(told_events.about("storm"), "Warning", "Odd", f"Sentence {number}.")
    recorder.event(told_events.about("calm"), "Normal", "Fine", "It is well.")
    assert await recorder.drain() == 0
    assert {event["message"] for event in await told_events.stored("storm")} == {f"Sentence {n}." for n in range(3)}
    assert len(await told_events.stored("calm")) == 1
    assert recorder.dropped == 7
    assert told_events.writes("create") == 4


async def test_a_sentence_that_was_told_can_repeat_in_a_storm(told_events: Told) -> None:
    """Counting costs no allowance: only new sentences do."""
    recorder = told_events.recorder(burst=1)
    for _ in range(50):
        recorder.event(told_events.about(), "Warning", "Odd", "Always the same.")
    assert await recorder.drain() == 0
    (event,) = await told_events.stored()
    assert (event["count"], recorder.dropped) == (50, 0)


async def test_what_nobody_takes_is_bounded(told_events: Told) -> None:
    """With the writer away, no more than so many wait, and recording goes on without an error."""
    recorder = told_events.recorder(run=False, waiting=5)
    for number in range(20):
        recorder.event(told_events.about(f"object-{number}"), "Normal", "Created", "It was created.")
    assert recorder.dropped == 15
    assert await recorder.drain() == 0
    assert told_events.writes("create") == 5


@pytest.mark.parametrize("going", [True, False], ids=["terminating", "gone"])
async def test_a_namespace_that_goes_is_no_trouble(
    client: KubeClient, fault_proxy: FaultProxy, told_events: Told, *, going: bool
) -> None:
    """An Event in a namespace that is being deleted, or is gone, is dropped: no warning, no second attempt."""
    name = f"test-{uuid.uuid4().hex[:10]}"
    if going:
        await client.create(NAMESPACES, {"metadata": {"name": name}})
        await client.delete(NAMESPACES, name)  # without controllers it stays on its way
        assert (await client.get(NAMESPACES, name))["status"]["phase"] == "Terminating"
    recorder = told_events.recorder()
    with structlog.testing.capture_logs() as logs:
        recorder.event(told_events.about(namespace=name), "Normal", "Deleting", "It goes.")
        assert await recorder.drain() == 0
        assert recorder.dropped == 1
        recorder.event(told_events.about(), "Normal", "Created", "It was created.")
        await told_events.until(lambda events: len(events) == 1)
    assert [entry["log_level"] for entry in logs if "event" in entry.get("event", "")] == ["debug"]
    assert fault_proxy.count(verbs={"create"}, path=f"*/{name}/events") == 1


async def test_a_deleted_event_is_made_anew(client: KubeClient, told_events: Told) -> None:
    """Events live for an hour: a repetition after that is a new Event with the whole count."""
    recorder = told_events.recorder()
    recorder.event(told_events.about(), "Normal", "Waiting", "It waits.")
    (first,) = await told_events.until(lambda events: len(events) == 1)
    await client.delete(EVENTS, first["metadata"]["name"], told_events.namespace)
    recorder.event(told_events.about(), "Normal", "Waiting", "It waits.")
    (second,) = await told_events.until(
        lambda events: [event["metadata"]["name"] for event in events] not in ([], [first["metadata"]["name"]])
    )
    assert second["count"] == 2
    assert second["firstTimestamp"] == first["firstTimestamp"]


async def test_drain_writes_what_waits(told_events: Told) -> None:
    """On the way out, with `run` cancelled, new Events are written and counts do not wait for their minute."""
    recorder = told_events.recorder(patch_seconds=3600)
    recorder.event(told_events.about(), "Normal", "Waiting", "It waits.")
    await told_events.until(lambda events: len(events) == 1)
    recorder.event(told_events.about(), "Normal", "Waiting", "It waits.")
    await told_events.stop()
    recorder.event(told_events.about(), "Normal", "Stopping", "We go.")
    assert await recorder.drain() == 0
    assert {event["reason"]: event["count"] for event in await told_events.stored()} == {"Waiting": 2, "Stopping": 1}
    writes = told_events.writes("create"), told_events.writes("patch")
    assert writes == (2, 1)
    assert await recorder.drain() == 0
    assert writes == (told_events.writes("create"), told_events.writes("patch"))


async def test_drain_does_not_hold_up_the_way_out(told_events: Told, fault_proxy: FaultProxy) -> None:
    """With a server that does not answer it ends at its limit and tells how many are left."""
    fault_proxy.add(Drop(), path="*/events*")
    recorder = told_events.recorder(run=False)
    for name in ("a", "b", "c"):
        recorder.event(told_events.about(name), "Normal", "Stopping", "We go.")
    began = asyncio.get_running_loop().time()
    assert await recorder.drain(limit=0.5) == 3
    assert asyncio.get_running_loop().time() - began < 2


async def test_drain_finishes_what_run_had_begun(told_events: Told, fault_proxy: FaultProxy) -> None:
    """An Event whose creation was cut off on the way out is there once, whether or not the server had taken it."""
    fault_proxy.add(Delay(0.2), verbs={"create"}, path="*/events*", times=1)
    recorder = told_events.recorder()
    recorder.event(told_events.about(), "Normal", "Stopping", "We go.")
    await told_events.written("create", 1)
    await told_events.stop()
    assert await recorder.drain() == 0
    (event,) = await told_events.stored()
    assert event["count"] == 1


async def test_a_lost_answer_makes_no_second_event(told_events: Told, fault_proxy: FaultProxy) -> None:
    """An Event that turns out to exist is our own: what happened meanwhile is counted in it."""
    rule = fault_proxy.add(LoseAnswer(), verbs={"create"}, path="*/events*", times=1)
    recorder = told_events.recorder()
    recorder.event(told_events.about(), "Normal", "Waiting", "It waits.")
    await fault_proxy.until(lambda: rule.hits == 1)
    recorder.event(told_events.about(), "Normal", "Waiting", "It waits.")
    await told_events.until(lambda events: [event["count"] for event in events] == [2])
    assert told_events.writes("create") == 2


async def test_a_short_trouble_loses_nothing(
    told_events: Told, fault_proxy: FaultProxy, told: Callable[..., None]
) -> None:
    """What the server could not take is tried again, and says how often it happened by then."""
    rule = fault_proxy.add(Refuse(500, "InternalError"), path="*/events*", times=2)
    recorder = told_events.recorder()
    began = asyncio.get_running_loop().time()
    recorder.event(told_events.about(), "Normal", "Waiting", "It waits.")
    await fault_proxy.until(lambda: rule.hits == 1)
    recorder.event(told_events.about(), "Normal", "Waiting", "It waits.")
    (event,) = await told_events.until(lambda events: len(events) == 1)
    told(healing_seconds=asyncio.get_running_loop().time() - began)
    assert event["count"] == 2
    assert recorder.dropped == 0


async def test_a_refusal_is_told_once(told_events: Told, fault_proxy: FaultProxy) -> None:
    """What may not be written is dropped at once with a warning, and the next Event is written."""
    fault_proxy.add(Refuse(403, "Forbidden"), path="*/events*", times=1)
    recorder = told_events.recorder()
    with structlog.testing.capture_logs() as logs:
        recorder.event(told_events.about(), "Normal", "Refused", "Nobody hears.")
        assert await recorder.drain() == 0
        assert recorder.dropped == 1
        recorder.event(told_events.about(), "Normal", "Created", "It was created.")
        (event,) = await told_events.until(lambda events: len(events) == 1)
    assert event["reason"] == "Created"
    assert [entry["event"] for entry in logs if entry["log_level"] == "warning"] == ["dropped an event"]


async def test_trouble_that_lasts_ends_in_dropping(told_events: Told, fault_proxy: FaultProxy) -> None:
    """After five attempts an Event is given up, in `drain` too, and recording the same again begins anew."""
    rule = fault_proxy.add(Refuse(503, "ServiceUnavailable"), path="*/events*")
    recorder = told_events.recorder(run=False)
    with structlog.testing.capture_logs() as logs:
        recorder.event(told_events.about(), "Normal", "Waiting", "It waits.")
        left = [await recorder.drain() for _ in range(6)]
    assert left == [1, 1, 1, 1, 0, 0]
    assert rule.hits == 5
    assert recorder.dropped == 1
    assert len([entry for entry in logs if entry["log_level"] == "warning"]) == 1
    fault_proxy.clear()
    recorder.event(told_events.about(), "Normal", "Waiting", "It waits.")
    assert await recorder.drain() == 0
    assert len(await told_events.stored()) == 1


async def test_events_of_cluster_scoped_objects(told_events: Told) -> None:
    """They lie in `default`, where kubectl looks for them, and say no namespace of their object."""
    name = f"store-{uuid.uuid4().hex[:10]}"
    recorder = told_events.recorder()
    about = ObjectReference(api_version="kamaji.clastix.io/v1alpha1", kind="DataStore", name=name, uid="u-2")
    recorder.event(about, "Normal", "Ready", "The store answers.")
    recorder.event(about, "Normal", "Ready", "The store answers.")
    assert await recorder.drain() == 0
    (event,) = await told_events.stored(name, "default")
    assert event["metadata"]["namespace"] == "default"
    assert "namespace" not in event["involvedObject"]
    assert event["count"] == 2


async def test_what_is_too_long_is_cut(told_events: Told) -> None:
    """A sentence of any length, about a name as long as names can be, is written."""
    name = ".".join(["a" * 62] * 4)
    recorder = told_events.recorder()
    recorder.event(told_events.about(name), "Normal", "Long", "ä" * 5000)
    assert await recorder.drain() == 0
    (event,) = await told_events.stored(name)
    assert event["message"] == "ä" * 1024
    assert len(event["metadata"]["name"]) <= 253


async def test_recording_does_not_wait(told_events: Told, fault_proxy: FaultProxy, client: KubeClient) -> None:
    """With a server that hangs, recording is a matter of memory: the loop goes on, and nothing raises."""
    fault_proxy.add(Drop(), path="*/events*")
    recorder = told_events.recorder(waiting=10)
    for number in range(1000):
        recorder.event(told_events.about(f"object-{number % 20}"), "Normal", "Busy", f"Step {number}.")
    with pytest.raises(NotFoundError):
        await client.get(CONFIG_MAPS, "missing", told_events.namespace)
    assert recorder.dropped == 990
