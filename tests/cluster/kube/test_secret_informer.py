"""Secrets are known at all times though their data is sent only once, and again only where it may have changed."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import structlog.testing

from kamaji_core.kube import SECRETS, Key, KubeClient, SecretInformer
from kamaji_core.kube.transport import HttpTransport
from kamaji_core.testing import Delay, Drop, ErrorEvent, Refuse, Stall

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping

    from kamaji_core.kube import Answer, ClusterConfig, Request
    from kamaji_core.testing import FaultProxy

pytestmark = pytest.mark.real

LABEL = "kamaji.clastix.io/project=kamaji"


def value_of(raw: msgspec.Raw) -> str:
    """What is kept of a Secret; odd ones cannot be decoded."""
    data = msgspec.json.decode(raw)["data"]
    value = base64.b64decode(data["v"]).decode()
    if value.startswith("odd"):
        raise ValueError(f"the value is {value}")
    return value


class Secrets:
    """A namespace's Secrets as an informer behind the proxy knows them, and as they are.

    Args:
        client: straight to the server.
        namespace: whose Secrets.
        informed: the informer's client.
        idle: seconds of silence that the informer bears.
    """

    def __init__(self, client: KubeClient, namespace: str, informed: KubeClient, idle: float) -> None:
        self.changes: list[tuple[str, str | None, str | None]] = []
        self._changed = asyncio.Event()
        self._client = client
        self._namespace = namespace
        self.informer: SecretInformer[str] = SecretInformer(
            informed,
            SECRETS,
            decode=value_of,
            on_change=self._note,
            label_selector=LABEL,
            namespace=namespace,
            idle=idle,
        )

    def _note(self, key: Key, before: str | None, after: str | None) -> None:
        self.changes.append((key[1], before, after))
        self._changed.set()

    @property
    def known(self) -> dict[str, str]:
        """Values by name, as the informer knows them."""
        return {name: value for (_, name), value in self.informer.store.items()}

    async def write(self, **values: str | None) -> None:
        """Create, change or (None) delete Secrets, past the proxy."""
        for name, value in values.items():
            if value is None:
                await self._client.delete(SECRETS, name, self._namespace)
            else:
                await self.apply(name, value)

    async def apply(self, name: str, value: str, **labels: str) -> dict[str, Any]:
        """Write a Secret and give the server's answer."""
        key, _, project = LABEL.partition("=")
        metadata = {"namespace": self._namespace, "name": name, "labels": {key: project, **labels}}
        data = {"v": base64.b64encode(value.encode()).decode()}
        return await self._client.apply(SECRETS, {"metadata": metadata, "data": data})

    async def knows(self, expected: Mapping[str, str], *, seconds: float = 40.0) -> float:
        """Wait until the informer knows just this, and tell how many seconds that took."""
        began = time.monotonic()
        async with asyncio.timeout(seconds):
            while self.known != expected:
                self._changed.clear()
                await self._changed.wait()
        return time.monotonic() - began

    async def catch_up(self, marker: str = "end") -> None:
        """Write one Secret more, and wait until it is known: then all events before it were told."""
        await self.write(**{marker: "1"})
        await self.knows(self.known | {marker: "1"})

    def assert_consistent(self) -> None:
        """Each change began where the one before of that object ended: nothing lost, doubled or resurrected."""
        states: dict[str, str | None] = {}
        for name, before, after in self.changes:
            assert states.get(name) == before
            assert before is not None or after is not None
            states[name] = after


@pytest.fixture
def follow_secrets(client: KubeClient, proxied: KubeClient, namespace: str) -> Any:
    """Run an informer of the namespace's Secrets `a`, `b` and `c`; gives a `Secrets`."""

    @contextlib.asynccontextmanager
    async def run(*, informed: KubeClient = proxied, idle: float = 150.0) -> AsyncIterator[Secrets]:
        secrets = Secrets(client, namespace, informed, idle)
        await secrets.write(a="1", b="1", c="1")
        task = asyncio.ensure_future(secrets.informer.run())
        try:
            async with asyncio.timeout(30):
                await secrets.informer.synced.wait()
            yield secrets
            assert not task.done()
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        secrets.assert_consistent()

    return run


