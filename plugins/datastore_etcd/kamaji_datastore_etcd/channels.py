"""Connections to an etcd's members: one lazy channel each, and the next member when one cannot serve.

A TLS name can be given only once per channel while members' own certificates usually name only themselves, so there is
one channel per endpoint, verified against that endpoint, and failing over is done here. Every call of the driver may be
repeated, so a call whose connection broke is asked again of the next member. `Channels` owns the channels and which
member is asked first.

The library is pure Python: gRPC's own would be quicker by a fraction of a millisecond a call and cost every operator
12 MiB (docs/decisions/0023).
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, cast

from grpclib.client import Channel, Handler, Stream
from grpclib.config import Configuration
from grpclib.const import Cardinality
from grpclib.encoding.base import CodecBase
from grpclib.exceptions import GRPCError, StreamTerminatedError
from grpclib.metadata import Deadline
from grpclib.protocol import H2Protocol
from h2.exceptions import H2Error
from multidict import MultiDict

from kamaji_core.contracts import ProbeKind, StoreError
from kamaji_core.pki import tls_context
from kamaji_datastore_etcd.errors import AnswerTooLargeError, EtcdError, TimedOutError, UnavailableError, error_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from kamaji_core.contracts import TlsMaterial

CALL_LIMIT = 5.0
"""Seconds that one call may take, all members together."""

FAREWELL_LIMIT = 0.5
"""Seconds that a server has to answer the end of TLS."""

ANSWER_LIMIT = 32 * 1024 * 1024
"""Bytes of one answer."""

SILENCE_LIMIT = 4.0
"""Seconds without a byte from a member that was asked, after which its connection is not used for new calls; less than
any caller's own limit, since calls that are cancelled there never come to theirs."""

_HEAD = 5
"""Bytes before a message: whether it is compressed, and its length."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """A unary method of etcd's public interface.

    Args:
        path: `/service/Method`.
        decode: makes its answer from bytes.
    """

    path: str
    decode: Callable[[bytes], Any]


class SessionClosedError(StoreError):
    """The session was closed, because the DataStore changed or the operator stops."""

    def __init__(self) -> None:
        super().__init__("The connection to etcd was closed: the next attempt opens a new one.", kind=ProbeKind.REFUSED)


class TlsUnusableError(StoreError):
    """OpenSSL does not take the store's certificates or key, although they are in order as such."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"The certificates of spec.tlsConfig cannot be used for TLS, {reason}: replace them.",
            kind=ProbeKind.TLS,
            retry=False,
        )


