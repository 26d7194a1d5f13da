"""What tenants that are gone left at stores: a finalizer removed by hand, a restored store, a store that came back.

Nobody but the store itself remembers such a claim, so each store is asked from time to time who owns what in it. The
cost is one question every ten minutes for each store, whatever the number of tenants, and never part of a pass.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import structlog

from kamaji_core.contracts import Claim, StoreError, UnsupportedError
from kamaji_core.datastore.calls import ask

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kamaji_core.datastore.stores import OpenStores
    from kamaji_core.tenancy import Tenancy

log = structlog.get_logger()

INTERVAL_SECONDS = 600.0
RETRY_SECONDS = 60.0
LIMIT_SECONDS = 30.0
"""Bound on a driver's answer, above the driver's own."""


class OrphanFinder:
    """Compares what stores have recorded with the tenants that exist.

    Args:
        stores: the open stores.
        tenancy: which tenants exist.
        tell: told the name of a store and a sentence about each claim that has no tenant, once.
    """

    def __init__(self, *, stores: OpenStores, tenancy: Tenancy, tell: Callable[[str, str], None]) -> None:
        self._stores = stores
        self._tenancy = tenancy
        self._tell = tell
        self._found: dict[str, frozenset[Claim]] = {}

    @property
    def counts(self) -> Mapping[str, int]:
        """Claims without a tenant by the name of their store, of the stores that could be asked."""
        return {name: len(claims) for name, claims in self._found.items()}

    async def look(self, name: str) -> float | None:
        """Look at one store.

        Args:
            name: of the DataStore.

        Returns:
            Seconds until the next look; None when the driver cannot tell.
        """
        state = self._stores.get(name)
        if state is None:
            self._found.pop(name, None)
        if state is None or state.session is None or not state.ready:
            return RETRY_SECONDS
        # Those that end while the store answers are in its answer and not among the tenants any more.
        existed = self._tenancy.uids()
        try:
            claims = await ask(state.session.claims(), seconds=LIMIT_SECONDS, to="tell whose data it holds")
        except UnsupportedError:
            return None
        except StoreError as error:
            log.warning("cannot look for what tenants left behind", datastore=name, error=str(error))
            return RETRY_SECONDS
        exist = existed | self._tenancy.uids()
        orphans = frozenset(claim for claim in claims if claim.tenant_uid not in exist)
        for claim in sorted(orphans - self._found.get(name, frozenset()), key=_by_name):
            self._tell(name, _sentence(name, claim))
        self._found[name] = orphans
        return INTERVAL_SECONDS * random.uniform(0.9, 1.1)  # noqa: S311 - spreads load, guards nothing


def _by_name(claim: Claim) -> tuple[str, str, str]:
    return claim.namespace, claim.name, claim.tenant_uid


def _sentence(store: str, claim: Claim) -> str:
    return (
        f"Schema {claim.schema!r} and user {claim.user!r} in the DataStore {store!r} belong to the TenantControlPlane "
        f"{claim.namespace}/{claim.name} (UID {claim.tenant_uid}), which does not exist in this cluster: if no other "
        f"cluster has it, remove them at the store."
    )