def reads(fault_proxy: FaultProxy, name: str = "*") -> int:
    """How many reads by name came."""
    return fault_proxy.count(verbs={"get"}, path=f"*/secrets/{name}")


class Wire:
    """Remembers all bytes that come in, by what was asked for, and can hold back the answers to reads by name.

    Args:
        config: of the server.
    """

    def __init__(self, config: ClusterConfig) -> None:
        self.transport = HttpTransport(config, user_agent="kamaji/test")
        self.asked: Counter[str] = Counter()
        self.received: dict[str, bytes] = {}
        self.free = asyncio.Event()  # cleared, it holds answers back
        self.free.set()
        self.holds = asyncio.Event()  # one, at least

    @contextlib.asynccontextmanager
    async def send(self, request: Request) -> AsyncIterator[Answer]:
        """See `Transport`."""
        kind = "watch" if dict(request.query).get("watch") else "get" if "/secrets/" in request.path else "list"
        self.asked[kind] += 1
        async with self.transport.send(request) as answer:
            yield _OnTheWire(answer, self, kind)

    def note(self, kind: str, chunk: bytes) -> None:
        """Remember what came in."""
        self.received[kind] = self.received.get(kind, b"") + chunk


class _OnTheWire:
    def __init__(self, answer: Answer, wire: Wire, kind: str) -> None:
        self.status = answer.status
        self.headers = answer.headers
        self._answer = answer
        self._wire = wire
        self._kind = kind

    async def read(self) -> bytes:
        body = await self._answer.read()
        self._wire.note(self._kind, body)
        if self._kind == "get" and not self._wire.free.is_set():
            self._wire.holds.set()
            await self._wire.free.wait()
        return body

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        async with contextlib.aclosing(self._answer.chunks()) as chunks:
            async for chunk in chunks:
                self._wire.note(self._kind, chunk)
                yield chunk


@pytest.fixture
async def wire(config: ClusterConfig) -> AsyncIterator[Wire]:
    """What carries an informer's requests, straight to the server."""
    wire = Wire(config)
    yield wire
    await wire.transport.aclose()


@pytest.fixture
async def wired(config: ClusterConfig, wire: Wire) -> AsyncIterator[KubeClient]:
    """A client on that wire."""
    async with KubeClient(config, transport=wire, timeout=30) as client:
        yield client


async def test_the_watch_carries_no_data(wire: Wire, wired: KubeClient, follow_secrets: Any) -> None:
    """On the wire, data comes once with the list and then with reads by name; never with the watch."""
    first, second = "first-value", "second-value"
    coded = {value: base64.b64encode(value.encode()) for value in (first, second)}
    async with follow_secrets(informed=wired) as secrets:
        await secrets.write(d=first)
        await secrets.knows({"a": "1", "b": "1", "c": "1", "d": first})
        await secrets.write(d=second, a=None)
        await secrets.knows({"b": "1", "c": "1", "d": second})
    assert wire.asked == {"list": 1, "watch": 1, "get": 2}
    assert base64.b64encode(b"1") in wire.received["list"]
    assert b"PartialObjectMetadata" in wire.received["watch"]
    assert b'"d"' in wire.received["watch"]
    assert b'"data":' not in wire.received["watch"]
    assert not any(value in wire.received["watch"] for value in coded.values())
    assert all(value in wire.received["get"] for value in coded.values())


async def test_the_first_list_is_all_that_is_read(follow_secrets: Any, fault_proxy: FaultProxy) -> None:
    """What the list told is not read again by name, and is known at once."""
    async with follow_secrets() as secrets:
        assert secrets.known == {"a": "1", "b": "1", "c": "1"}
        await secrets.catch_up()
        assert reads(fault_proxy) == reads(fault_proxy, "end") == 1
    assert fault_proxy.count(verbs={"list"}) == 1


