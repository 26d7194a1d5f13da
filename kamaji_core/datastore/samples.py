"""Each tenant's share of its store, looked at from time to time: whether it is as it was made, and how large it is.

A pass asks the store nothing while its own records say that all is done, so nobody else would notice a role that was
dropped by hand or a store that came back from a backup. The looks are spread over the interval, write nothing, and
wait for one another at each store; they are never part of a pass.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, NamedTuple

import structlog

from kamaji_core.api import labels as wire
from kamaji_core.contracts import Claim, StoreError, UnsupportedError
from kamaji_core.datastore.calls import ask

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kamaji_core.api.tenant_control_plane import TenantControlPlane
    from kamaji_core.contracts import Drift, Session, Usage
    from kamaji_core.datastore.stores import OpenStores, StoreState
    from kamaji_core.tenancy import Tenancy, TenantKey

log = structlog.get_logger()

INTERVAL_SECONDS = 600.0
RETRY_SECONDS = 60.0
LIMIT_SECONDS = 30.0
"""Bound on a driver's answer, above the driver's own."""


class Share(NamedTuple):
    """The size of a tenant's share.

    Args:
        datastore: where it is.
        usage: as measured last.
    """

    datastore: str
    usage: Usage


class ShareSampler:
    """Looks at tenants' shares of their stores.

    Args:
        tenants: the cached tenants.
        stores: the open stores.
        tenancy: which tenants are ours; told of shares that are not as they were made.
        tell: told of a tenant and a sentence about what differs, once for each difference.
    """

    def __init__(
        self,
        *,
        tenants: Mapping[TenantKey, TenantControlPlane],
        stores: OpenStores,
        tenancy: Tenancy,
        tell: Callable[[TenantControlPlane, str], None],
    ) -> None:
        self._tenants = tenants
        self._stores = stores
        self._tenancy = tenancy
        self._tell = tell
        self._shares: dict[TenantKey, Share] = {}
        self._drifts: dict[TenantKey, Drift] = {}
        self._untold: set[tuple[str, str]] = set()

    @property
    def shares(self) -> Mapping[TenantKey, Share]:
        """Those that were measured, of tenants that exist."""
        return self._shares

    async def look(self, key: TenantKey) -> float | None:
        """Look at one tenant's share.

        Args:
            key: the tenant's namespace and name.

        Returns:
            Seconds until the next look; None when it is gone.
        """
        tenant = self._tenants.get(key)
        if tenant is None:
            self._shares.pop(key, None)
            self._drifts.pop(key, None)
            return None
        claim = _claim_of(tenant)
        if claim is None or not self._tenancy.owns(tenant) or _is_left_alone(tenant):
            return _spread(INTERVAL_SECONDS)
        name = self._tenancy.store_of(tenant)
        state = self._stores.get(name)
        if state is None or state.session is None or not state.ready:
            return _spread(RETRY_SECONDS)
        try:
            await self._check(key, tenant, claim, state, state.session)
            await self._measure(key, claim, state, state.session)
        except StoreError as error:
            log.info("cannot look at a tenant's share", datastore=name, tenant=key, error=str(error))
            return _spread(RETRY_SECONDS)
        return _spread(INTERVAL_SECONDS)

    async def _check(
        self, key: TenantKey, tenant: TenantControlPlane, claim: Claim, state: StoreState, session: Session
    ) -> None:
        if self._is_untold(state, "check"):
            return
        try:
            drift = await ask(
                session.check(claim), seconds=LIMIT_SECONDS, to="compare the tenant's share with what was made"
            )
        except UnsupportedError:
            self._note_untold(state, "check")
            return
        present = self._tenants.get(key)
        if present is None or _claim_of(present) != claim:
            return  # it has changed or gone meanwhile, and what is found may be that
        if drift is None:
            self._drifts.pop(key, None)
            return
        if self._drifts.get(key) != drift:
            self._drifts[key] = drift
            self._tell(tenant, f"Its share of the DataStore {state.name!r} is not as it was made: {drift.sentence}")
        self._tenancy.doubt(key)

    async def _measure(self, key: TenantKey, claim: Claim, state: StoreState, session: Session) -> None:
        if self._is_untold(state, "usage"):
            return
        try:
            usage = await ask(session.usage(claim), seconds=LIMIT_SECONDS, to="measure the tenant's data")
        except UnsupportedError:
            self._note_untold(state, "usage")
            return
        if key in self._tenants:
            self._shares[key] = Share(state.name, usage)

    def _is_untold(self, state: StoreState, what: str) -> bool:
        return (state.driver.NAME if state.driver else "", what) in self._untold

    def _note_untold(self, state: StoreState, what: str) -> None:
        """A driver that does not tell is asked once, not once for each of its tenants."""
        self._untold.add((state.driver.NAME if state.driver else "", what))


def _claim_of(tenant: TenantControlPlane) -> Claim | None:
    """The share that was made for a tenant, by its own record; None before there is one."""
    metadata, setup = tenant.metadata, tenant.status.storage.setup
    if not (setup.schema and setup.user and setup.checksum):
        return None
    return Claim(
        tenant_uid=metadata.uid,
        namespace=metadata.namespace,
        name=metadata.name,
        schema=setup.schema,
        user=setup.user,
        recorded=True,
    )


def _is_left_alone(tenant: TenantControlPlane) -> bool:
    """Whether it is paused, sleeps or is being deleted."""
    paused = wire.PAUSED_ANNOTATION in tenant.metadata.annotations
    return paused or tenant.spec.control_plane.deployment.replicas == 0 or bool(tenant.metadata.deletion_timestamp)


def _spread(seconds: float) -> float:
    return seconds * random.uniform(0.9, 1.1)  # noqa: S311 - spreads load, guards nothing
