"""The DataStore controller: resolve references, validate, log in for real, tell the result, wake the tenants.

It is the only prober of a store: tenants' passes read what it found and never ask the store themselves whether it is
well. `usedBy` is written a moment after it changed, so that a thousand new tenants do not mean a thousand writes.
"""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import structlog

from kamaji_core.api import labels as wire
from kamaji_core.api.conditions import DataStoreReason
from kamaji_core.api.datastore import VALIDATION_CONDITION
from kamaji_core.contracts import ProbeKind, StoreError
from kamaji_core.datastore.calls import ask
from kamaji_core.datastore.guard import GuardedSession
from kamaji_core.datastore.references import DanglingReferenceError, resolve
from kamaji_core.datastore.report import status_patch
from kamaji_core.datastore.secrets import ReferencedSecrets
from kamaji_core.datastore.stores import OpenStores, StoreState, close_session
from kamaji_core.kube import NotFoundError
from kamaji_core.plugins import store_problems
from kamaji_core.tenancy import DATA_STORES

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from kamaji_core.api.datastore import DataStore
    from kamaji_core.contracts import DatastoreDriver, Session, StoreView
    from kamaji_core.kube import EventType, Informer, KubeClient
    from kamaji_core.plugins import Plugins
    from kamaji_core.tenancy import Tenancy

log = structlog.get_logger()

PROBE_INTERVAL_SECONDS = 60.0
RETRY_INTERVAL_SECONDS = 5.0
USED_BY_SECONDS = 1.0
"""Between two writes of who uses a store: each is answered by an event, whose look would find the next tenant."""

PROBE_LIMIT_SECONDS = 15.0
"""Bound on a driver's probe, above the driver's own."""

_REASONS = {ProbeKind.OK: DataStoreReason.DATA_STORE_IS_VALID, ProbeKind.FULL: DataStoreReason.DATA_STORE_FULL}
"""Reasons of logins that came through; whatever else a probe came to is a failed login."""