async def test_each_change_is_one_read(follow_secrets: Any, fault_proxy: FaultProxy) -> None:
    """A new resourceVersion is read once by name, of the object that changed alone; a label's change too."""
    async with follow_secrets() as secrets:
        for number in range(2, 5):
            await secrets.write(a=str(number))
            await secrets.knows({"a": str(number), "b": "1", "c": "1"})
            assert reads(fault_proxy, "a") == number - 1
        await secrets.apply("a", "4", extra="label")
        await fault_proxy.until(lambda: reads(fault_proxy, "a") == 4)
        await secrets.apply("a", "4", extra="label")  # changes nothing, and makes no resourceVersion
        await secrets.catch_up()
    assert reads(fault_proxy, "a") == 4
    assert reads(fault_proxy) == 5
    assert fault_proxy.count(verbs={"list"}) == 1


async def test_changes_in_quick_succession_share_a_read(wire: Wire, wired: KubeClient, follow_secrets: Any) -> None:
    """While one read is under way, ten changes lead to just one more."""
    async with follow_secrets(informed=wired) as secrets:
        wire.free.clear()
        await secrets.write(a="2")
        await wire.holds.wait()
        for number in range(3, 13):
            await secrets.write(a=str(number))
        wire.free.set()
        await secrets.knows({"a": "12", "b": "1", "c": "1"})
        assert wire.asked["get"] == 2
        await secrets.catch_up()
        assert wire.asked["get"] == 3  # of the marker


@pytest.mark.parametrize("silent", [True, False], ids=["put first", "as it comes"])
async def test_our_own_writes_are_not_read(follow_secrets: Any, fault_proxy: FaultProxy, *, silent: bool) -> None:
    """The answer to an own write, handed to `put`, is known at once; the watch's word of it leads to no read."""
    if silent:  # the watch tells nothing until it is left
        fault_proxy.add(Stall(0), verbs={"watch"}, times=1)
    async with follow_secrets(idle=1.0 if silent else 150.0) as secrets:
        for name, value in (("a", "2"), ("new", "1"), ("a", "3")):
            secrets.informer.put(await secrets.apply(name, value))
            assert secrets.known[name] == value
        await secrets.catch_up()
    assert secrets.known == {"a": "3", "b": "1", "c": "1", "new": "1", "end": "1"}
    own = reads(fault_proxy, "a") + reads(fault_proxy, "new")
    # An event that came before the answer could be handed over may have been read for.
    assert own == 0 if silent else own <= 3
    assert fault_proxy.count(verbs={"list"}) == 1


@pytest.mark.parametrize("name", ["a", "new"])
async def test_our_own_write_of_which_the_watch_told_first(
    wire: Wire, wired: KubeClient, follow_secrets: Any, name: str
) -> None:
    """An answer that comes behind its event, before the read for that, is known at once all the same."""
    async with follow_secrets(informed=wired) as secrets:
        wire.free.clear()
        answer = await secrets.apply(name, "2")
        await wire.holds.wait()
        assert secrets.known == {"a": "1", "b": "1", "c": "1"}
        secrets.informer.put(answer)
        expected = {"a": "1", "b": "1", "c": "1", name: "2"}
        assert secrets.known == expected
        wire.free.set()
        await secrets.catch_up()
        assert secrets.known == expected | {"end": "1"}
    assert wire.asked["get"] == 2
    assert [after for changed, _, after in secrets.changes if changed == name][-1] == "2"


async def test_an_old_answer_is_no_news(wire: Wire, wired: KubeClient, follow_secrets: Any) -> None:
    """The answer to a write that another one has overwritten since does not end the wait for the newer state."""
    async with follow_secrets(informed=wired) as secrets:
        wire.free.clear()
        answer = await secrets.apply("a", "2")
        await wire.holds.wait()
        await secrets.apply("a", "3")
        await secrets.write(b=None)  # its event comes behind the other
        await secrets.knows({"a": "1", "c": "1"})
        secrets.informer.put(answer)
        wire.free.set()
        await secrets.knows({"a": "3", "c": "1"})


