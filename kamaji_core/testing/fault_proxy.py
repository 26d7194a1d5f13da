"""A proxy in front of a real API server that misbehaves on request.

The faults that matter most (a watch that falls silent, a write whose answer is lost) come from the network and from
servers in trouble, and a real server shows them once in a year. There is no fake server here: what is not a fault is
the real one's answer, byte for byte.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import socket
import ssl
import struct
import weakref
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Never, Self

import aiohttp
import msgspec
import yaml
from aiohttp import web
from yarl import URL

from kamaji_core.kube import config_from_kubeconfig
from kamaji_core.kube.answers import lines
from kamaji_core.kube.transport import end_connections, ssl_context
from kamaji_core.pki import CertificateRequest, Usage, issue_ca, issue_certificate
from kamaji_core.testing.faults import (
    CloseAtOnce,
    Cut,
    Delay,
    Drop,
    ErrorEvent,
    LoseAnswer,
    Refuse,
    Rule,
    ShortWatch,
    Stall,
    fits,
    verb_of,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Mapping

    from kamaji_core.kube import ClusterConfig
    from kamaji_core.pki import KeyPair
    from kamaji_core.testing.faults import Fault


class FaultProxy:
    """Forwards to one API server, but where a rule says otherwise; an async context manager.

    Listens on a free port of 127.0.0.1 with a serving certificate of its own authority. Everybody who connects acts as
    the administrator whose kubeconfig it was given: whatever credentials a client sends are left out. Bodies of
    requests are read whole before they are forwarded; connections that change their protocol (exec, port-forward) are
    not carried.

    A rule is looked up when a request arrives, the first added that fits wins, and a watch keeps what it began with.

    Args:
        kubeconfig: an administrator's, of the real server.

    Attributes:
        kubeconfig: for clients that are to go through the proxy; without credentials.
        config: the same, read.
        requests: how many came, by verb and path; faults included.
    """

    def __init__(self, kubeconfig: bytes) -> None:
        self._upstream = config_from_kubeconfig(kubeconfig)
        self._rules: list[Rule] = []
        self._open: dict[int, tuple[web.Request, str]] = {}  # by identity: aiohttp's requests have no hash
        self._happened = asyncio.Event()
        self.requests: Counter[tuple[str, str]] = Counter()

    def add(
        self, fault: Fault, *, verbs: Collection[str] | None = None, path: str = "*", times: int | None = None
    ) -> Rule:
        """Have a fault befall some requests from now on; those under way go on as they began.

        Args:
            fault: what befalls them.
            verbs: Kubernetes' verbs (`get`, `list`, `watch`, `create`, `update`, `patch`, `delete`); None for all.
            path: shell pattern for the path without its query, such as `*/configmaps*`.
            times: how often; None for as long as the rule stands.

        Returns:
            The rule, whose `hits` can be read and which can be given to `remove`.
        """
        rule = Rule(fault, verbs=verbs, path=path, times=times)
        self._rules.append(rule)
        return rule

    def remove(self, rule: Rule) -> None:
        """Let the rule befall nothing more; requests that it holds stay held."""
        self._rules.remove(rule)

    def clear(self) -> None:
        """Remove all rules."""
        self._rules.clear()

    def cut(self, *, verbs: Collection[str] | None = None, path: str = "*") -> int:
        """Reset the connections of requests under way, and tell how many.

        Args:
            verbs: only of these verbs; None for all.
            path: only where the path fits.
        """
        chosen = [
            request for request, verb in self._open.values() if fits(verb, request.path, verbs=verbs, pattern=path)
        ]
        for request in chosen:
            _reset(request)
        return len(chosen)

    def count(self, *, verbs: Collection[str] | None = None, path: str = "*") -> int:
        """Tell how many requests of these verbs (None for all) and paths came so far."""
        return sum(n for (verb, p), n in self.requests.items() if fits(verb, p, verbs=verbs, pattern=path))

    async def until(self, condition: Callable[[], bool], *, seconds: float = 30.0) -> None:
        """Wait until something about this proxy holds; it is looked at whenever a request comes or ends.

        Raises:
            TimeoutError: when it does not in time.
        """
        async with asyncio.timeout(seconds):
            while not condition():
                self._happened.clear()
                await self._happened.wait()

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as stack:
            sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()
            stack.push_async_callback(end_connections, sockets)

            def made(address: aiohttp.AddrInfoType) -> socket.socket:
                family, kind, protocol, _, _ = address
                one = socket.socket(family=family, type=kind, proto=protocol)
                sockets.add(one)
                return one

            connector = aiohttp.TCPConnector(ssl=ssl_context(self._upstream), limit=0, socket_factory=made)
            self._session = await stack.enter_async_context(
                aiohttp.ClientSession(
                    connector=connector,
                    timeout=aiohttp.ClientTimeout(total=None),
                    auto_decompress=False,
                    cookie_jar=aiohttp.DummyCookieJar(),
                )
            )
            application = web.Application(client_max_size=_LARGEST_BODY)
            application.router.add_route("*", "/{path:.*}", self._handle)
            # A client that leaves ends what is done for it: that is how a held request ends.
            runner = web.AppRunner(application, handler_cancellation=True, access_log=None, shutdown_timeout=1.0)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            stack.callback(self.cut)
            await self._listen(runner)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _listen(self, runner: web.AppRunner) -> None:
        now = datetime.now(UTC)
        ca = issue_ca(common_name="fault-proxy-ca", now=now, lifetime=_LIFETIME)
        request = CertificateRequest(
            common_name="fault-proxy", usages=frozenset({Usage.SERVER}), names=frozenset({"127.0.0.1"})
        )
        serving = issue_certificate(request, ca=ca, now=now, lifetime=_LIFETIME)
        listening = socket.create_server(("127.0.0.1", 0))
        await web.SockSite(runner, listening, ssl_context=_serving_context(serving)).start()
        self.kubeconfig = _kubeconfig(f"https://127.0.0.1:{listening.getsockname()[1]}", ca.certificate)
        self.config: ClusterConfig = config_from_kubeconfig(self.kubeconfig)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        verb = verb_of(request.method, request.path, request.query)
        self.requests[verb, request.path] += 1
        rule = next((rule for rule in self._rules if rule.take(verb, request.path)), None)
        self._open[id(request)] = (request, verb)
        self._happened.set()
        try:
            return await self._answer(request, verb, rule.fault if rule else None)
        except (aiohttp.ClientError, OSError):
            # The server is away, or cut the connection: so do we.
            return await _reset_and_wait(request)
        finally:
            del self._open[id(request)]
            self._happened.set()

    async def _answer(self, request: web.Request, verb: str, fault: Fault | None) -> web.StreamResponse:
        match fault:
            case Drop():
                await _wait_for_ever()
            case Refuse():
                return _refusal(fault)
            case CloseAtOnce():
                return web.Response(content_type="application/json")
            case Delay():
                await asyncio.sleep(fault.seconds)
        url = URL(f"{self._upstream.server}{request.raw_path}", encoded=True)
        if isinstance(fault, ShortWatch):
            url, fault = url.update_query(timeoutSeconds=str(fault.seconds)), None
        body = await request.read()
        async with self._session.request(
            request.method,
            url,
            data=io.BytesIO(body) if body else None,
            headers=_passed_on(request.headers),
            allow_redirects=False,
            server_hostname=self._upstream.tls_server_name or None,
        ) as answer:
            if fault == LoseAnswer():
                await answer.read()
                return await _reset_and_wait(request)
            return await _relay(request, answer, fault, is_watch=verb == "watch")


async def _relay(
    request: web.Request, answer: aiohttp.ClientResponse, fault: Fault | None, *, is_watch: bool
) -> web.StreamResponse:
    """Give the real answer to the client, as far as the fault lets it."""
    response = web.StreamResponse(status=answer.status, reason=answer.reason, headers=_passed_on(answer.headers))
    if "Content-Length" in answer.headers:
        response.content_length = int(answer.headers["Content-Length"])
    await response.prepare(request)
    async with contextlib.aclosing(_pieces(answer, whole=fault is None, is_watch=is_watch)) as pieces:
        await _pass_pieces(request, response, pieces, fault)
    await response.write_eof()
    return response


async def _pass_pieces(
    request: web.Request, response: web.StreamResponse, pieces: AsyncIterator[bytes], fault: Fault | None
) -> None:
    passed = 0
    if fault == Stall(0):
        await _wait_for_ever()
    async for piece in pieces:
        match fault:
            case Cut(after) if passed == after:
                await response.write(piece[: len(piece) // 2])
                await _reset_and_wait(request)
            case ErrorEvent(after, status, reason) if passed == after:
                error = {"type": "ERROR", "object": _status(status, reason)}
                await response.write(msgspec.json.encode(error) + b"\n")
                return
        await response.write(piece)
        passed += 1
        if fault == Stall(passed):
            await _wait_for_ever()


async def _pieces(answer: aiohttp.ClientResponse, *, whole: bool, is_watch: bool) -> AsyncGenerator[bytes, None]:
    """Give the body in the pieces that a fault counts (events, or all of it), or as it comes where there is none."""
    if whole:
        async for chunk in answer.content.iter_any():
            yield chunk
    elif is_watch:
        async with contextlib.aclosing(lines(answer.content.iter_any())) as events:
            async for line in events:
                yield line + b"\n"
    else:
        yield await answer.read()


def _passed_on(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() not in _NOT_PASSED_ON}


def _refusal(fault: Refuse) -> web.Response:
    headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
    body = msgspec.json.encode(_status(fault.status, fault.reason))
    return web.Response(status=fault.status, body=body, content_type="application/json", headers=headers)


def _status(code: int, reason: str) -> dict[str, object]:
    message = "a fault that was asked for"
    told = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
    return {**told, "message": message, "reason": reason, "code": code}


def _reset(request: web.Request) -> None:
    """End the client's connection with a TCP reset instead of TLS' and TCP's orderly ends."""
    transport = request.transport
    if transport is None:
        return
    connection = transport.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


