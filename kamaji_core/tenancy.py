"""The meeting point: which tenants there are, which store each uses, whether they are ours, and how to wake one.

Controllers meet here instead of importing one another. The index from store to tenants exists so that a store's
change reaches its tenants without a list of all tenants.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kamaji_core.api import labels as wire
from kamaji_core.kube import Resource

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kamaji_core.api.tenant_control_plane import TenantControlPlane
    from kamaji_core.kube import Leadership

TENANT_CONTROL_PLANES = Resource(
    group=wire.GROUP, version=wire.VERSION, plural="tenantcontrolplanes", kind="TenantControlPlane"
)
DATA_STORES = Resource(group=wire.GROUP, version=wire.VERSION, plural="datastores", kind="DataStore", namespaced=False)

TenantKey = tuple[str, str]
"""Namespace and name of a TenantControlPlane."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How something stands, in the words of a condition.

    Args:
        reason: constant in CamelCase.
        sentence: what is wrong and what to do, or what is right.
        ok: whether it is as wanted.
    """

    reason: str
    sentence: str
    ok: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantState:
    """What is known of the inside of a tenant's cluster.

    Args:
        bootstrapped: whether machines find what they need to join.
        addons: whether the add-ons' objects are as wanted; None when none is turned on.
        statuses: what each add-on that is on tells, by its key in `spec.addons`; empty for one that tells nothing, None
            while nothing is known of any.
        generation: of the tenant's specification that was carried out.
    """

    bootstrapped: Verdict
    addons: Verdict | None = None
    statuses: Mapping[str, Mapping[str, Any]] | None = field(default_factory=dict)
    generation: int = 0


class Tenancy:
    """The operator's view of its tenants; owned by the manager.

    Args:
        default_store: the DataStore of tenants that name none.
        wake: asks for a look at one tenant.
        store_used: told when the set of tenants of a store has changed.
    """

    def __init__(
        self, *, default_store: str, wake: Callable[[TenantKey], None], store_used: Callable[[str], None]
    ) -> None:
        self.wake = wake
        self._default_store = default_store
        self._store_used = store_used
        self._leadership: Leadership | None = None
        self._stores: dict[TenantKey, str] = {}
        self._uids: dict[TenantKey, str] = {}
        self._tenants: defaultdict[str, set[TenantKey]] = defaultdict(set)
        self._states: dict[TenantKey, TenantState] = {}
        self._doubted: set[TenantKey] = set()

    @property
    def leadership(self) -> Leadership | None:
        """The present term of leading; None where nothing is elected."""
        return self._leadership

    def begin_term(self, leadership: Leadership | None) -> None:
        """Take note that this operator leads from now on, until the leadership itself says that it is over."""
        self._leadership = leadership

    def owns(self, tenant: TenantControlPlane) -> bool:
        """Whether this operator may act on the tenant; the one that leads owns all."""
        del tenant
        return self._leadership is None or self._leadership.is_leader()

    def check(self) -> None:
        """Make sure before a write outside of the management cluster that nobody else can be acting.

        Raises:
            NotLeaderError: when somebody else may.
        """
        if self._leadership is not None:
            self._leadership.check()

    def store_of(self, tenant: TenantControlPlane) -> str:
        """Name of the tenant's DataStore: where its data is, then what it asks for; empty when nothing says."""
        recorded = tenant.status.storage.data_store_name
        return recorded or tenant.spec.data_store or self._default_store

    def tenants_of(self, store: str) -> list[TenantKey]:
        """The tenants that use a store, sorted."""
        return sorted(self._tenants.get(store, ()))

    def uids(self) -> frozenset[str]:
        """UIDs of all tenants that exist, also of those that are being deleted."""
        return frozenset(self._uids.values())

    def state(self, key: TenantKey) -> TenantState | None:
        """What is known of the inside of a tenant's cluster; None while nothing is."""
        return self._states.get(key)

    def tell(self, key: TenantKey, state: TenantState | None) -> None:
        """Take note of the inside of a tenant's cluster, None when nothing is known any more; wakes the tenant."""
        if self._states.get(key) == state:
            return
        if state is None:
            self._states.pop(key, None)
        else:
            self._states[key] = state
        self.wake(key)

    def doubt(self, key: TenantKey) -> None:
        """Take note that the tenant's share of its store may not be as its status records; wakes the tenant."""
        self._doubted.add(key)
        self.wake(key)

    def doubts(self, key: TenantKey) -> bool:
        """Whether the store must be told of the tenant again, whatever its status records."""
        return key in self._doubted

    def trust(self, key: TenantKey) -> None:
        """Take note that the store was told again."""
        self._doubted.discard(key)

    def observe(self, key: TenantKey, tenant: TenantControlPlane | None) -> None:
        """Take note of a tenant as it is now, or that it is gone."""
        if tenant is None:
            self._uids.pop(key, None)
            self._doubted.discard(key)
        else:
            self._uids[key] = tenant.metadata.uid
        before = self._stores.get(key, "")
        after = self.store_of(tenant) if tenant else ""
        if before == after:
            return
        if before:
            self._tenants[before].discard(key)
            self._store_used(before)
        self._stores.pop(key, None)
        if after:
            self._stores[key] = after
            self._tenants[after].add(key)
            self._store_used(after)
