"""Members that refuse, stall or vanish, and callers that give up: each call ends in time and in order."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from kamaji_core.contracts import Claim, Credentials, ProbeKind, StoreError
from kamaji_core.testing import free_port
from kamaji_datastore_etcd import session as session_module
from kamaji_datastore_etcd.channels import CALL_LIMIT
from kamaji_datastore_etcd.errors import ConnectionRefusedByServerError, TimedOutError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from kamaji_core.contracts import StoreView
    from kamaji_core.testing import EtcdServer
    from kamaji_datastore_etcd.session import EtcdSession

    OpenSession = Callable[[StoreView], EtcdSession]
    MakeStore = Callable[..., StoreView]

pytestmark = pytest.mark.real


class Gate:
    """A way to one endpoint that can be stalled: bytes wait until it opens again."""

    def __init__(self, endpoint: str) -> None:
        self._host, _, port = endpoint.partition(":")
        self._port = int(port)
        self._open = asyncio.Event()
        self._open.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> str:
        """Listen and tell the endpoint."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def stall(self) -> None:
        """Let nothing through any more."""
        self._open.clear()

    def open(self) -> None:
        """Let everything through again."""
        self._open.set()

    async def stop(self) -> None:
        """Cut all connections and listen no more."""
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        far_reader, far_writer = await asyncio.open_connection(self._host, self._port)
        try:
            await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            far_writer.close()
            self._tasks.discard(task)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            await self._open.wait()
            writer.write(data)
            await writer.drain()


@pytest.fixture
async def gate(store: StoreView) -> AsyncIterator[Gate]:
    """A gate before the shared server."""
    gate = Gate(store.endpoints[0])
    yield gate
    gate.open()
    await gate.stop()


def login(claim: Claim) -> Credentials:
    """Credentials as far as `ensure` looks at them."""
    return Credentials(user=claim.user)


async def test_a_member_that_is_down_is_passed_over(
    server: EtcdServer, store: StoreView, make_store: MakeStore, open_session: OpenSession, claim: Claim
) -> None:
    """With one member that refuses, claims are made and removed as if it were not there."""
    endpoints = (f"127.0.0.1:{free_port()}", *store.endpoints)
    session = open_session(make_store(server, endpoints=endpoints))
    assert (await session.probe()).ok
    await session.ensure(claim, login(claim))
    await session.remove(claim)


async def test_a_member_that_is_silent_costs_only_its_share(
    server: EtcdServer, store: StoreView, make_store: MakeStore, open_session: OpenSession, gate: Gate
) -> None:
    """A stalled member is left within half of the limit, and not asked first again."""
    endpoint = await gate.start()
    session = open_session(make_store(server, endpoints=(endpoint, *store.endpoints)))
    assert (await session.probe()).ok
    gate.stall()
    loop = asyncio.get_running_loop()
    begun = loop.time()
    assert (await session.probe()).ok
    first = loop.time() - begun
    assert (await session.probe()).ok
    second = loop.time() - begun - first
    assert CALL_LIMIT / 2 - 0.5 < first < CALL_LIMIT
    assert second < 1


async def test_a_stalled_connection_times_out_and_recovers(
    server: EtcdServer, make_store: MakeStore, open_session: OpenSession, gate: Gate, claim: Claim
) -> None:
    """A call on a dead connection ends with a time-out; when the way is open again, calls succeed."""
    session = open_session(make_store(server, endpoints=(await gate.start(),)))
    assert (await session.probe()).ok
    gate.stall()
    with pytest.raises(TimedOutError, match="did not answer in time") as caught:
        await session.ensure(claim, login(claim))
    assert (caught.value.kind, caught.value.retry) == (ProbeKind.TIMEOUT, True)
    gate.open()
    await session.ensure(claim, login(claim))


