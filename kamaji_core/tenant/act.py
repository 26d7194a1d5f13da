"""Carrying out one wave: all changes at once, each answer folded into the facts and the caches.

A change that fails does not take the others with it: trouble at a store does not stop certificate work. Generated
material is created with POST; when the name is taken, what is there is read and adopted.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import msgspec

from kamaji_core.api import labels as wire
from kamaji_core.api.tenant_control_plane import TenantControlPlane
from kamaji_core.contracts import ProbeKind, StoreError
from kamaji_core.datastore.calls import ask
from kamaji_core.kube import DEPLOYMENTS, SECRETS, AlreadyExistsError, ApiError, NotFoundError, NotLeaderError
from kamaji_core.tenancy import TENANT_CONTROL_PLANES
from kamaji_core.tenant.claim import ensure_checksum
from kamaji_core.tenant.plan import (
    AddFinalizer,
    Apply,
    Change,
    CreateSecret,
    EnsureStore,
    Remove,
    ReplaceSecret,
    ReserveClaim,
    Scale,
    SettleStore,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from kamaji_core.contracts import Session
    from kamaji_core.kube import KubeClient
    from kamaji_core.tenant.facts import Facts

STORE_LIMIT_SECONDS = 25.0
"""Bound on one call of a driver, above the driver's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A change that could not be made."""

    change: Change
    error: ApiError | StoreError


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a wave came to.

    Args:
        facts: with everything that succeeded.
        failures: the rest.
    """

    facts: Facts
    failures: tuple[Failure, ...] = ()


class Actor:
    """Writes to the management cluster and to stores.

    Args:
        client: of the management cluster.
        remember: folds an own write's answer into the caches.
        check: raises when this operator may not write to a store now.
    """

    def __init__(
        self,
        client: KubeClient,
        *,
        remember: Callable[[Mapping[str, Any]], None],
        check: Callable[[], None],
    ) -> None:
        self._client = client
        self._remember = remember
        self._check = check

    async def carry_out(self, facts: Facts, changes: Iterable[Change]) -> Answer:
        """Make all changes of one wave concurrently.

        Raises:
            NotLeaderError: when another operator leads, or may before long.
        """
        changes = tuple(changes)
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._attempt(facts, change)) for change in changes]
        except* NotLeaderError as errors:
            raise errors.exceptions[0] from None
        failures = []
        for task in tasks:
            outcome = task.result()
            if isinstance(outcome, Failure):
                failures.append(outcome)
            elif isinstance(outcome, ReserveClaim):
                facts = replace(facts, reserved=True)
            elif isinstance(outcome, Remove):
                facts = replace(facts, strays=tuple(one for one in facts.strays if one != outcome.stray))
            elif isinstance(outcome, EnsureStore):
                facts = replace(facts, ensured=ensure_checksum(facts, outcome.claim))
            elif outcome["kind"] == TENANT_CONTROL_PLANES.kind:
                facts = replace(facts, tenant=msgspec.convert(outcome, TenantControlPlane))
            else:
                facts = facts.with_object(outcome)
        return Answer(facts=facts, failures=tuple(failures))

    async def _attempt(
        self, facts: Facts, change: Change
    ) -> Mapping[str, Any] | ReserveClaim | EnsureStore | Remove | Failure:
        try:
            if isinstance(change, ReserveClaim | EnsureStore):
                return await self._tell_store(facts, change)
            if isinstance(change, Remove):
                return await self._remove(facts, change)
            if isinstance(change, SettleStore):
                answer = await self._settle(facts, change)
            else:
                answer = await self._write(facts, change)
        except (ApiError, StoreError) as error:
            return Failure(change=change, error=error)
        self._remember(answer)
        return answer

    async def _write(
        self, facts: Facts, change: AddFinalizer | CreateSecret | ReplaceSecret | Apply | Scale
    ) -> Mapping[str, Any]:
        match change:
            case AddFinalizer():
                return await self._add_finalizer(facts)
            case CreateSecret(manifest=manifest):
                return await self._create_or_adopt(manifest)
            case ReplaceSecret(manifest=manifest, dropped=dropped):
                return await self._replace(manifest, dropped)
            case Scale(replicas=replicas):
                return await self._scale(facts, replicas)
            case Apply(resource=resource, manifest=manifest):
                return await self._client.apply(resource, dict(manifest), field_manager=wire.FIELD_OWNER)

    async def _add_finalizer(self, facts: Facts) -> Mapping[str, Any]:
        metadata = facts.tenant.metadata
        patch = {
            "metadata": {
                "resourceVersion": metadata.resource_version,
                "finalizers": [*metadata.finalizers, wire.TENANT_FINALIZER],
            }
        }
        return await self._client.merge_patch(TENANT_CONTROL_PLANES, metadata.name, patch, metadata.namespace)

    async def _scale(self, facts: Facts, replicas: int) -> Mapping[str, Any]:
        metadata = facts.tenant.metadata
        patch = {"spec": {"replicas": replicas}}
        return await self._client.merge_patch(DEPLOYMENTS, metadata.name, patch, metadata.namespace)

    async def _replace(self, manifest: Mapping[str, Any], dropped: tuple[str, ...]) -> Mapping[str, Any]:
        # A patch, so that others' labels and annotations stay; the resourceVersion in it is the precondition.
        metadata = manifest["metadata"]
        kept = {name: metadata[name] for name in ("resourceVersion", "labels", "annotations", "ownerReferences")}
        patch = {"metadata": kept, "data": {**dict.fromkeys(dropped), **manifest["data"]}}
        return await self._client.merge_patch(SECRETS, metadata["name"], patch, metadata["namespace"])

    async def _create_or_adopt(self, manifest: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            return await self._client.create(SECRETS, dict(manifest))
        except AlreadyExistsError:
            metadata = manifest["metadata"]
            found = await self._client.get(SECRETS, metadata["name"], metadata["namespace"])
        if wire.PROJECT_LABEL in (found["metadata"].get("labels") or {}):
            return found
        # A user's own: without the label our watch would not see it.
        patch = {"metadata": {"labels": metadata["labels"]}}
        return await self._client.merge_patch(SECRETS, metadata["name"], patch, metadata["namespace"])

    async def _remove(self, facts: Facts, change: Remove) -> Remove:
        stray, namespace = change.stray, facts.tenant.metadata.namespace
        with contextlib.suppress(NotFoundError):  # somebody was quicker
            await self._client.delete(stray.resource, stray.name, namespace, uid=stray.uid)
        return change

    async def _settle(self, facts: Facts, change: SettleStore) -> Mapping[str, Any]:
        session = self._session(facts)
        await ask(
            session.settle(change.claim, change.credentials),
            seconds=STORE_LIMIT_SECONDS,
            to="end the tenant's earlier login",
        )
        note = {"resourceVersion": change.config.resource_version, "annotations": {wire.UNSETTLED_ANNOTATION: None}}
        return await self._client.merge_patch(SECRETS, change.config.name, {"metadata": note}, change.config.namespace)

    def _session(self, facts: Facts) -> Session:
        session = facts.store.session if facts.store else None
        if session is None:
            raise StoreError("It is not open yet; trying again.", kind=ProbeKind.REFUSED)
        self._check()
        return session

    async def _tell_store(self, facts: Facts, change: ReserveClaim | EnsureStore) -> ReserveClaim | EnsureStore:
        session = self._session(facts)
        if isinstance(change, ReserveClaim):
            call = session.reserve(change.claim)
        else:
            call = session.ensure(change.claim, change.credentials)
        await ask(call, seconds=STORE_LIMIT_SECONDS, to="take the tenant's set-up")
        return change
