"""All tenants' sessions: which should stand, and how many may look at everything at once.

A session stands while its tenant is ours, is neither being deleted nor paused, and has an API server that runs. What
changes in the management cluster reaches it as a poke, and only when it concerns the session.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec
import structlog

from kamaji_core.api.versions import VersionError
from kamaji_core.kube import (
    SECRETS,
    ClusterConfig,
    ConfigError,
    Http2Transport,
    KubeClient,
    LeaderTransport,
    config_from_kubeconfig,
)
from kamaji_core.render import tenant_view
from kamaji_core.soot.plan import Plan, plan
from kamaji_core.soot.seen import Caches, Seen, issued, see
from kamaji_core.soot.session import LOOK_SECONDS, Target, TenantSession

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kamaji_core.api.tenant_control_plane import TenantControlPlane
    from kamaji_core.contracts import Addon
    from kamaji_core.tenancy import Tenancy, TenantKey

log = structlog.get_logger()

AT_ONCE = 8
"""Sessions that look at everything at a time."""

MOST_BYTES = 8 << 20
"""In one answer of a tenant's API server. What is ours there has thousands; a tenant may label anything as ours."""

END_LIMIT = 10.0
"""Seconds that sessions have to end."""


class _GoneError(ConfigError):
    """There is nothing to connect to any more; the session is about to be ended."""

    def __init__(self) -> None:
        super().__init__("The tenant's API server does not run or its credentials are missing.")


@dataclass(slots=True)
class _Running:
    """A session, the task it runs in, and what it was last told of."""

    session: TenantSession
    task: asyncio.Task[None]
    seen: Seen = field(repr=False)


class Sessions:
    """Keeps one session for each tenant that should have one, from entering its context to leaving it.

    Args:
        client: of the management cluster.
        caches: of the management cluster.
        tenancy: takes what sessions find.
        addons: those of the installed plugins by name.
        look_seconds: between two looks at everything in one tenant's cluster.
    """

    def __init__(
        self,
        *,
        client: KubeClient,
        caches: Caches,
        tenancy: Tenancy,
        addons: Mapping[str, Addon],
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        self._look_seconds = look_seconds
        self._client = client
        self._caches = caches
        self._tenancy = tenancy
        self._addons = addons
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._running: dict[TenantKey, _Running] = {}

    def observe(self, key: TenantKey) -> None:
        """Begin, poke or end a tenant's session, as what is known of the tenant asks for."""
        seen = see(key, self._caches)
        running = self._running.get(key)
        if seen is None or not self._tenancy.owns(seen.tenant):
            if running is not None:
                self._end(key, running)
        elif running is None or running.task.done():
            self._begin(key, seen)
        elif (running.seen.way, running.seen.wish) != (seen.way, seen.wish):
            running.seen = seen
            running.session.poke()

    def counts(self) -> dict[str, int]:
        """How many stand, and how many try to."""
        standing = sum(one.session.standing for one in self._running.values())
        return {"standing": standing, "trying": len(self._running) - standing}

    async def aclose(self) -> None:
        """End all sessions."""
        running = [self._end(key, one) for key, one in list(self._running.items())]
        if running:
            await asyncio.wait(running, timeout=END_LIMIT)

    def _begin(self, key: TenantKey, seen: Seen) -> None:
        session = TenantSession(
            connect=lambda: self._connect(key),
            digest=lambda: self._seen(key).way,
            plan=lambda: self._plan(key),
            tell=lambda state: self._tenancy.tell(key, state),
            turns=self._turns,
            look_seconds=self._look_seconds,
        )
        task = asyncio.create_task(self._run(key, session), name=f"session {key[0]}/{key[1]}")
        self._running[key] = _Running(session, task, seen)

    async def _run(self, key: TenantKey, session: TenantSession) -> None:
        with structlog.contextvars.bound_contextvars(namespace=key[0], tenant=key[1]):
            await session.run()

    def _end(self, key: TenantKey, running: _Running) -> asyncio.Task[None]:
        self._running.pop(key, None)
        running.session.close()
        self._tenancy.tell(key, None)
        running.task.cancel()
        return running.task

    def _seen(self, key: TenantKey) -> Seen:
        seen = see(key, self._caches)
        if seen is None:
            raise _GoneError
        return seen

    def _plan(self, key: TenantKey) -> Plan:
        seen = self._seen(key)
        tenant = _as_it_runs(seen)
        try:
            view = tenant_view(tenant, endpoint=seen.node_endpoint, ca_cert=seen.ca_cert, secret_names={})
        except VersionError as error:
            return Plan(bootstrap_problem=str(error), generation=tenant.metadata.generation)
        return plan(
            tenant,
            view,
            endpoint=seen.node_endpoint,
            ca_cert=seen.ca_cert,
            addons=self._addons,
            issued=lambda suffix: issued(seen, suffix, self._caches),
        )

    async def _connect(self, key: TenantKey) -> Target:
        seen = self._seen(key)
        secret = await self._client.get(SECRETS, seen.secret.name, seen.secret.namespace)
        config = _config(seen, (secret.get("data") or {}).get(seen.secret_key))
        connection = Http2Transport(config)
        transport = LeaderTransport(connection, lambda: self._tenancy.leadership)
        client = KubeClient(config, transport=transport, most_bytes=MOST_BYTES)
        return Target(client=client, connection=connection, digest=seen.way)


def _as_it_runs(seen: Seen) -> TenantControlPlane:
    """The tenant with the version that its API server has."""
    spec = seen.tenant.spec
    kubernetes = msgspec.structs.replace(spec.kubernetes, version=seen.version)
    return msgspec.structs.replace(seen.tenant, spec=msgspec.structs.replace(spec, kubernetes=kubernetes))


def _config(seen: Seen, content: str | None) -> ClusterConfig:
    """Read the administrator's kubeconfig, for the address inside the management cluster."""
    if content is None:
        raise ConfigError(
            f"The Secret {seen.secret.name} has no key {seen.secret_key!r}: correct the annotation that names it."
        )
    try:
        config = config_from_kubeconfig(base64.b64decode(content, validate=True), embedded=True)
    except binascii.Error:
        raise ConfigError(f"The key {seen.secret_key!r} of the Secret {seen.secret.name} is no base64.") from None
    name, namespace = seen.tenant.metadata.name, seen.tenant.metadata.namespace
    return ClusterConfig(
        server=f"https://{seen.address}",
        ca=seen.ca_cert,
        client_certificate=config.client_certificate,
        client_key=config.client_key,
        token=config.token,
        tls_server_name=f"{name}.{namespace}.svc",
    )
