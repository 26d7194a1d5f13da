"""A member that misbehaves as HTTP/2 allows: every fault has a type and the session goes on, on either event loop."""

from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import uvloop
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import StreamEnded, StreamReset

from kamaji_core.contracts import ProbeKind, TlsMaterial
from kamaji_core.pki import CertificateRequest, KeyPair, Usage, issue_certificate
from kamaji_datastore_etcd import channels as channels_module
from kamaji_datastore_etcd import errors
from kamaji_datastore_etcd.channels import Channels, Method, TlsUnusableError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    Act = Callable[["Peer", int], None]
    Scene = Callable[["FalseMember", Channels], Awaitable[None]]
    Play = Callable[[Scene], None]

HUGE = 64 * 1024 * 1024
PING = b"\0\0\x08\x06\0\0\0\0\0" + b"12345678"


class Words:
    """A request, encoded as protobuf's are."""

    def SerializeToString(self) -> bytes:  # noqa: N802 - protobuf's name
        """Encode."""
        return b"asked"


async def ask(channels: Channels, *, limit: float = 5.0, decode: Callable[[bytes], Any] = bytes) -> Any:
    """Ask the member something."""
    return await channels.call(Method(path="/test/Echo", decode=decode), Words(), limit=limit)


class Peer(asyncio.Protocol):
    """One connection at the member."""

    def __init__(self, member: FalseMember) -> None:
        self.member = member
        self.http = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        self.deaf = False

    def connection_made(self, transport: Any) -> None:
        """Greet."""
        self.transport = transport
        self.member.peers.append(self)
        self.http.initiate_connection()
        self.flush()

    def data_received(self, data: bytes) -> None:
        """Do as the member does."""
        for event in [] if self.deaf else self.http.receive_data(data):
            if isinstance(event, StreamReset):
                self.member.resets += 1
            if isinstance(event, StreamEnded) and not self.deaf:
                self.member.act(self, event.stream_id)
        self.flush()

    def send(self, stream: int, content: bytes, *, size: int | None = None) -> None:
        """Answer, and tell another size than the content's where one is given."""
        head = b"\0" + (len(content) if size is None else size).to_bytes(4, "big")
        self.http.send_headers(stream, [(":status", "200"), ("content-type", "application/grpc")])
        self.http.send_data(stream, head + content)

    def end(self, stream: int) -> None:
        """Tell that all is well."""
        self.http.send_headers(stream, [("grpc-status", "0")], end_stream=True)

    def flush(self) -> None:
        """Send what is ready."""
        if data := self.http.data_to_send():
            self.transport.write(data)


class FalseMember:
    """A server that answers until the test tells it otherwise.

    Attributes:
        act: what it does when it is asked.
        peers: all connections that were ever made.
        resets: calls that the client broke off.
    """

    def __init__(self) -> None:
        self.act: Act = self.answer
        self.peers: list[Peer] = []
        self.resets = 0

    def answer(self, peer: Peer, stream: int) -> None:
        """Answer in order."""
        peer.send(stream, b"answer")
        peer.end(stream)

    def say_farewell(self, peer: Peer, stream: int) -> None:
        """Send GOAWAY and a ping, as Go's library does, another ping later, and serve the next connection."""
        self.act = self.answer
        peer.http.close_connection(last_stream_id=stream)
        peer.flush()
        peer.deaf = True
        peer.transport.write(PING)
        asyncio.get_running_loop().call_later(0.02, peer.transport.write, PING)

    def cut(self, peer: Peer, stream: int) -> None:
        """End the connection instead of answering, and serve the next one."""
        self.act = self.answer
        peer.transport.abort()


@pytest.fixture
def tls(authority: KeyPair, operator: KeyPair) -> TlsMaterial:
    """The operator's side."""
    return TlsMaterial(
        ca_certificate=authority.certificate, client_certificate=operator.certificate, client_key=operator.key
    )


