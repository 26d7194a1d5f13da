"""The end of a tenant: revoke its access at the store, remove its pods, remove its data, release it.

In this order, so that no pod writes into data that is being removed, and nothing is left when the object goes. Every
step may be repeated; where the pods stand is told by the Deployment's own end.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from kamaji_core.api import labels as wire
from kamaji_core.kube import DEPLOYMENTS, NotFoundError
from kamaji_core.render import object_name
from kamaji_core.tenancy import TENANT_CONTROL_PLANES
from kamaji_core.tenant.claim import claim_of

if TYPE_CHECKING:
    from datetime import datetime

    from kamaji_core.kube import KubeClient
    from kamaji_core.tenant.facts import Facts

log = structlog.get_logger()

STORE_LIMIT_SECONDS = 30.0
"""Bound on one step at the store, above the driver's own."""

POD_LIMIT = timedelta(minutes=5)
"""How long the pods' end is waited for: the access is revoked, so a pod on a lost node can do no harm."""

LOOK_AGAIN_SECONDS = 5.0


async def delete(client: KubeClient, facts: Facts, *, now: datetime) -> float | None:
    """Take the next steps of a tenant's deletion.

    Args:
        client: of the management cluster.
        facts: what is left of the tenant.
        now: present time, UTC.

    Returns:
        Seconds until the next look; None when the tenant is released.

    Raises:
        ApiError: when the API server refuses or cannot be asked.
        StoreError: when the store does.
        TimeoutError: when the store does not answer.
    """
    metadata = facts.tenant.metadata
    if wire.TENANT_FINALIZER not in metadata.finalizers:
        return None
    if facts.store is None:
        await _release(client, facts)
        log.warning(
            "tenant released without its store; its data may be left there",
            datastore=facts.store_name,
            schema=claim_of(facts).schema,
        )
        return None
    if facts.store.session is None:
        return LOOK_AGAIN_SECONDS
    claim, session = claim_of(facts), facts.store.session
    if facts.deployment is not None and _still_waiting(facts, now):
        async with asyncio.timeout(STORE_LIMIT_SECONDS):
            await session.revoke(claim)
        await _remove_pods(client, facts)
        return LOOK_AGAIN_SECONDS
    async with asyncio.timeout(STORE_LIMIT_SECONDS):
        await session.revoke(claim)
        await session.remove(claim)
    await _release(client, facts)
    return None


def _still_waiting(facts: Facts, now: datetime) -> bool:
    deleted_at = facts.tenant.metadata.deletion_timestamp
    return deleted_at is None or now < deleted_at + POD_LIMIT


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


async def _release(client: KubeClient, facts: Facts) -> None:
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
