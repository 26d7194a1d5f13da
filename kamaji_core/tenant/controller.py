"""One pass over one tenant: gather, then judge, make, plan and act until nothing differs, then report.

The loop is bounded: a new tenant needs five waves, and whatever is left after that is the next pass's business.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
import structlog

from kamaji_core.api import labels as wire
from kamaji_core.api.conditions import Condition, TenantCondition, TenantReason
from kamaji_core.api.versions import VersionError
from kamaji_core.boot import BootQueue, Urgency
from kamaji_core.contracts import StoreError, TenantEvent
from kamaji_core.kube import NotFoundError, TryAgainError, is_namespace_going
from kamaji_core.tenancy import TENANT_CONTROL_PLANES
from kamaji_core.tenant.act import Actor, Failure
from kamaji_core.tenant.deletion import Released, delete
from kamaji_core.tenant.events import Said, deeds, milestones, turns
from kamaji_core.tenant.facts import Caches, Facts, gather
from kamaji_core.tenant.judge import assess
from kamaji_core.tenant.material import make_material
from kamaji_core.tenant.parts import view_of
from kamaji_core.tenant.plan import Apply, Change, Scale, plan
from kamaji_core.tenant.report import SETTLED, Outcome, condition_patch, status_patch, version_status
from kamaji_core.tenant.signing import with_private_material

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from kamaji_core.api.datastore import DataStore
    from kamaji_core.api.tenant_control_plane import TenantControlPlane
    from kamaji_core.datastore import OpenStores
    from kamaji_core.extensions import Extensions
    from kamaji_core.kube import KubeClient
    from kamaji_core.tenancy import Tenancy, TenantKey
    from kamaji_core.tenant.judge import Assessment

log = structlog.get_logger()

MAX_WAVES = 5
_PAUSED = f"Nothing is done for it until the annotation {wire.PAUSED_ANNOTATION} is removed; deletion goes on."


class PassFailedError(TryAgainError):
    """A pass could not write everything; it is repeated with a growing delay."""


class TenantController:
    """Keeps every tenant's control plane right.

    Args:
        client: of the management cluster.
        tenants: the cached TenantControlPlanes.
        data_stores: the cached DataStores.
        caches: their cached objects.
        stores: the open stores.
        tenancy: which tenants are ours and where their data is.
        boot: whose turn it is to start.
        extensions: the plugins' hooks.
        remember: folds an own write's answer into the caches.
        tell: records an Event about a tenant.
        released: told of each tenant that was let go, with what stays of it at its store.
        now: the present time, UTC.
    """

    def __init__(
        self,
        *,
        client: KubeClient,
        tenants: Mapping[TenantKey, TenantControlPlane],
        data_stores: Mapping[TenantKey, DataStore],
        caches: Caches,
        stores: OpenStores,
        tenancy: Tenancy,
        boot: BootQueue,
        extensions: Extensions,
        remember: Callable[[Mapping[str, Any]], None],
        tell: Callable[[TenantControlPlane, Said], None],
        released: Callable[[TenantControlPlane, str], None],
        now: Callable[[], datetime],
    ) -> None:
        self._client = client
        self._tenants = tenants
        self._data_stores = data_stores
        self._caches = caches
        self._stores = stores
        self._tenancy = tenancy
        self._boot = boot
        self._extensions = extensions
        self._remember = remember
        self._say = tell
        self._released = released
        self._now = now
        self.native_sidecars = True
        """Whether the management cluster knows init containers that go on running."""
        self._actor = Actor(client, remember=remember, check=tenancy.check)

    async def reconcile(self, key: TenantKey) -> float | None:
        """Look at one tenant.

        Args:
            key: its namespace and name.

        Returns:
            Seconds until it must be looked at again without an event; None when only an event can change it.

        Raises:
            PassFailedError: when something could not be written and time may help.
            ApiError: when the API server cannot be asked.
        """
        tenant = self._tenants.get(key)
        if tenant is None or not self._tenancy.owns(tenant):
            self._boot.release(key)
            return None
        with structlog.contextvars.bound_contextvars(namespace=key[0], tenant=key[1]):
            store_name = self._tenancy.store_of(tenant)
            store = self._stores.get(store_name)
            if store is None and ("", store_name) in self._data_stores:
                # It has not been looked at yet, which is no reason to tell anybody anything: its look wakes us.
                return None
            facts = gather(
                tenant,
                caches=self._caches,
                store_name=store_name,
                store=store,
                inside=self._tenancy.state(key),
                native_sidecars=self.native_sidecars,
            )
            if tenant.metadata.deletion_timestamp:
                self._boot.release(key)
                return await self._delete(facts)
            if wire.PAUSED_ANNOTATION in tenant.metadata.annotations:
                await self._tell(tenant, TenantCondition.PAUSED, TenantReason.PAUSED, _PAUSED)
                return None
            doubted = self._tenancy.doubts(key)
            outcome = await self._waves(key, replace(facts, ensured="") if doubted else facts)
            if doubted and outcome.facts.ensured:
                self._tenancy.trust(key)
            if not outcome.queued and version_status(outcome) in SETTLED:
                self._boot.release(key)
            await self._report(outcome)
            return self._next_look(outcome)

    async def _delete(self, facts: Facts) -> float | None:
        had_finalizer = wire.TENANT_FINALIZER in facts.tenant.metadata.finalizers
        ended = await delete(self._client, facts, now=self._now(), check=self._tenancy.check)
        if isinstance(ended, Released):
            if ended.left_behind:
                log.warning(
                    "tenant released, its data stays", reason=TenantReason.DATA_LEFT_BEHIND, said=ended.left_behind
                )
                self._say(facts.tenant, Said("Warning", TenantReason.DATA_LEFT_BEHIND, ended.left_behind))
            if had_finalizer:
                self._released(facts.tenant, ended.left_behind)
                self._tell_deleted(facts)
            return None
        await self._tell(facts.tenant, TenantCondition.DELETING, ended.reason, ended.message)
        return ended.seconds

    def _tell_deleted(self, facts: Facts) -> None:
        with contextlib.suppress(VersionError):  # a tenant that nothing was ever made of
            self._extensions.tell(view_of(facts), TenantEvent.DELETED)

    async def _tell(self, tenant: TenantControlPlane, kind: TenantCondition, reason: str, message: str) -> None:
        """Set one condition, when it does not say so already."""
        await self._patch_status(tenant, condition_patch(tenant, kind, reason=reason, message=message, now=self._now()))

    async def _waves(self, key: TenantKey, facts: Facts) -> Outcome:
        queued = 0
        for _ in range(MAX_WAVES):
            now = self._now()
            assessment = self._assess(facts, now)
            if assessment.blocked:
                return Outcome(facts=facts, assessment=assessment)
            facts = await with_private_material(self._client, facts, assessment)
            material = await make_material(facts, assessment, now=now)
            changes, queued = self._paced(key, facts, plan(facts, assessment, material))
            if not changes:
                return Outcome(facts=facts, assessment=assessment, store_error=material.store_error, queued=queued)
            log.info("acting", changes=[type(change).__name__ for change in changes])
            answer = await self._actor.carry_out(facts, changes)
            failed = [failure.change for failure in answer.failures]
            for said in deeds([change for change in changes if change not in failed]):
                self._say(facts.tenant, said)
            facts = answer.facts
            if answer.failures:
                return Outcome(facts=facts, assessment=self._assess(facts, now), failures=answer.failures)
        return Outcome(facts=facts, assessment=self._assess(facts, self._now()), queued=queued)

    def _assess(self, facts: Facts, now: datetime) -> Assessment:
        return assess(facts, now=now, extensions=self._extensions)

    def _paced(self, key: TenantKey, facts: Facts, changes: tuple[Change, ...]) -> tuple[tuple[Change, ...], int]:
        """Hold back what would start pods before the tenant's turn; gives the rest and the tenant's place."""
        rest = tuple(change for change in changes if not (isinstance(change, Apply | Scale) and change.starts_pods))
        if rest == changes:
            return changes, 0
        urgency = Urgency.CHANGE if facts.provisioned else Urgency.CREATION
        place = self._boot.admit(key, urgency, store=facts.store_name)
        return (changes, 0) if place == 0 else (rest, place)

    async def _report(self, outcome: Outcome) -> None:
        facts, patch = outcome.facts, status_patch(outcome, now=self._now())
        if await self._patch_status(facts.tenant, patch) and patch and not outcome.assessment.blocked:
            for what in milestones(facts.tenant, patch["status"]):
                self._extensions.tell(view_of(facts), what)

    async def _patch_status(self, tenant: TenantControlPlane, patch: dict[str, Any] | None) -> bool:
        """Write a status and tell what turned; tells whether it was written."""
        if patch is None:
            return False
        metadata = tenant.metadata
        try:
            answer = await self._client.merge_patch(
                TENANT_CONTROL_PLANES, metadata.name, patch, metadata.namespace, subresource="status"
            )
        except NotFoundError:
            return False  # it was deleted meanwhile, which its event tells
        self._remember(answer)
        turned = msgspec.convert(patch["status"].get("conditions") or (), tuple[Condition, ...])
        for said in turns(tenant.status.conditions, turned):
            self._say(tenant, said)
        return True

    def _next_look(self, outcome: Outcome) -> float | None:
        for failure in outcome.failures:
            if _may_help_to_wait(failure):
                raise PassFailedError(str(failure.error)) from failure.error
        renew_at = outcome.assessment.renew_at
        if renew_at is None:
            return None
        return max((renew_at - self._now()).total_seconds(), 0.0)


def _may_help_to_wait(failure: Failure) -> bool:
    # A tenant whose namespace is going is deleted in a moment, which its event tells.
    if is_namespace_going(failure.error):
        return False
    return not isinstance(failure.error, StoreError) or failure.error.retry