async def test_a_deletion_is_known_at_once(follow_secrets: Any, fault_proxy: FaultProxy) -> None:
    """Nothing is read for it."""
    async with follow_secrets() as secrets:
        await secrets.write(b=None)
        await secrets.knows({"a": "1", "c": "1"})
    assert reads(fault_proxy) == 0
    assert secrets.changes[-1] == ("b", "1", None)


async def test_leaving_the_selection_is_a_deletion(
    client: KubeClient, namespace: str, follow_secrets: Any, fault_proxy: FaultProxy
) -> None:
    """A Secret that lost its label is gone, and is there again, read by name, when it has it back."""
    async with follow_secrets() as secrets:
        label = LABEL.partition("=")[0]
        await client.merge_patch(SECRETS, "a", {"metadata": {"labels": {label: None}}}, namespace)
        await secrets.knows({"b": "1", "c": "1"})
        await secrets.apply("a", "2")
        await secrets.knows({"a": "2", "b": "1", "c": "1"})
    assert reads(fault_proxy, "a") == 1


async def test_a_deletion_while_it_is_read(wire: Wire, wired: KubeClient, follow_secrets: Any) -> None:
    """An answer that comes after the deletion, and still tells of the object, resurrects nothing."""
    async with follow_secrets(informed=wired) as secrets:
        wire.free.clear()
        await secrets.write(a="2")
        await wire.holds.wait()
        await secrets.write(a=None)
        await secrets.knows({"b": "1", "c": "1"})
        wire.free.set()
        await secrets.catch_up()
        assert secrets.known == {"b": "1", "c": "1", "end": "1"}
    assert [change for change in secrets.changes if change[0] == "a"] == [("a", None, "1"), ("a", "1", None)]


async def test_a_deletion_before_it_is_read(follow_secrets: Any, fault_proxy: FaultProxy) -> None:
    """A read that finds nothing any more is no trouble, and the deletion is told once."""
    rule = fault_proxy.add(Delay(0.5), verbs={"get"}, path="*/secrets/a", times=1)
    with structlog.testing.capture_logs() as logs:
        async with follow_secrets() as secrets:
            await secrets.write(a="2")
            await fault_proxy.until(lambda: rule.hits == 1)
            await secrets.write(a=None)
            await secrets.knows({"b": "1", "c": "1"})
            await fault_proxy.until(lambda: all(verb != "get" for _, verb in fault_proxy._open.values()))
            await secrets.catch_up()
    assert [change for change in secrets.changes if change[0] == "a"] == [("a", None, "1"), ("a", "1", None)]
    assert {entry["log_level"] for entry in logs} <= {"debug", "info"}
    assert reads(fault_proxy, "a") == 1


async def test_a_deletion_behind_a_silent_watch(follow_secrets: Any, fault_proxy: FaultProxy) -> None:
    """An object that is missing when it is read is gone, though no event told of it yet."""
    fault_proxy.add(Stall(1), verbs={"watch"}, times=1)
    rule = fault_proxy.add(Delay(0.3), verbs={"get"}, path="*/secrets/a", times=1)
    async with follow_secrets(idle=20) as secrets:
        await secrets.write(a="2")
        await fault_proxy.until(lambda: rule.hits == 1)
        await secrets.write(a=None)
        assert await secrets.knows({"b": "1", "c": "1"}) < 10
    assert secrets.changes[-1] == ("a", "1", None)


async def test_a_new_incarnation_while_it_is_read(wire: Wire, wired: KubeClient, follow_secrets: Any) -> None:
    """Deleted and made anew while the answer about the old one is on its way, a Secret is what it is now."""
    async with follow_secrets(informed=wired) as secrets:
        wire.free.clear()
        await secrets.write(a="2")
        await wire.holds.wait()
        await secrets.write(a=None)
        await secrets.knows({"b": "1", "c": "1"})
        await secrets.write(a="anew")
        wire.free.set()
        await secrets.knows({"a": "anew", "b": "1", "c": "1"})
        await secrets.catch_up()
        assert secrets.known["a"] == "anew"
    told = [after for name, _, after in secrets.changes if name == "a"]
    assert told == ["1", None, "anew"]


