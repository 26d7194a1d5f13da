"""Sending a built request: the seam at which faults are put in without patching anything.

A transport has one method. It promises nothing about time: the client puts a limit around every await on it, so that
a transport that hangs is a time-out and not a stuck pass.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import socket
import ssl
import weakref
from typing import TYPE_CHECKING, Any, Protocol

import aiohttp
from yarl import URL

from kamaji_core import __version__
from kamaji_core.kube.errors import ConfigError, UnreachableError
from kamaji_core.kube.resources import LEASES

USER_AGENT = f"kamaji/{__version__}"
UNAUTHORIZED = 401

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Collection, Iterator, Mapping
    from contextlib import AbstractAsyncContextManager

    from kamaji_core.kube.config import ClusterConfig
    from kamaji_core.kube.requests import Request


class Answer(Protocol):
    """The head of an answer, with its body still to be read."""

    @property
    def status(self) -> int:
        """HTTP status."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Of the answer; the mapping ignores case."""

    async def read(self) -> bytes:
        """Read the whole body.

        Raises:
            UnreachableError: when the connection breaks.
        """

    def chunks(self) -> AsyncGenerator[bytes, None]:
        """Give pieces of the body as they arrive, ending where it ends.

        Raises:
            UnreachableError: when the connection breaks before the end.
        """


class Transport(Protocol):
    """What carries requests to one API server."""

    def send(self, request: Request) -> AbstractAsyncContextManager[Answer]:
        """Send a request; leaving the context before the body's end drops the connection.

        Raises:
            UnreachableError: when no answer comes.
        """


class HttpTransport:
    """Carries requests over HTTP/1.1 connections that are kept and reused.

    Args:
        config: address, trust and credentials.
        user_agent: sent with each request; what stands before its slash is our field manager.
    """

    def __init__(self, config: ClusterConfig, *, user_agent: str = USER_AGENT) -> None:
        self._server = config.server.rstrip("/")
        self._server_hostname = config.tls_server_name or None
        self._config = config
        self._user_agent = user_agent
        self._session: aiohttp.ClientSession | None = None
        self._turns = asyncio.Semaphore(_REQUESTS)
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()

    @contextlib.asynccontextmanager
    async def send(self, request: Request) -> AsyncIterator[Answer]:
        """Send a request over a kept or a new connection, when its turn has come."""
        async with self._turn(request):
            with self.translated(request.what):
                response = await self._opened().request(
                    request.method,
                    url_of(self._server, request),
                    data=None if request.body is None else io.BytesIO(request.body),  # sent in pieces, large ones too
                    headers=headers_of(self._config, self._user_agent, request),
                    allow_redirects=False,
                    server_hostname=self._server_hostname,
                )
            try:
                if response.status == UNAUTHORIZED:
                    self._config.forget_token()
                yield _HttpAnswer(response, self, request.what)
            finally:
                # A body that was read to its end has given its connection back already; any other is dropped, without
                # waiting for the server's part in ending TLS.
                if response.connection is not None and response.connection.transport is not None:
                    response.connection.transport.abort()
                response.close()

    def _turn(self, request: Request) -> contextlib.AbstractAsyncContextManager[Any]:
        """What a request waits for: watches hold their connections for ever, and a Lease must never stand in a line."""
        if request.is_watch or f"/{LEASES.plural}" in request.path:
            return contextlib.nullcontext()
        return self._turns

    async def aclose(self) -> None:
        """Close all connections; the transport can be used again."""
        session, self._session = self._session, None
        if session is None:
            return
        await session.close()
        await end_connections(self._sockets)

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(
                ssl=ssl_context(self._config),
                limit=0,  # each request waits for its turn before
                keepalive_timeout=_KEEP_SECONDS,
                socket_factory=self._socket,
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session

    def _socket(self, address: aiohttp.AddrInfoType) -> socket.socket:
        made = watched_socket(address)
        self._sockets.add(made)
        return made

    @contextlib.contextmanager
    def translated(self, what: str) -> Iterator[None]:
        """Turn the library's errors into ours, which name the server."""
        try:
            yield
        except (aiohttp.ClientError, OSError) as error:
            raise UnreachableError(what, reason=type(error).__name__, message=self._words(error)) from error

    def _words(self, error: Exception) -> str:
        server = self._server
        match error:
            case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientConnectorSSLError() | ssl.SSLError():
                return f"TLS with {server} failed: {error}"
            case aiohttp.ClientConnectorDNSError():
                return f"the host name in {server} is not known"
            case aiohttp.ClientConnectorError():
                number = error.os_error.errno
                return f"no connection to {server}: {os.strerror(number) if number else error.os_error}"
            case aiohttp.ServerDisconnectedError() | aiohttp.ClientPayloadError() | aiohttp.ClientOSError():
                return f"{server} cut the connection"
        return f"{server} does not answer as an API server: {type(error).__name__}"


class _HttpAnswer:
    """An answer of aiohttp, with its errors translated."""

    def __init__(self, response: aiohttp.ClientResponse, transport: HttpTransport, what: str) -> None:
        self._response = response
        self._transport = transport
        self._what = what

    @property
    def status(self) -> int:
        return self._response.status

    @property
    def headers(self) -> Mapping[str, str]:
        return self._response.headers

    async def read(self) -> bytes:
        with self._transport.translated(self._what):
            return await self._response.read()

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        content = self._response.content
        while True:
            with self._transport.translated(self._what):
                chunk = await content.readany()
            if not chunk:
                return
            yield chunk


def url_of(server: str, request: Request | None = None) -> URL:
    """Give the whole address of a request, or of the server."""
    if request is None:
        return URL(server)
    url = URL(f"{server}{request.path}", encoded=True)
    return url.with_query(list(request.query)) if request.query else url


def headers_of(config: ClusterConfig, user_agent: str, request: Request) -> dict[str, str]:
    """Give the headers of a request, with the present credentials."""
    # Identity: next to the server, compressing costs both sides more than it saves.
    headers = {"User-Agent": user_agent, "Accept-Encoding": "identity", "Accept": request.accept}
    if token := config.current_token():
        headers["Authorization"] = f"Bearer {token}"
    if request.body is not None:
        headers["Content-Type"] = request.content_type
    return headers


async def end_connections(sockets: Collection[socket.socket]) -> None:
    """Cut the connections that a closed session left, and wait until they are closed.

    A call that was cancelled before its answer leaves one that waits for the server to end TLS with it.
    """
    for left in list(sockets):
        with contextlib.suppress(OSError):
            left.shutdown(socket.SHUT_RDWR)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_CLOSING_SECONDS):
            while any(left.fileno() >= 0 for left in sockets):  # noqa: ASYNC110 - a closed socket tells nobody
                await asyncio.sleep(_CLOSING_SECONDS / 100)


