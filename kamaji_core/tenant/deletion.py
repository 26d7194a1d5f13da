"""The end of a tenant: revoke its access at the store, remove its pods, remove its data, release it.

In this order, so that no pod writes into data that is being removed, and nothing is left when the object goes. Every
step may be repeated; where the pods stand is told by the Deployment's own end. A store that is down is waited for; one
whose DataStore or Secret is gone cannot be cleaned by anybody here, so the tenant is released and what stays is named.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from kamaji_core.api import labels as wire
from kamaji_core.api.conditions import DataStoreReason, TenantReason
from kamaji_core.contracts import StoreError
from kamaji_core.datastore.calls import ask
from kamaji_core.kube import DEPLOYMENTS, NotFoundError
from kamaji_core.render import object_name
from kamaji_core.tenancy import TENANT_CONTROL_PLANES
from kamaji_core.tenant.claim import claim_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from kamaji_core.contracts import Claim, Session
    from kamaji_core.kube import KubeClient
    from kamaji_core.tenant.facts import Facts

log = structlog.get_logger()

REVOKE_LIMIT_SECONDS = 30.0
REMOVE_LIMIT_SECONDS = 150.0
"""Bounds on a driver's steps, above the driver's own; removing data takes as long as there is data."""

POD_LIMIT = timedelta(minutes=2)
"""How long the pods' end is waited for: their access is revoked, so a pod on a lost node can do no harm."""

LOOK_AGAIN_SECONDS = 5.0

DANGLING = frozenset(
    {DataStoreReason.BASIC_AUTH_VALIDATION_FAILED, DataStoreReason.TLS_CONFIGURATION_VALIDATION_FAILED}
)
"""Reasons of a DataStore whose credentials are gone: nobody can log in to clean up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What a deletion waits for.

    Args:
        reason: of the condition `Deleting`.
        message: what is waited for, and what to do when it does not come.
        seconds: until the next look.
    """

    reason: str
    message: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """The tenant is gone.

    Args:
        left_behind: what stays at its store, a sentence; empty when nothing does.
    """

    left_behind: str = ""


async def delete(client: KubeClient, facts: Facts, *, now: datetime, check: Callable[[], None]) -> Waiting | Released:
    """Take the next steps of a tenant's deletion.

    Args:
        client: of the management cluster.
        facts: what is left of the tenant.
        now: present time, UTC.
        check: raises when this operator may not write to a store now.

    Raises:
        ApiError: when the API server refuses or cannot be asked.
    """
    metadata = facts.tenant.metadata
    if wire.TENANT_FINALIZER not in metadata.finalizers:
        return Released()
    claim = claim_of(facts)
    waits_for_pods = facts.deployment is not None and not _pods_are_late(facts, now)
    left_behind = _left_behind(facts, claim)
    if left_behind is not None and not waits_for_pods:
        return await _release(client, facts, left_behind=left_behind)
    session = facts.store.session if facts.store else None
    check()
    problem = await _revoke(session, claim) if session else _why_closed(facts)
    if waits_for_pods:
        await _remove_pods(client, facts)
        return _waiting(TenantReason.WAITING_FOR_PODS, "The control plane's pods are being ended.")
    if session is not None and not problem:
        check()
        problem = await _remove(session, claim)
    if problem:
        return _unreachable(facts, problem)
    return await _release(client, facts)


def _pods_are_late(facts: Facts, now: datetime) -> bool:
    deleted_at = facts.tenant.metadata.deletion_timestamp
    return deleted_at is not None and now >= deleted_at + POD_LIMIT


def _left_behind(facts: Facts, claim: Claim) -> str | None:
    """What stays because nobody can or may remove it, in a sentence; None when it is to be removed."""
    what = f"schema {claim.schema!r} and user {claim.user!r} stay in the DataStore {facts.store_name!r}"
    if wire.ABANDON_ANNOTATION in facts.tenant.metadata.annotations:
        return f"As {wire.ABANDON_ANNOTATION} asks: {what}."
    if facts.store is None:
        was_set_up = facts.tenant.status.storage.setup.schema
        return f"The DataStore is gone: {what}." if was_set_up else ""
    if facts.store.reason in DANGLING:
        return f"{facts.store.sentence} So {what}."
    return None


def _why_closed(facts: Facts) -> str:
    return facts.store.sentence if facts.store and not facts.store.ready else "it is not open yet."


async def _revoke(session: Session, claim: Claim) -> str:
    try:
        await ask(session.revoke(claim), seconds=REVOKE_LIMIT_SECONDS, to="revoke the tenant's access")
    except StoreError as error:
        return str(error)
    return ""


async def _remove(session: Session, claim: Claim) -> str:
    try:
        await ask(session.remove(claim), seconds=REMOVE_LIMIT_SECONDS, to="remove the tenant's data")
    except StoreError as error:
        return str(error)
    return ""


def _unreachable(facts: Facts, problem: str) -> Waiting:
    message = (
        f"The tenant's data cannot be removed from the DataStore {facts.store_name!r}: {problem} To leave it there, "
        f"annotate the tenant with {wire.ABANDON_ANNOTATION}=true."
    )
    return _waiting(TenantReason.DATA_STORE_UNREACHABLE, message)


def _waiting(reason: TenantReason, message: str) -> Waiting:
    return Waiting(reason=reason, message=message, seconds=LOOK_AGAIN_SECONDS)


async def _remove_pods(client: KubeClient, facts: Facts) -> None:
    if facts.deployment is None or facts.deployment["metadata"].get("deletionTimestamp"):
        return
    try:
        # Foreground: the Deployment stays until its pods are gone, and its end wakes us.
        await client.delete(
            DEPLOYMENTS,
            object_name(facts.tenant),
            facts.tenant.metadata.namespace,
            uid=facts.deployment["metadata"]["uid"],
            propagation="Foreground",
        )
    except NotFoundError:
        log.debug("deployment was gone already")


async def _release(client: KubeClient, facts: Facts, *, left_behind: str = "") -> Released:
    metadata = facts.tenant.metadata
    patch = {
        "metadata": {
            "resourceVersion": metadata.resource_version,
            "finalizers": [name for name in metadata.finalizers if name != wire.TENANT_FINALIZER],
        }
    }
    try:
        await client.merge_patch(TENANT_CONTROL_PLANES, metadata.name, patch, metadata.namespace)
    except NotFoundError:
        log.debug("tenant was gone already")
    return Released(left_behind=left_behind)
