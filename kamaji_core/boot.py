"""The boot queue: few control planes start at once, the others wait for their turn.

A kube-apiserver takes about eight CPU-seconds to start. Starting all of a hundred at once makes each of them slow
enough to miss its own deadlines and be killed; measured on two cores, starting four at a time halves the median time
to Ready and avoids every restart. A place is held from the write that makes pods start until the pods are ready, or
until the limit: a tenant that cannot become ready must not keep the others from starting.
"""

from __future__ import annotations

import asyncio
import enum
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from kamaji_core.tenancy import TenantKey

PLACE_LIMIT_SECONDS = 180.0
"""How long a place is held by a tenant that does not become ready."""


STARTS_PER_CORE = 2
"""Control planes that may start at once for each core of the schedulable nodes; measured best on two cores."""

WIDTH_WITHOUT_NODES = 4
"""How many may start at once when the nodes are not known."""


class Urgency(enum.IntEnum):
    """Who goes first: what somebody waits for before what comes in bulk."""

    CHANGE = 0
    """A tenant that has run already: a change of its specification, or waking up."""

    CREATION = 1
    """A tenant's first start."""


class BootQueue:
    """Places for starting control planes; owned by the manager.

    Args:
        wake: asks for a look at a tenant, called when its turn has come.
        width: how many may start at once; 0 means no limit.
        store_width: the same for tenants of the store of that name; 0 means no limit of its own.
    """

    def __init__(
        self, *, wake: Callable[[TenantKey], None], width: int, store_width: Callable[[str], int] = lambda _store: 0
    ) -> None:
        self._wake = wake
        self._width = width
        self._store_width = store_width
        self._holders: dict[TenantKey, _Holder] = {}
        self._starting: Counter[str] = Counter()  # holders by store
        self._waiting: dict[Urgency, dict[TenantKey, _Wish]] = {urgency: {} for urgency in Urgency}

    @property
    def waiting(self) -> int:
        """Tenants that wait for their turn."""
        return sum(len(keys) for keys in self._waiting.values())

    @property
    def starting(self) -> int:
        """Tenants that hold a place."""
        return len(self._holders)

    def set_width(self, width: int) -> None:
        """Change how many may start at once; those that started go on."""
        self._width = width
        self._grant()

    def reconsider(self) -> None:
        """A store's width may have changed: let those start who may now."""
        self._grant()

    def admit(self, key: TenantKey, urgency: Urgency, *, store: str = "") -> int:
        """Ask for a place; whoever has to wait is woken when it has one.

        Args:
            key: the tenant.
            urgency: how its wish ranks; within a rank, first come, first served.
            store: name of its store; one whose store is full is overtaken by those of other stores.

        Returns:
            0 when the tenant holds a place; otherwise how many were to go before it, itself included, when it came.
        """
        if key in self._holders:
            return 0
        for keys in self._waiting.values():
            if key in keys:
                return keys[key].place
        if self._has_room(store):
            self.hold(key, store=store)
            return 0
        place = 1 + sum(len(keys) for rank, keys in self._waiting.items() if rank <= urgency)
        self._waiting[urgency][key] = _Wish(place, store)
        return place

    def hold(self, key: TenantKey, *, store: str = "") -> None:
        """Take a place without asking, for pods that are starting already (after a restart of the operator)."""
        if key not in self._holders:
            timer = asyncio.get_running_loop().call_later(PLACE_LIMIT_SECONDS, self.release, key)
            self._holders[key] = _Holder(timer, store)
            self._starting[store] += 1

    def release(self, key: TenantKey) -> None:
        """Give the place back, or the wish for one; nothing happens when there is neither."""
        for keys in self._waiting.values():
            keys.pop(key, None)
        holder = self._holders.pop(key, None)
        if holder is not None:
            holder.timer.cancel()
            self._starting[holder.store] -= 1
            self._grant()

    def aclose(self) -> None:
        """Forget everything; nobody is woken any more."""
        for holder in self._holders.values():
            holder.timer.cancel()
        self._holders.clear()
        self._starting.clear()
        for keys in self._waiting.values():
            keys.clear()

    def _has_room(self, store: str) -> bool:
        if self._is_full:
            return False
        width = self._store_width(store)
        return width == 0 or self._starting[store] < width

    @property
    def _is_full(self) -> bool:
        return 0 < self._width <= len(self._holders)

    def _grant(self) -> None:
        granted = []
        for keys in self._waiting.values():
            for key, wish in keys.items():
                if self._is_full:
                    break
                if self._has_room(wish.store):
                    self.hold(key, store=wish.store)
                    granted.append((keys, key))
        for keys, key in granted:
            del keys[key]
            self._wake(key)


class _Holder(NamedTuple):
    timer: asyncio.TimerHandle
    store: str


class _Wish(NamedTuple):
    place: int
    store: str


def width_for(nodes: Iterable[Mapping[str, Any]]) -> int:
    """How many control planes may start at once on these nodes.

    Args:
        nodes: as the API server gives them; those that take no pods do not count.
    """
    cores = sum(
        _cores(node.get("status", {}).get("allocatable", {}).get("cpu", "0"))
        for node in nodes
        if not node.get("spec", {}).get("unschedulable")
    )
    return max(int(cores * STARTS_PER_CORE), 1) if cores else WIDTH_WITHOUT_NODES


def is_starting(deployment: Mapping[str, Any]) -> bool:
    """Whether pods of a Deployment are on their way: it wants some and none is ready."""
    wanted = deployment.get("spec", {}).get("replicas", 1)
    return bool(wanted and not deployment.get("status", {}).get("readyReplicas"))


def _cores(quantity: str) -> float:
    try:
        return float(quantity[:-1]) / 1000 if quantity.endswith("m") else float(quantity)
    except ValueError:
        return 0.0