def ssl_context(config: ClusterConfig) -> ssl.SSLContext | bool:
    """Build what connections to the server are secured with; True (unused) for a plain `http://` address.

    The system's bundle (0.8 MB and 17 ms a context) is loaded only where no CA is given.

    Raises:
        ConfigError: when the CA or the client's certificate and key are unusable.
    """
    if not config.server.startswith("https://"):
        return True
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        if config.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        elif config.ca:
            context.load_verify_locations(cadata=config.ca.decode("ascii"))
        else:
            context.load_default_certs()
    except (ssl.SSLError, ValueError) as error:
        raise ConfigError(f"The CA for {config.server} holds no readable PEM certificate: replace it.") from error
    if config.client_certificate:
        _load_client_certificate(context, config)
    return context


def _load_client_certificate(context: ssl.SSLContext, config: ClusterConfig) -> None:
    """Load certificate and key from anonymous memory: `ssl` wants a path, and a key must not reach the disk."""
    descriptor = os.memfd_create("client-certificate", os.MFD_CLOEXEC)
    with os.fdopen(descriptor, "wb", closefd=True) as file:
        file.write(config.client_certificate.rstrip() + b"\n" + config.client_key)
        file.flush()
        try:
            context.load_cert_chain(f"/proc/self/fd/{descriptor}", password=_no_password)
        except (ssl.SSLError, OSError, ValueError) as error:
            raise ConfigError(
                f"The client certificate for {config.server} and its key are no readable pair: replace both."
            ) from error


def _no_password() -> str:
    # Without it, OpenSSL asks on the terminal for the password of an encrypted key.
    raise ValueError("the key is encrypted")


def watched_socket(address: aiohttp.AddrInfoType) -> socket.socket:
    """Make a socket whose dead peer is found within 45 s: 15 s of silence, then probes, 10 s apart."""
    family, kind, protocol, _, _ = address
    made = socket.socket(family=family, type=kind, proto=protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 15)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)
    # For data that is sent and never acknowledged, which keepalive does not see; it outranks the number of probes.
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 40_000)
    return made


_REQUESTS = 8
"""So many at once to one server, beside watches; more only make connections, which take memory on both sides."""
_KEEP_SECONDS = 30.0
_CLOSING_SECONDS = 1.0