async def test_a_new_incarnation_before_it_is_read(follow_secrets: Any, fault_proxy: FaultProxy) -> None:
    """A read that finds the next incarnation already is taken; events of the one before take nothing back."""
    rule = fault_proxy.add(Delay(0.5), verbs={"get"}, path="*/secrets/a", times=1)
    async with follow_secrets() as secrets:
        await secrets.write(a="2")
        await fault_proxy.until(lambda: rule.hits == 1)
        await secrets.write(a=None)
        await secrets.write(a="anew")
        await secrets.knows({"a": "anew", "b": "1", "c": "1"})
        await secrets.catch_up()
        assert secrets.known["a"] == "anew"


async def test_many_incarnations(follow_secrets: Any, fault_proxy: FaultProxy) -> None:
    """Whatever the readers meet while objects come and go, the end is what is."""
    fault_proxy.add(Delay(0.05), verbs={"get"})
    async with follow_secrets() as secrets:
        for number in range(2, 12):
            await secrets.write(a=str(number), b=str(number))
            await secrets.write(a=None)
            await secrets.write(a=f"{number}-anew", c=str(number))
        await secrets.knows({"a": "11-anew", "b": "11", "c": "11"})
        await secrets.catch_up()
        assert secrets.known == {"a": "11-anew", "b": "11", "c": "11", "end": "1"}


@pytest.mark.parametrize("reason", ["Expired", "Gone"])
async def test_the_position_is_gone(
    follow_secrets: Any, fault_proxy: FaultProxy, told: Callable[..., None], reason: str
) -> None:
    """After 410 in the stream, the list tells what it hid, deletions too, and nothing is read that it told."""
    rule = fault_proxy.add(ErrorEvent(1, 410, reason), verbs={"watch"}, times=1)
    async with follow_secrets() as secrets:
        await fault_proxy.until(lambda: rule.hits == 1)
        await secrets.write(a="2")
        await secrets.write(b=None, d="1", c="2")
        healing = await secrets.knows({"a": "2", "c": "2", "d": "1"})
        await secrets.catch_up()
    told(healing_seconds=healing)
    assert healing < 5
    assert fault_proxy.count(verbs={"list"}) == 2
    assert reads(fault_proxy, "c") <= 1
    assert reads(fault_proxy, "b") == 0


async def test_the_position_is_gone_while_something_is_read(follow_secrets: Any, fault_proxy: FaultProxy) -> None:
    """An answer to a read that is older than the new list takes nothing back that the list told."""
    rule = fault_proxy.add(ErrorEvent(1, 410, "Expired"), verbs={"watch"}, times=1)
    wire = Wire(fault_proxy.config)
    wire.free.clear()
    async with (
        KubeClient(fault_proxy.config, transport=wire, timeout=30) as wired,
        follow_secrets(informed=wired) as secrets,
    ):
        await fault_proxy.until(lambda: rule.hits == 1)
        await secrets.write(a="2")
        await wire.holds.wait()
        await secrets.write(a="3", b=None)  # the first of these events gives way to the error
        await secrets.knows({"a": "3", "c": "1"})
        wire.free.set()
        await secrets.catch_up()
        assert secrets.known == {"a": "3", "c": "1", "end": "1"}
    await wire.transport.aclose()
    assert [after for name, _, after in secrets.changes if name == "a"] == ["1", "3"]
    assert fault_proxy.count(verbs={"list"}) == 2


@pytest.mark.parametrize(
    "fault", [Refuse(500, "InternalError"), Refuse(429, "TooManyRequests"), Refuse(403, "Forbidden")], ids=str
)
async def test_a_read_that_fails_is_tried_again(
    follow_secrets: Any, fault_proxy: FaultProxy, told: Callable[..., None], fault: Any
) -> None:
    """The last state stays until a read succeeds, the log says what failed, and others are not held up."""
    rule = fault_proxy.add(fault, verbs={"get"}, path="*/secrets/a", times=2)
    with structlog.testing.capture_logs() as logs:
        async with follow_secrets() as secrets:
            await secrets.write(a="2", b="2")
            await secrets.knows({"a": "1", "b": "2", "c": "1"})
            await fault_proxy.until(lambda: rule.hits == 2)
            healing = await secrets.knows({"a": "2", "b": "2", "c": "1"})
    told(healing_seconds=healing)
    assert reads(fault_proxy, "a") == 3
    failures = [entry for entry in logs if entry["event"] == "cannot read what changed"]
    assert [entry["name"] for entry in failures] == ["a", "a"]
    assert fault_proxy.count(verbs={"list"}) == 1