@pytest.fixture(params=["asyncio", "uvloop"])
def play(request: pytest.FixtureRequest, authority: KeyPair, tls: TlsMaterial, tmp_path: Path) -> Play:
    """Run a scene between a false member and the driver on one of the loops; nothing may be told to the loop."""
    wanted = CertificateRequest(common_name="etcd", usages=frozenset({Usage.SERVER}), names=frozenset({"127.0.0.1"}))
    pair = issue_certificate(wanted, ca=authority, now=datetime.now(UTC), lifetime=timedelta(days=1))
    file = tmp_path / "server.pem"
    file.write_bytes(pair.certificate + pair.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    context.set_alpn_protocols(["h2"])

    async def perform(scene: Scene) -> None:
        loop = asyncio.get_running_loop()
        told: list[dict[str, Any]] = []
        loop.set_exception_handler(lambda _, what: told.append(what))
        member = FalseMember()
        server = await loop.create_server(lambda: Peer(member), "127.0.0.1", 0, ssl=context)
        channels = Channels((f"127.0.0.1:{server.sockets[0].getsockname()[1]}",), tls)
        try:
            async with asyncio.timeout(20):
                await scene(member, channels)
        finally:
            await channels.aclose()
            for peer in member.peers:
                peer.transport.abort()
            server.close()
            await asyncio.sleep(0.02)
        assert told == []

    def run(scene: Scene) -> None:
        factory = uvloop.new_event_loop if request.param == "uvloop" else asyncio.new_event_loop
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(perform(scene))

    return run


@pytest.mark.parametrize("act", ["say_farewell", "cut"])
def test_a_kept_connection_that_ends_is_made_anew(play: Play, act: str) -> None:
    """Calls that came as the server ended the connection are asked again over a new one, all of them."""

    async def scene(member: FalseMember, channels: Channels) -> None:
        await ask(channels)
        member.act = getattr(member, act)
        assert await asyncio.gather(*(ask(channels) for _ in range(5))) == [b"answer"] * 5
        assert len(member.peers) == 2
        await asyncio.sleep(0.05)
        assert await ask(channels) == b"answer"

    play(scene)


def test_a_new_connection_that_ends_is_an_error(play: Play) -> None:
    """A call is not asked again where its connection was made for it: the server may always do so."""

    async def scene(member: FalseMember, channels: Channels) -> None:
        member.act = member.cut
        with pytest.raises(errors.UnavailableError) as caught:
            await ask(channels)
        assert caught.value.retry
        assert len(member.peers) == 1

    play(scene)


def test_a_dead_connection_is_left_although_its_callers_gave_up(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    """A probe is cancelled by its own limit before the call's: the next one connects anew all the same."""
    monkeypatch.setattr(channels_module, "SILENCE_LIMIT", 0.2)

    async def scene(member: FalseMember, channels: Channels) -> None:
        await ask(channels)
        member.peers[0].deaf = True
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await ask(channels)
        assert await ask(channels) == b"answer"
        assert len(member.peers) == 2

    play(scene)


def test_a_call_that_is_given_up_early_leaves_the_connection(play: Play) -> None:
    """A cancelled call alone is no sign of a dead member: the same connection serves the next."""

    async def scene(member: FalseMember, channels: Channels) -> None:
        await ask(channels)
        member.act = lambda _peer, _stream: None
        task = asyncio.create_task(ask(channels))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        member.act = member.answer
        assert await ask(channels) == b"answer"
        assert (len(member.peers), member.resets) == (1, 1)

    play(scene)


def test_an_answer_that_is_too_large_is_not_read(play: Play) -> None:
    """Its length comes first: nothing more of it is awaited, and the connection serves on."""

    async def scene(member: FalseMember, channels: Channels) -> None:
        member.act = lambda peer, stream: peer.send(stream, b"begin", size=HUGE)
        with pytest.raises(errors.AnswerTooLargeError, match=f"{HUGE} bytes of at most") as caught:
            await ask(channels)
        assert not caught.value.retry
        member.act = member.answer
        assert await ask(channels) == b"answer"
        assert (len(member.peers), member.resets) == (1, 1)

    play(scene)


def test_half_an_answer_is_an_error(play: Play) -> None:
    """A message that ends too soon, and one that cannot be decoded, are errors that may be tried again."""

    def half(peer: Peer, stream: int) -> None:
        peer.send(stream, b"answer", size=12)
        peer.end(stream)

    def refuse(_: bytes) -> bytes:
        raise ValueError("wrong wire type")

    async def scene(member: FalseMember, channels: Channels) -> None:
        member.act = half
        with pytest.raises(errors.UnavailableError):
            await ask(channels)
        member.act = member.answer
        with pytest.raises(errors.EtcdError, match="cannot be read: wrong wire type") as caught:
            await ask(channels, decode=refuse)
        assert caught.value.retry

    play(scene)


@pytest.mark.parametrize(
    ("code", "kind"),
    [(ErrorCodes.CANCEL, errors.TimedOutError), (ErrorCodes.REFUSED_STREAM, errors.UnavailableError)],
)
def test_a_call_that_the_server_breaks_off_has_a_type(
    play: Play, code: ErrorCodes, kind: type[errors.EtcdError]
) -> None:
    """A server that cancels has kept the limit that it was told; otherwise it cannot serve."""

    async def scene(member: FalseMember, channels: Channels) -> None:
        member.act = lambda peer, stream: peer.http.reset_stream(stream, code)
        with pytest.raises(errors.EtcdError) as caught:
            await ask(channels)
        assert type(caught.value) is kind

    play(scene)


async def test_a_name_that_cannot_be_is_unknown(tls: TlsMaterial) -> None:
    """A part of a name longer than DNS allows fails before anybody is asked."""
    channels = Channels((f"{'a' * 70}.example:2379",), tls)
    with pytest.raises(errors.UnknownHostError, match="cannot be resolved"):
        await ask(channels)
    await channels.aclose()


async def test_a_key_that_openssl_refuses_is_told(tls: TlsMaterial, authority: KeyPair) -> None:
    """Where settings were not checked before, certificate and key that are no pair are a sentence."""
    unusable = TlsMaterial(
        ca_certificate=tls.ca_certificate, client_certificate=tls.client_certificate, client_key=authority.key
    )
    channels = Channels(("127.0.0.1:1",), unusable)
    with pytest.raises(TlsUnusableError, match=r"spec\.tlsConfig") as caught:
        await ask(channels)
    assert (caught.value.kind, caught.value.retry) == (ProbeKind.TLS, False)
    await channels.aclose()
