"""All requests to one API server over one connection, for the clusters of a thousand tenants.

A watch over HTTP/1.1 holds a connection of its own, and TLS takes 45 KiB of memory for each. Over HTTP/2 a tenant's
watches and requests share one. A server that does not speak it is spoken to as before.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
import weakref
from collections import deque
from typing import TYPE_CHECKING, Any

import aiohappyeyeballs
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    RemoteSettingsChanged,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    WindowUpdated,
)
from h2.exceptions import H2Error, TooManyStreamsError
from h2.settings import SettingCodes
from multidict import CIMultiDict

from kamaji_core.kube.errors import UnreachableError
from kamaji_core.kube.transport import (
    UNAUTHORIZED,
    USER_AGENT,
    HttpTransport,
    headers_of,
    ssl_context,
    url_of,
    watched_socket,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping

    from h2.events import Event

    from kamaji_core.kube.config import ClusterConfig
    from kamaji_core.kube.requests import Request
    from kamaji_core.kube.transport import Answer


class Http2Transport:
    """Carries requests over one HTTP/2 connection, or as `HttpTransport` does where the server speaks HTTP/1.1 only.

    Any number of requests share the connection: how many go at once is the caller's to bound.

    Args:
        config: address, trust and credentials.
        user_agent: sent with each request; what stands before its slash is our field manager.
    """

    def __init__(self, config: ClusterConfig, *, user_agent: str = USER_AGENT) -> None:
        self._server = config.server.rstrip("/")
        self._config = config
        self._user_agent = user_agent
        self._connecting = asyncio.Lock()
        self._connection: _Connection | HttpTransport | None = None
        self._ending: weakref.WeakSet[_Connection] = weakref.WeakSet()

    @contextlib.asynccontextmanager
    async def send(self, request: Request) -> AsyncIterator[Answer]:
        """Send a request; leaving the context before the body's end cancels it and leaves the connection to others."""
        connection = await self._connected(request.what)
        if isinstance(connection, HttpTransport):
            async with connection.send(request) as older:
                yield older
            return
        with self.translated(request.what):
            stream = connection.open(self._head(request), ends=not request.body)
        try:
            answer = _Http2Answer(stream, self, request.what)
            with self.translated(request.what):
                if request.body:
                    await stream.write(request.body)
                await stream.until(lambda: stream.status)
            if answer.status == UNAUTHORIZED:
                self._config.forget_token()
            yield answer
        finally:
            stream.close()

    async def aclose(self) -> None:
        """Close the connection; the transport can be used again."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.aclose()
        for ending in list(self._ending):
            await ending.aclose()

    def _head(self, request: Request) -> list[tuple[str, str]]:
        url = url_of(self._server, request)
        return [
            (":method", request.method),
            (":authority", url.authority),
            (":scheme", url.scheme),
            (":path", url.raw_path_qs),
            *((name.lower(), value) for name, value in headers_of(self._config, self._user_agent, request).items()),
        ]

    async def _connected(self, what: str) -> _Connection | HttpTransport:
        """Give what takes requests."""
        async with self._connecting:
            if isinstance(self._connection, _Connection) and self._connection.is_over:
                self._ending.add(self._connection)
                self._connection = None
            if self._connection is None:
                with self.translated(what):
                    self._connection = await self._connect()
            return self._connection

    async def _connect(self) -> _Connection | HttpTransport:
        url = url_of(self._server)
        if url.scheme != "https" or url.host is None or url.port is None:
            return HttpTransport(self._config, user_agent=self._user_agent)
        loop = asyncio.get_running_loop()
        addresses = await loop.getaddrinfo(url.host, url.port, type=socket.SOCK_STREAM)
        connected = await aiohappyeyeballs.start_connection(
            addresses, happy_eyeballs_delay=_NEXT_ADDRESS_SECONDS, socket_factory=watched_socket
        )
        try:
            # After the connection, since a server that starts refuses some: certificates are read for one that listens.
            context = ssl_context(self._config)
            if isinstance(context, ssl.SSLContext):
                context.set_alpn_protocols([_HTTP2, "http/1.1"])
        except BaseException:
            connected.close()
            raise
        try:
            _, connection = await loop.create_connection(
                _Connection, sock=connected, ssl=context, server_hostname=self._config.tls_server_name or url.host
            )
        except BaseException:
            # What was cancelled in the middle would wait for the server to end TLS with it.
            with contextlib.suppress(OSError):
                connected.shutdown(socket.SHUT_RDWR)
            raise
        if connection.speaks == _HTTP2:
            return connection
        await connection.aclose()
        return HttpTransport(self._config, user_agent=self._user_agent)

    @contextlib.contextmanager
    def translated(self, what: str) -> Iterator[None]:
        """Turn errors of the connection into ours, which name the server."""
        try:
            yield
        except (H2Error, OSError, ValueError) as error:
            raise UnreachableError(what, reason=type(error).__name__, message=self._words(error)) from error

    def _words(self, error: Exception) -> str:
        server = self._server
        match error:
            case ssl.SSLError():
                return f"TLS with {server} failed: {error}"
            case socket.gaierror():
                return f"the host name in {server} is not known"
            case ConnectionResetError():
                return f"{server} cut the connection"
            case OSError():
                return f"no connection to {server}: {os.strerror(error.errno) if error.errno else error}"
            case TooManyStreamsError():
                return f"{server} lets too few requests go at once: raise its --http2-max-streams-per-connection"
        return f"{server} does not answer as an API server: {type(error).__name__}"


class _Http2Answer:
    """An answer that comes over a stream, with the stream's errors translated."""

    def __init__(self, stream: _Stream, transport: Http2Transport, what: str) -> None:
        self._stream = stream
        self._transport = transport
        self._what = what

    @property
    def status(self) -> int:
        return self._stream.status

    @property
    def headers(self) -> Mapping[str, str]:
        return self._stream.headers

    async def read(self) -> bytes:
        return b"".join([chunk async for chunk in self.chunks()])

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        while True:
            with self._transport.translated(self._what):
                chunk = await self._stream.chunk()
            if not chunk:
                return
            yield chunk