class Channels:
    """Lazily connected channels to the members of one etcd.

    Args:
        endpoints: `host:port` of each member.
        tls: authority that the members are verified with, and the client certificate.
    """

    def __init__(self, endpoints: tuple[str, ...], tls: TlsMaterial) -> None:
        self.endpoints = endpoints
        self._tls = tls
        self._channels: dict[str, _Member] = {}
        self._left: dict[_Member, asyncio.TimerHandle] = {}  # used no more, closed when their calls have ended
        self._calls: set[asyncio.Task[Any]] = set()
        self._first = 0
        self._closed = False

    async def call(self, method: Method, request: Any, *, limit: float = CALL_LIMIT) -> Any:
        """Ask one member, and the others when it cannot serve.

        Args:
            method: what to ask.
            request: its message.
            limit: seconds, all members together.

        Raises:
            EtcdError: what the answer means; of the last member asked when none can serve.
            TlsUnusableError: when the certificates or the key cannot be used.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + limit
        failure: UnavailableError | None = None
        for left in range(len(self.endpoints), 0, -1):
            asked = self._first
            try:
                # A silent member may use up only its share, so that the others are asked in time.
                return await self._call_one(self.endpoints[asked], method, request, limit=(end - loop.time()) / left)
            except UnavailableError as error:
                failure = error
                if self._first == asked:  # another call may have moved on already
                    self._first = (asked + 1) % len(self.endpoints)
        assert failure is not None  # noqa: S101 - a DataStore has at least one endpoint
        raise failure

    async def _call_one(self, endpoint: str, method: Method, request: Any, *, limit: float) -> Any:
        loop = asyncio.get_running_loop()
        end = loop.time() + limit
        kept = self._member(endpoint).kept()
        try:
            return await self._try(endpoint, method, request, limit=limit)
        except TimedOutError:
            raise
        except UnavailableError:
            # The library drops a connection with all its calls where the server only says that it takes no new ones.
            if kept is None or not kept.is_lost:
                raise
        return await self._try(endpoint, method, request, limit=end - loop.time())

    async def _try(self, endpoint: str, method: Method, request: Any, *, limit: float) -> Any:
        member = self._member(endpoint)
        # A task of its own: the library wakes a call at its end by cancelling the task that it runs in, and never
        # takes that back, which would confuse every time limit around us.
        task = asyncio.create_task(member.ask(method, request, limit=max(limit, 0.1)))
        self._calls.add(task)
        task.add_done_callback(self._forget)
        try:
            await asyncio.wait({task})
        finally:
            task.cancel()
        try:
            return task.result()
        except TimedOutError:
            # Perhaps its machine is gone, which the connection does not know: the next call makes a new one.
            self._leave(endpoint, member)
            raise

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._calls.discard(task)
        if not task.cancelled():
            task.exception()  # looked at, also where nobody waits any more

    def _member(self, endpoint: str) -> _Member:
        if self._closed:
            raise SessionClosedError
        member = self._channels.get(endpoint)
        if member is not None and member.is_silent():
            self._leave(endpoint, member)  # its calls may all have been cancelled, before their own limits
        if endpoint not in self._channels:
            self._channels[endpoint] = _Member(endpoint, self._tls)
        return self._channels[endpoint]

    def _leave(self, endpoint: str, member: _Member) -> None:
        """Use a connection no more; calls that are in flight on it have their own limits."""
        if self._channels.get(endpoint) is member:
            del self._channels[endpoint]
            self._left[member] = asyncio.get_running_loop().call_later(CALL_LIMIT, self._drop, member)

    def _drop(self, member: _Member) -> None:
        del self._left[member]
        member.close()

    async def aclose(self) -> None:
        """Refuse new calls, let those in flight end within their own limits, close all connections."""
        self._closed = True
        try:
            if self._calls:
                await asyncio.wait(self._calls, timeout=CALL_LIMIT)
        finally:  # also when whoever closes them is cancelled
            for timer in self._left.values():
                timer.cancel()
            members = [*self._channels.values(), *self._left]
            self._channels.clear()
            self._left.clear()
            for member in members:  # before anything is awaited, where another cancellation could come in between
                member.close()
            await asyncio.gather(*(member.aclose() for member in members))


class _Member:
    """One channel to one member.

    Args:
        endpoint: its `host:port`.
        tls: authority that it is verified with, and the client certificate.
    """

    def __init__(self, endpoint: str, tls: TlsMaterial) -> None:
        self._endpoint = endpoint
        self._channel = _WatchedChannel(endpoint, tls)

    async def ask(self, method: Method, request: Any, *, limit: float) -> Any:
        """Ask it.

        Raises:
            EtcdError: what the answer means, or why there is none.
        """
        try:
            async with _Call(self._channel, method.path, limit=limit) as call:
                await call.send_message(request, end=True)
                self._channel.is_asked()
                answer = await call.recv_message()
                await call.recv_trailing_metadata()
        except GRPCError as error:
            raise self._error(error.status.name, error.message or "") from None
        except TimeoutError:
            raise self._error("DEADLINE_EXCEEDED", "") from None
        except _AnswerTooLongError as error:
            raise AnswerTooLargeError(endpoint=self._endpoint, detail=str(error)) from None
        except Exception as error:  # the library stumbles in many ways over a broken connection
            raise self._error("UNAVAILABLE", self._channel.why(error)) from error
        if answer is None:
            raise self._error("INTERNAL", "no answer, and no error either")
        try:
            return method.decode(answer)
        except Exception as error:
            raise self._error("INTERNAL", f"an answer that cannot be read: {error}") from error

    def kept(self) -> _Connection | None:
        """Tell the connection that the next call will use, None when it has to be made."""
        return self._channel.kept()

    def is_silent(self) -> bool:
        """Whether an answer was expected for too long, and not even a sign of life came."""
        kept = self._channel.kept()
        return kept is not None and kept.is_silent()

    def close(self) -> None:
        """Drop its connection."""
        self._channel.close()

    async def aclose(self) -> None:
        """Drop its connection and wait until that has happened."""
        self._channel.close()
        await self._channel.ended()

    def _error(self, code: str, detail: str) -> EtcdError:
        return error_for(code=code, detail=detail, endpoint=self._endpoint)


class _Raw(CodecBase):
    """Leaves decoding to whoever asked, so that it fails there and not in the library."""

    __content_subtype__: ClassVar[str] = "proto"

    def encode(self, message: Any, message_type: Any) -> bytes:  # noqa: ARG002 - the library's interface
        content: bytes = message.SerializeToString()
        return content

    def decode(self, data: bytes, message_type: Any) -> bytes:  # noqa: ARG002 - as above
        return data


class _AnswerTooLongError(Exception):
    """An answer's length, which is known before the answer, is beyond the limit."""

    def __init__(self, size: int) -> None:
        super().__init__(f"{size} bytes of at most {ANSWER_LIMIT}")


