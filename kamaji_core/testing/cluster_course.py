"""A session in a real API server that plays a tenant's, with every request counted.

The session is the operator's own; what is played is the management cluster, which says what the tenant's specification
is and takes what is told of its cluster.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from kamaji_core.api.tenant_control_plane import TenantControlPlane
from kamaji_core.kube import ClusterConfig, Http2Transport, KubeClient, Request, Transport
from kamaji_core.plugins import load_plugins
from kamaji_core.render import tenant_view
from kamaji_core.soot.plan import Plan, plan
from kamaji_core.soot.session import Target, TenantSession
from kamaji_core.soot.sessions import MOST_BYTES
from kamaji_core.testing.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from contextlib import AbstractAsyncContextManager

    from kamaji_core.contracts import Addon
    from kamaji_core.kube import Answer
    from kamaji_core.tenancy import TenantState


class CountingTransport:
    """Passes every request on, and keeps which reads there were and which requests that change something."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.writes: list[str] = []
        self.reads: list[Request] = []

    @property
    def requests(self) -> int:
        """How many there were."""
        return len(self.reads) + len(self.writes)

    def send(self, request: Request) -> AbstractAsyncContextManager[Answer]:
        """Note the request and send it."""
        if request.method == "GET":
            self.reads.append(request)
        else:
            self.writes.append(f"{request.method} {request.path}")
        return self._transport.send(request)


@dataclass
class ClusterCourse:
    """A session, and what it is told and tells.

    Args:
        config: way to the API server.
        spec: fields of the tenant's specification.
        addons: by name; those of the installed plugins unless given.
    """

    config: ClusterConfig
    spec: dict[str, Any]
    addons: Mapping[str, Addon] = field(default_factory=lambda: load_plugins().addons)
    generation: int = 1
    way: str = "one"
    states: list[TenantState] = field(default_factory=list)
    transports: list[CountingTransport] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.session = TenantSession(
            connect=self._connect,
            digest=lambda: self.way,
            plan=self.plan,
            tell=self.states.append,
            turns=asyncio.Semaphore(4),
            look_seconds=3600,
            probe_seconds=1,
            told_after=0.2,
        )

    @property
    def writes(self) -> list[str]:
        """All writes so far."""
        return [write for transport in self.transports for write in transport.writes]

    @property
    def reads(self) -> list[Request]:
        """All reads so far."""
        return [read for transport in self.transports for read in transport.reads]

    @property
    def state(self) -> TenantState:
        """What it told last."""
        return self.states[-1]

    def change(self, **spec: Any) -> None:
        """Change the tenant's specification."""
        self.spec = {**self.spec, **spec}
        self.generation += 1
        self.session.poke()

    def plan(self) -> Plan:
        """What the cluster should hold."""
        raw = {
            "metadata": {"name": "shop", "namespace": "team", "uid": "u", "generation": self.generation},
            "spec": {
                "controlPlane": {"service": {"serviceType": "ClusterIP"}},
                "kubernetes": {"version": "v1.37.1", "kubelet": {}},
                "networkProfile": {"serviceCidrs": ["10.0.0.0/24"]},
                **self.spec,
            },
        }
        tenant = msgspec.convert(raw, TenantControlPlane)
        view = tenant_view(tenant, endpoint="10.0.0.1:6443", ca_cert=b"PEM", secret_names={})
        return plan(tenant, view, endpoint="10.0.0.1:6443", ca_cert=b"PEM", addons=self.addons)

    async def _connect(self) -> Target:
        connection = Http2Transport(self.config, user_agent="kamaji/test")
        self.transports.append(CountingTransport(connection))
        client = KubeClient(self.config, transport=self.transports[-1], most_bytes=MOST_BYTES)
        return Target(client=client, connection=connection, digest=self.way)

    @contextlib.asynccontextmanager
    async def followed(self) -> AsyncIterator[ClusterCourse]:
        """Run the session; begins when it has told for the first time."""
        task = asyncio.create_task(self.session.run())
        try:
            await until(lambda: bool(self.states), "the first state", task)
            yield self
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