class _Stream:
    """One request and its answer.

    Args:
        connection: that carries it.
        number: of the stream.
    """

    __slots__ = ("_chunks", "_connection", "_waiter", "ended", "error", "headers", "number", "sent", "status")

    def __init__(self, connection: _Connection, number: int) -> None:
        self.number = number
        self.status = 0
        self.headers: CIMultiDict[str] = CIMultiDict()
        self.sent = False
        self.ended = False
        self.error: Exception | None = None
        self._connection = connection
        self._chunks: deque[tuple[bytes, int]] = deque()
        self._waiter: asyncio.Future[None] | None = None

    async def until(self, condition: Callable[[], Any]) -> None:
        """Wait until something is so, or the stream has failed.

        Raises:
            OSError, H2Error: what it failed of.
        """
        while not condition():
            if self.error is not None:
                raise self.error
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None

    def wake(self) -> None:
        """Have what is waited for looked at again."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def write(self, body: bytes) -> None:
        """Send the body, as fast as the server takes it; one that answers before the end gets no more of it."""
        rest = memoryview(body)
        while rest:
            await self.until(lambda: self.ended or self._connection.room(self))
            if self.ended:
                return
            size = self._connection.room(self)
            self._connection.send(self, bytes(rest[:size]), ends=size >= len(rest))
            rest = rest[size:]

    def feed(self, chunk: bytes, counted: int) -> None:
        """Take a piece of the answer, and how much of the windows it used."""
        self._chunks.append((chunk, counted))
        self.wake()

    async def chunk(self) -> bytes:
        """Wait for the next piece of the answer; empty at its end."""
        await self.until(lambda: self._chunks or self.ended)
        if not self._chunks:
            return b""
        chunk, counted = self._chunks.popleft()
        self._connection.give_back(self, counted)
        return chunk

    def close(self) -> None:
        """Leave it, and cancel what has not ended."""
        counted = sum(counted for _, counted in self._chunks)
        self._chunks.clear()
        self._connection.leave(self, counted)


class _Protocol(H2Connection):
    """HTTP/2 as h2 does it, but that a server which wants no more requests still answers those under way.

    Graceful ends are usual: a server that stops announces it, and one told to spread its clients does so now and then.
    h2 takes a GOAWAY for the end of everything.
    """

    def _receive_goaway_frame(self, frame: Any) -> tuple[list[Any], list[Event]]:
        event = ConnectionTerminated()
        event.last_stream_id = frame.last_stream_id
        return [], [event]


class _Connection(asyncio.Protocol):
    """One HTTP/2 connection: its streams, and what the server and we are allowed to send."""

    def __init__(self) -> None:
        self._h2 = _Protocol(H2Configuration(client_side=True))
        self._streams: dict[int, _Stream] = {}
        self._paused = False
        self._going = False
        self._error: Exception | None = None
        self._lost = asyncio.get_running_loop().create_future()

    @property
    def is_over(self) -> bool:
        """Whether it takes no more requests."""
        return self._going or self._error is not None

    @property
    def speaks(self) -> str | None:
        """The protocol that the server chose."""
        chosen: str | None = self._transport.get_extra_info("ssl_object").selected_alpn_protocol()
        return chosen

    def connection_made(self, transport: Any) -> None:
        self._transport: asyncio.Transport = transport
        if self.speaks != _HTTP2:
            return
        self._h2.initiate_connection()
        self._h2.update_settings({SettingCodes.ENABLE_PUSH: 0, SettingCodes.INITIAL_WINDOW_SIZE: _STREAM_WINDOW})
        self._h2.increment_flow_control_window(_CONNECTION_WINDOW - self._h2.inbound_flow_control_window)
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(exc if isinstance(exc, ssl.SSLError) else ConnectionResetError("lost"))
        if not self._lost.done():
            self._lost.set_result(None)

    def pause_writing(self) -> None:
        # Who does not take what we send shall not make us answer either.
        self._paused = True
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._paused = False
        self._transport.resume_reading()
        self._wake()

    def data_received(self, data: bytes) -> None:
        try:
            for event in self._h2.receive_data(data):
                self._take(event)
        except (H2Error, ValueError) as error:  # a status that is no number, for instance
            self._fail(error)
            self._transport.abort()
        self._flush()

    def open(self, head: list[tuple[str, str]], *, ends: bool) -> _Stream:
        """Begin a request.

        Args:
            head: of it.
            ends: whether it has no body.
        """
        if self._error is not None:
            raise self._error
        number = self._h2.get_next_available_stream_id()
        self._h2.send_headers(number, head, end_stream=ends)
        stream = self._streams[number] = _Stream(self, number)
        stream.sent = ends
        self._flush()
        return stream

    def room(self, stream: _Stream) -> int:
        """How many bytes of a body may be sent now."""
        if self._paused or stream.ended or stream.error is not None:
            return 0
        return min(self._h2.local_flow_control_window(stream.number), self._h2.max_outbound_frame_size)

    def send(self, stream: _Stream, piece: bytes, *, ends: bool) -> None:
        """Send a piece of a body."""
        self._h2.send_data(stream.number, piece, end_stream=ends)
        stream.sent = ends
        self._flush()

    def give_back(self, stream: _Stream, counted: int) -> None:
        """Let the server send as much again as was read."""
        if self._error is None and counted:
            self._h2.acknowledge_received_data(counted, stream.number)
            self._flush()

    def leave(self, stream: _Stream, counted: int) -> None:
        """Forget a request, with so much of its answer unread."""
        if self._streams.pop(stream.number, None) is None:
            return
        if self._error is None:
            if counted:
                self._h2.acknowledge_received_data(counted, stream.number)
            if stream.error is None and not (stream.sent and stream.ended):
                self._h2.reset_stream(stream.number, ErrorCodes.CANCEL)
            self._flush()
        if self._going and not self._streams:
            self._transport.abort()

    async def aclose(self) -> None:
        """Cut it, and wait until it is closed."""
        self._transport.abort()
        await self._lost

    def _take(self, event: Event) -> None:
        match event:
            case ConnectionTerminated():
                self._go(event.last_stream_id or 0)
                return
            case WindowUpdated() | RemoteSettingsChanged():
                self._wake()
                return
        stream = self._streams.get(getattr(event, "stream_id", None) or 0)
        if stream is None:
            return
        match event:
            case ResponseReceived():
                self._begin(stream, event)
            case DataReceived():
                stream.feed(event.data, event.flow_controlled_length)
            case StreamEnded():
                stream.ended = True
            case StreamReset():
                stream.error = ConnectionResetError("reset")
        stream.wake()

    @staticmethod
    def _begin(stream: _Stream, event: ResponseReceived) -> None:
        for name, value in event.headers or ():
            if name == b":status":
                stream.status = int(value)
            elif not name.startswith(b":"):
                stream.headers.add(name.decode("latin-1"), value.decode("latin-1"))

    def _go(self, last: int) -> None:
        """Take no more requests, and fail those that the server did not take."""
        self._going = True
        for stream in self._streams.values():
            if stream.number > last:
                stream.error = ConnectionResetError("not taken")
                stream.wake()
        if not self._streams:
            self._transport.abort()

    def _fail(self, error: Exception) -> None:
        """Fail everything that has not ended."""
        self._error = self._error or error
        for stream in self._streams.values():
            stream.error = stream.error or (None if stream.ended else self._error)
            stream.wake()

    def _wake(self) -> None:
        for stream in self._streams.values():
            stream.wake()

    def _flush(self) -> None:
        data = self._h2.data_to_send()
        if data and not self._transport.is_closing():
            self._transport.write(data)


_HTTP2 = "h2"
_NEXT_ADDRESS_SECONDS = 0.25
"""After which the next of a name's addresses is tried too (RFC 8305)."""
_STREAM_WINDOW = 256 << 10
_CONNECTION_WINDOW = 16 * _STREAM_WINDOW
"""Bytes that a server may send unread: a watch that nobody reads must not use up what the others need."""