class _Call(Stream[Any, bytes]):
    """A unary call that looks at its answer's length before it takes the answer into memory."""

    def __init__(self, channel: _WatchedChannel, path: str, *, limit: float) -> None:
        super().__init__(
            channel,
            path,
            cast("Any", MultiDict()),
            Cardinality.UNARY_UNARY,
            object,
            bytes,
            codec=channel.raw,
            status_details_codec=None,
            dispatch=channel.__dispatch__,
            deadline=Deadline.from_timeout(limit),  # told to the server, so that it gives up too
        )

    async def recv_message(self) -> bytes | None:
        if not self._recv_initial_metadata_done:
            await self.recv_initial_metadata()
        with self._wrapper:
            head = await self._stream.recv_data(_HEAD)
            if not head:
                return None
            size = int.from_bytes(head[1:], "big")
            if size > ANSWER_LIMIT:
                raise _AnswerTooLongError(size)
            return await self._stream.recv_data(size)


class _Connection(H2Protocol):
    """A connection that remembers why it ended, whether the server ever spoke on it, and since when it is silent."""

    greeted = False
    lost_by: BaseException | None = None
    transport: asyncio.Transport | None = None
    asked: float | None = None

    @property
    def is_lost(self) -> bool:
        """Whether nothing can be asked over it any more."""
        return cast("Handler", self.handler).connection_lost

    def is_silent(self) -> bool:
        """Whether an answer was expected for too long, and not even a sign of life came."""
        return self.asked is not None and asyncio.get_running_loop().time() - self.asked >= SILENCE_LIMIT

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]  # of TCP with TLS, which is a Transport
        self.lost = asyncio.Event()
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        self.greeted = True
        self.asked = None
        if not self.is_lost:  # the library fails on what follows the server's farewell
            super().data_received(data)

    def connection_lost(self, exc: BaseException | None) -> None:
        self.lost_by = exc
        self.lost.set()
        super().connection_lost(exc)


class _WatchedChannel(Channel):
    """A channel that can tell why its last connection failed.

    Args:
        endpoint: `host:port`, an IPv6 address in brackets.
        tls: authority that the server is verified with, and the client certificate.
    """

    def __init__(self, endpoint: str, tls: TlsMaterial) -> None:
        host, _, port = endpoint.rpartition(":")
        try:
            context = tls_context(tls.ca_certificate, certificate=tls.client_certificate, key=tls.client_key)
        except ValueError as error:
            raise TlsUnusableError(str(error)) from error
        context.set_alpn_protocols(["h2"])
        self.raw = _Raw()
        super().__init__(host.strip("[]"), int(port), ssl=context, codec=self.raw, config=Configuration())
        self._last: _Connection | None = None

    def _protocol_factory(self) -> H2Protocol:
        self._last = _Connection(Handler(), self._config, self._h2_config)
        return self._last

    def kept(self) -> _Connection | None:
        """Tell the connection that the next call will use, None when it has to be made."""
        connection = cast("_Connection | None", self._protocol)
        return None if connection is None or connection.is_lost else connection

    def is_asked(self) -> None:
        """Note that an answer is expected from now on."""
        if (kept := self.kept()) is not None and kept.asked is None:
            kept.asked = asyncio.get_running_loop().time()

    def close(self) -> None:
        """Drop the connection, also one that is lost already."""
        with contextlib.suppress(AttributeError):  # the library forgets its parts when a connection ends
            super().close()
        self._protocol = None

    async def ended(self) -> None:
        """Wait until the last connection is closed; one whose server does not answer the farewell is cut off."""
        last = self._last
        if last is None or last.transport is None:
            return
        try:
            async with asyncio.timeout(FAREWELL_LIMIT):
                await last.lost.wait()
        except TimeoutError:
            last.transport.abort()
            await last.lost.wait()

    def why(self, error: Exception) -> str:
        """Say what broke a call, in words that the table of errors knows."""
        cause: BaseException = error
        greeted = self._last is not None and self._last.greeted
        if isinstance(error, StreamTerminatedError | H2Error) and self._last is not None:
            cause = self._last.lost_by or error
            # TLS 1.3 lets a client finish before the server has looked at its certificate.
            if not greeted and not isinstance(cause, ssl.SSLError):
                return f"handshake: {cause}"
        return _words(cause, greeted=greeted)


def _words(cause: BaseException, *, greeted: bool) -> str:
    match cause:
        case ssl.SSLCertVerificationError():
            words = f"certificate_verify_failed: {cause.verify_message}"
        case ssl.SSLError():
            words = f"ssl_error: {cause.reason}"
        case socket.gaierror():
            words = f"dns resolution failed: {cause.strerror}"
        case UnicodeError():  # a part of the name is longer than DNS allows
            words = f"dns resolution failed: {cause}"
        case ConnectionRefusedError():
            words = "connection refused"
        case ConnectionError() if not greeted:
            words = f"handshake: {cause}"
        case _:
            words = str(cause) or type(cause).__name__
    return words