class DataStoreController:
    """Keeps every DataStore's session and status right.

    Args:
        client: of the management cluster.
        informer: of DataStores.
        stores: the open stores, which this controller owns.
        plugins: where drivers come from.
        tenancy: who uses which store.
        wake: asks for a look at a DataStore.
        tell: records an Event about a DataStore: its type, its reason, its sentence.
        now: the present time, UTC.
    """

    def __init__(
        self,
        *,
        client: KubeClient,
        informer: Informer[DataStore],
        stores: OpenStores,
        plugins: Plugins,
        tenancy: Tenancy,
        wake: Callable[[str], None],
        tell: Callable[[DataStore, EventType, str, str], None],
        now: Callable[[], datetime],
    ) -> None:
        self._client = client
        self._informer = informer
        self._stores = stores
        self._plugins = plugins
        self._tenancy = tenancy
        self._wake = wake
        self._tell = tell
        self._now = now
        self._secrets = ReferencedSecrets(client, changed=self._look_again)
        self._probe_due: dict[str, tuple[int, float]] = {}
        self._used_by_due: dict[str, float] = {}

    async def reconcile(self, name: str) -> float | None:
        """Look at one DataStore.

        Args:
            name: of the DataStore.

        Returns:
            Seconds until the next look; None when it is gone.
        """
        store = self._informer.store.get(("", name))
        if store is None:
            self._probe_due.pop(name, None)
            self._used_by_due.pop(name, None)
            await self._secrets.keep(name, set())
            await self._stores.drop(name)
            self._wake_tenants(name)
            return None
        if wire.PAUSED_ANNOTATION in store.metadata.annotations and not store.metadata.deletion_timestamp:
            return None
        if store.metadata.deletion_timestamp and not self._tenancy.tenants_of(name):
            await self._release(store)
            return None
        await self._protect(store)
        state = await self._examine_when_due(store)
        wait = await self._report(store, state)
        _, due = self._probe_due.get(name, (0, 0.0))  # gone when a Secret has changed meanwhile
        rest = max(due - asyncio.get_running_loop().time(), 0.0)
        return rest if wait is None else min(wait, rest)

    async def aclose(self) -> None:
        """End the watches of Secrets."""
        await self._secrets.aclose()

    def _look_again(self, name: str) -> None:
        self._probe_due.pop(name, None)
        self._wake(name)

    async def _examine_when_due(self, store: DataStore) -> StoreState:
        name, clock = store.metadata.name, asyncio.get_running_loop().time
        before = self._stores.get(name)
        generation, due = self._probe_due.get(name, (-1, 0.0))
        if before and generation == store.metadata.generation and clock() < due:
            return before
        state = await self._examine(store, before)
        await self._stores.put(state)
        interval = PROBE_INTERVAL_SECONDS if state.ready else RETRY_INTERVAL_SECONDS
        jitter = random.uniform(0.9, 1.1)  # noqa: S311 - spreads probes, protects nothing
        self._probe_due[name] = (store.metadata.generation, clock() + interval * jitter)
        if before is None or _as_tenants_see(before) != _as_tenants_see(state):
            log.info("datastore looked at", datastore=name, ready=state.ready, reason=state.reason, said=state.sentence)
            self._wake_tenants(name)
        return state

    async def _examine(self, store: DataStore, before: StoreState | None) -> StoreState:
        name = store.metadata.name
        driver = self._plugins.datastores.get(store.spec.driver)
        if driver is None:
            sentence = self._plugins.missing_driver(store.spec.driver)
            return StoreState(name=name, ready=False, reason=DataStoreReason.DRIVER_NOT_FOUND, sentence=sentence)
        try:
            view = await resolve(store, self._secrets)
        except DanglingReferenceError as error:
            return StoreState(name=name, ready=False, reason=error.reason, sentence=str(error), driver=driver)
        problems = store_problems(driver, view)
        if problems:
            reason = DataStoreReason.CONFIGURATION_INVALID
            return StoreState(
                name=name, ready=False, reason=reason, sentence=" ".join(problems), driver=driver, view=view
            )
        unchanged = before and before.session and before.view and before.view.content_digest == view.content_digest
        session = before.session if before and before.session and unchanged else None
        return await self._probe(name, driver, view, session)

    async def _probe(self, name: str, driver: DatastoreDriver, view: StoreView, kept: Session | None) -> StoreState:
        session = kept
        try:
            session = kept or GuardedSession(_opened(driver, view), doubt=lambda: self._look_again(name))
            probe = await ask(session.probe(), seconds=PROBE_LIMIT_SECONDS, to="answer a login")
            kind, sentence = probe.kind, probe.sentence
        except StoreError as error:
            kind, sentence = error.kind, str(error)
        except asyncio.CancelledError:
            if session is not None and session is not kept:
                await close_session(session, store=name)  # nobody knows of it yet
            raise
        return StoreState(
            name=name,
            ready=kind is ProbeKind.OK,
            reason=_REASONS.get(kind, DataStoreReason.LOGIN_FAILED),
            sentence=sentence,
            driver=driver,
            view=view,
            session=session,
        )

    async def _report(self, store: DataStore, state: StoreState) -> float | None:
        """Write what is new; gives the seconds until what was held back may be written, None when nothing was."""
        name, told, now = store.metadata.name, store.status.used_by, asyncio.get_running_loop().time()
        used_by = tuple(f"{namespace}/{tenant}" for namespace, tenant in self._tenancy.tenants_of(name))
        wait = self._used_by_due.get(name, 0.0) - now
        is_held_back = used_by != told and wait > 0 and not store.metadata.deletion_timestamp
        patch = status_patch(store, state, used_by=told if is_held_back else used_by, now=self._now())
        if patch is not None:
            if used_by != told and not is_held_back:
                self._used_by_due[name] = now + USED_BY_SECONDS
            answer = await self._client.merge_patch(DATA_STORES, name, patch, subresource="status")
            self._informer.put(answer)
            self._tell_turn(store, state)
        return wait if is_held_back else None

    def _tell_turn(self, store: DataStore, state: StoreState) -> None:
        """Tell of a store that ceased to be ready or is ready again; that a new one is, nobody has to be told."""
        known = [condition for condition in store.status.conditions if condition.type == VALIDATION_CONDITION]
        if any((one.status == "True", one.message) == (state.ready, state.sentence) for one in known):
            return
        if not state.ready:
            self._tell(store, "Warning", state.reason, state.sentence)
        elif any(one.status != "True" for one in known):
            self._tell(store, "Normal", state.reason, state.sentence)

    async def _protect(self, store: DataStore) -> None:
        """Add the finalizer that keeps a store in use from vanishing."""
        if wire.DATASTORE_FINALIZER in store.metadata.finalizers or store.metadata.deletion_timestamp:
            return
        await self._set_finalizers(store, [*store.metadata.finalizers, wire.DATASTORE_FINALIZER])

    async def _release(self, store: DataStore) -> None:
        await self._stores.drop(store.metadata.name)
        if wire.DATASTORE_FINALIZER in store.metadata.finalizers:
            kept = [name for name in store.metadata.finalizers if name != wire.DATASTORE_FINALIZER]
            try:
                await self._set_finalizers(store, kept)
            except NotFoundError:
                log.debug("datastore was gone already", datastore=store.metadata.name)

    async def _set_finalizers(self, store: DataStore, finalizers: list[str]) -> None:
        patch = {
            "metadata": {"resourceVersion": store.metadata.resource_version, "finalizers": finalizers},
        }
        answer = await self._client.merge_patch(DATA_STORES, store.metadata.name, patch)
        if finalizers:
            self._informer.put(answer)

    def _wake_tenants(self, name: str) -> None:
        for key in self._tenancy.tenants_of(name):
            self._tenancy.wake(key)


def _opened(driver: DatastoreDriver, view: StoreView) -> Session:
    try:
        return driver.open(view)
    except StoreError:
        raise
    except Exception as error:
        sentence = f"Its driver failed to open it ({type(error).__name__}): report it to the driver's authors."
        raise StoreError(sentence, kind=ProbeKind.REFUSED) from error


def _as_tenants_see(state: StoreState) -> tuple[bool, str, str, str]:
    digest = state.view.content_digest if state.view else ""
    return state.ready, state.reason, state.sentence, digest
