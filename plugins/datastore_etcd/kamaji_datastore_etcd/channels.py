"""Connections to an etcd's members: one lazy gRPC channel each, and the next member when one cannot serve.

One channel over all members would be simpler, but a TLS name can be given only once per channel while members' own
certificates usually name only themselves; so there is one channel per endpoint, verified against that endpoint, and
failing over is done here. Every call of the driver may be repeated, so a call whose connection broke is asked again of
the next member. `Channels` owns the channels and which member is asked first.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio

from kamaji_core.contracts import ProbeKind, StoreError
from kamaji_datastore_etcd.errors import UnavailableError, error_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from kamaji_core.contracts import TlsMaterial

CALL_LIMIT = 5.0
"""Seconds that one call may take, all members together."""

ANSWER_LIMIT = 32 * 1024 * 1024
"""Bytes of one answer."""

_OPTIONS = (
    # A member that came back is found within seconds instead of gRPC's two minutes; the second figure is the time that
    # connecting may take, TLS included.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 4000),
    ("grpc.max_reconnect_backoff_ms", 5000),
    # A dead peer is noticed while calls are in flight; etcd drops clients that ping more often than every 5 s.
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    # A page of values: etcd's own default for one value is 1.5 MiB and gRPC's for an answer 4 MiB.
    ("grpc.max_receive_message_length", ANSWER_LIMIT),
    # Stores with the same settings must not share connections: their credentials may differ.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_http_proxy", 0),
)


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


class Channels:
    """Lazily connected channels to the members of one etcd.

    Args:
        endpoints: `host:port` of each member.
        tls: authority that the members are verified with, and the client certificate.
    """

    def __init__(self, endpoints: tuple[str, ...], tls: TlsMaterial) -> None:
        self.endpoints = endpoints
        self._tls = tls
        self._channels: dict[str, grpc.aio.Channel] = {}
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
        if self._closed:
            raise SessionClosedError
        unary = self._channel(endpoint).unary_unary(
            method.path, request_serializer=type(request).SerializeToString, response_deserializer=method.decode
        )
        try:
            return await unary(request, timeout=max(limit, 0.1))
        except grpc.aio.AioRpcError as error:
            raise error_for(code=error.code().name, detail=error.details() or "", endpoint=endpoint) from None

    def _channel(self, endpoint: str) -> grpc.aio.Channel:
        if endpoint not in self._channels:
            credentials = grpc.ssl_channel_credentials(
                root_certificates=self._tls.ca_certificate,
                private_key=self._tls.client_key,
                certificate_chain=self._tls.client_certificate,
            )
            self._channels[endpoint] = grpc.aio.secure_channel(f"dns:///{endpoint}", credentials, options=_OPTIONS)
        return self._channels[endpoint]

    async def aclose(self) -> None:
        """Refuse new calls, let those in flight end within their own limits, close all connections."""
        self._closed = True
        channels = list(self._channels.values())
        self._channels.clear()
        await asyncio.gather(*(channel.close(grace=CALL_LIMIT) for channel in channels))
