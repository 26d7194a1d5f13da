"""The stores that are open now: one session each, shared by all tenants of the store.

Mutable state with one owner: only the DataStore controller changes it, tenants' passes read it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from kamaji_core.api.conditions import DataStoreReason

if TYPE_CHECKING:
    from kamaji_core.contracts import DatastoreDriver, Session, StoreView

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreState:
    """What tenants need to know of their store.

    Args:
        name: of the DataStore.
        ready: whether tenants can be served.
        reason: constant in CamelCase.
        sentence: what is wrong and what to do, or what is right.
        driver: None while no plugin brings it.
        view: None while its references cannot be resolved.
        session: None while it cannot be opened.
    """

    name: str
    ready: bool
    reason: str
    sentence: str
    driver: DatastoreDriver | None = None
    view: StoreView | None = None
    session: Session | None = None

    @property
    def is_full(self) -> bool:
        """Whether it answers and takes nothing more."""
        return self.reason == DataStoreReason.DATA_STORE_FULL


class OpenStores:
    """The open stores by name."""

    def __init__(self) -> None:
        self._states: dict[str, StoreState] = {}

    def get(self, name: str) -> StoreState | None:
        """The state of a store, or None when it has not been looked at or does not exist."""
        return self._states.get(name)

    async def put(self, state: StoreState) -> None:
        """Replace a store's state; a session that is no longer used is closed."""
        before = self._states.get(state.name)
        self._states[state.name] = state
        if before and before.session and before.session is not state.session:
            await close_session(before.session, store=state.name)

    async def drop(self, name: str) -> None:
        """Forget a store and close its session."""
        before = self._states.pop(name, None)
        if before and before.session:
            await close_session(before.session, store=name)

    async def aclose(self) -> None:
        """Close every session."""
        for name in list(self._states):
            await self.drop(name)


async def close_session(session: Session, *, store: str) -> None:
    """Close a session; one that fails at it is told in the log, since nobody could do anything about it.

    Args:
        session: to close.
        store: the DataStore's name.
    """
    try:
        await session.aclose()
    except Exception as error:  # noqa: BLE001 - a stranger's code may raise anything, and its words may quote a password
        log.warning("store session did not close cleanly", datastore=store, error=type(error).__name__)