async def _reset_and_wait(request: web.Request) -> Never:
    _reset(request)
    await _wait_for_ever()


async def _wait_for_ever() -> Never:
    """Wait until the handler is cancelled, which happens when its client's connection ends."""
    while True:
        await asyncio.Event().wait()


def _serving_context(pair: KeyPair) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    descriptor = os.memfd_create("serving-certificate", os.MFD_CLOEXEC)
    with os.fdopen(descriptor, "wb", closefd=True) as file:
        file.write(pair.certificate.rstrip() + b"\n" + pair.key)
        file.flush()
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    return context


def _kubeconfig(server: str, ca: bytes) -> bytes:
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "proxy", "cluster": {"server": server, "certificate-authority-data": ca}}],
        "users": [{"name": "anybody", "user": {}}],
        "contexts": [{"name": "proxy", "context": {"cluster": "proxy", "user": "anybody"}}],
        "current-context": "proxy",
    }
    return yaml.safe_dump(msgspec.to_builtins(document)).encode()


_LIFETIME = timedelta(days=30)
_LARGEST_BODY = 64 * 2**20
_NOT_PASSED_ON = frozenset(
    {
        "authorization",
        "connection",
        "content-length",
        "host",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Hop-by-hop (RFC 9110, 7.6.1), made anew for the next hop, or the client's own credentials."""