async def test_a_cut_connection_is_made_again(
    server: EtcdServer, store: StoreView, make_store: MakeStore, open_session: OpenSession, claim: Claim
) -> None:
    """After all connections were cut, the next attempts reach the server again."""
    first, second = Gate(store.endpoints[0]), Gate(store.endpoints[0])
    session = open_session(make_store(server, endpoints=(await first.start(), await second.start())))
    await session.ensure(claim, login(claim))
    await first.stop()
    await session.ensure(claim, login(claim))
    await second.stop()
    with pytest.raises(StoreError):
        await session.ensure(claim, login(claim))


async def test_a_whole_method_is_bounded_in_time(
    server: EtcdServer,
    make_store: MakeStore,
    open_session: OpenSession,
    gate: Gate,
    claim: Claim,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However long its calls may take, a method ends at its own limit with an error that may be tried again."""
    monkeypatch.setattr(session_module, "WRITE_LIMIT", 0.3)
    monkeypatch.setattr(session_module, "REMOVE_LIMIT", 0.3)
    session = open_session(make_store(server, endpoints=(await gate.start(),)))
    gate.stall()
    for call in (session.ensure(claim, login(claim)), session.revoke(claim), session.remove(claim)):
        with pytest.raises(TimedOutError):
            await call


async def test_a_caller_may_give_up(
    server: EtcdServer, make_store: MakeStore, open_session: OpenSession, gate: Gate, claim: Claim
) -> None:
    """A cancelled call ends at once, leaves no task behind, and the session goes on working."""
    session = open_session(make_store(server, endpoints=(await gate.start(),)))
    assert (await session.probe()).ok
    gate.stall()
    tasks_before = len(asyncio.all_tasks())
    task = asyncio.create_task(session.ensure(claim, login(claim)))
    await asyncio.wait({task}, timeout=0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(asyncio.all_tasks()) == tasks_before
    gate.open()
    await session.ensure(claim, login(claim))


async def test_errors_when_the_server_is_down_may_be_tried_again(
    server: EtcdServer, make_store: MakeStore, open_session: OpenSession, claim: Claim
) -> None:
    """Every method that talks says that nobody listens."""
    session = open_session(make_store(server, endpoints=(f"127.0.0.1:{free_port()}",)))
    for call in (session.ensure(claim, login(claim)), session.revoke(claim), session.remove(claim)):
        with pytest.raises(ConnectionRefusedByServerError) as caught:
            await call
        assert caught.value.retry


async def test_a_closed_session_says_so(session: EtcdSession, claim: Claim) -> None:
    """After closing, calls are refused with a sentence, and closing again is no error."""
    assert (await session.probe()).ok
    await session.aclose()
    with pytest.raises(StoreError, match="was closed") as caught:
        await session.ensure(claim, login(claim))
    assert caught.value.retry
    assert "was closed" in (await session.probe()).sentence
    await session.aclose()


async def test_calls_in_flight_end_before_closing(session: EtcdSession, make_claim: Callable[..., Claim]) -> None:
    """Closing neither cancels its callers nor leaves them waiting: each call ends or is refused."""
    assert (await session.probe()).ok
    claims = [make_claim() for _ in range(10)]
    tasks = [asyncio.create_task(session.ensure(claim, login(claim))) for claim in claims]
    await asyncio.wait(tasks, timeout=0.01, return_when=asyncio.FIRST_COMPLETED)
    await session.aclose()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(answer is None or isinstance(answer, StoreError) for answer in answers)


async def test_settings_of_two_stores_do_not_mix(
    session: EtcdSession, server: EtcdServer, make_store: MakeStore, open_session: OpenSession
) -> None:
    """Two sessions at the same endpoint log in with their own certificates."""
    other = open_session(make_store(server, client=server.issue_client("nobody-at-all")))
    kinds = [(await session.probe()).kind, (await other.probe()).kind, (await session.probe()).kind]
    assert kinds == [ProbeKind.OK, ProbeKind.AUTH, ProbeKind.OK]