async def test_a_read_that_is_not_answered(
    client: KubeClient, follow_secrets: Any, fault_proxy: FaultProxy, told: Callable[..., None]
) -> None:
    """It ends at the client's limit and is tried again; meanwhile other objects are read."""
    rule = fault_proxy.add(Drop(), verbs={"get"}, path="*/secrets/a", times=1)
    async with (
        KubeClient(fault_proxy.config, timeout=2.0) as impatient,
        follow_secrets(informed=impatient) as secrets,
    ):
        await secrets.write(a="2")
        await fault_proxy.until(lambda: rule.hits == 1)
        await secrets.write(b="2", c="2")
        await secrets.knows({"a": "1", "b": "2", "c": "2"})
        healing = await secrets.knows({"a": "2", "b": "2", "c": "2"})
    told(healing_seconds=healing)
    assert healing < 6


async def test_a_change_does_not_wait_for_a_retry(follow_secrets: Any, fault_proxy: FaultProxy) -> None:
    """After many failures in a row, a new change is read at once."""
    rule = fault_proxy.add(Refuse(500, "InternalError"), verbs={"get"}, path="*/secrets/a", times=4)
    async with follow_secrets() as secrets:
        await secrets.write(a="2")
        await fault_proxy.until(lambda: rule.hits == 4)  # the next retry comes in 4 to 8 s
        await secrets.write(a="3")
        assert await secrets.knows({"a": "3", "b": "1", "c": "1"}) < 3


async def test_what_cannot_be_decoded_keeps_its_last_state(follow_secrets: Any, fault_proxy: FaultProxy) -> None:
    """An odd Secret is told of without its words, read once, and known again when it is corrected."""
    with structlog.testing.capture_logs() as logs:
        async with follow_secrets() as secrets:
            await secrets.write(a="odd-hunter2")
            await secrets.catch_up()
            assert secrets.known == {"a": "1", "b": "1", "c": "1", "end": "1"}
            assert reads(fault_proxy, "a") == 1
            await secrets.write(a="2")
            await secrets.knows({"a": "2", "b": "1", "c": "1", "end": "1"})
    errors = [entry for entry in logs if entry["log_level"] == "error"]
    assert [(entry["name"], entry["error"]) for entry in errors] == [("a", "ValueError")]
    assert "hunter2" not in str(logs)


async def test_what_cannot_be_decoded_survives_a_list(follow_secrets: Any, fault_proxy: FaultProxy) -> None:
    """Listed anew, an odd Secret still has its last state: a deletion would be torn down."""
    async with follow_secrets() as secrets:
        await secrets.write(a="odd")
        await secrets.catch_up()
        fault_proxy.add(ErrorEvent(0, 410, "Expired"), verbs={"watch"}, times=1)
        fault_proxy.cut(verbs={"watch"})
        await secrets.write(b="2")
        await fault_proxy.until(lambda: fault_proxy.count(verbs={"list"}) == 2)
        await secrets.knows({"a": "1", "b": "2", "c": "1", "end": "1"})
    assert not [change for change in secrets.changes if change[0] == "a" and change[2] is None]


async def test_running_again(client: KubeClient, proxied: KubeClient, namespace: str) -> None:
    """An informer that was cancelled in the midst of a read can run again, and knows what happened meanwhile."""
    secrets = Secrets(client, namespace, proxied, 150.0)
    for value in ("1", "2", "3"):
        task = asyncio.ensure_future(secrets.informer.run())
        await secrets.write(a=value)
        await secrets.knows({"a": value})
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await secrets.write(a=f"{value}-while-away")
    assert secrets.known == {"a": "3"}
    secrets.assert_consistent()
