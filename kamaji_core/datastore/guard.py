"""One store's trouble stays its own: every call of a tenant goes through here on its way to the driver.

A session is shared by all tenants of a store, and their passes share the operator's workers. A store that accepts and
never answers would keep each of them for as long as the driver's limit. So a pass that waits for a store gives its
place to another, few calls are under way at a time, a call that takes long has the store probed, and when the probe
says that nobody answers, calls under way and new ones end with its sentence until a probe succeeds again.
"""

from __future__ import annotations

import asyncio
import enum
from typing import TYPE_CHECKING, TypeVar

from kamaji_core.contracts import Claim, Credentials, Drift, Probe, ProbeKind, Session, StoreError, Usage
from kamaji_core.kube import step_aside

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

T = TypeVar("T")

ASIDE_SECONDS = 0.5
"""After so long a pass that waits for a store lets another be worked on."""

DOUBT_SECONDS = 2.0
"""A call that takes so long has the store probed."""

SILENT = frozenset({ProbeKind.TIMEOUT, ProbeKind.REFUSED})
"""What a probe comes to where nobody answers; whoever answers may still revoke and remove."""


class Lane(enum.IntEnum):
    """Calls that wait for one another; the value is how many are under way at a time.

    Removals take as long as there is data, so that they must not keep new tenants waiting, and measuring is worth less
    than either.
    """

    SETTING_UP = 8
    REMOVING = 2
    MEASURING = 1


class GuardedSession(Session):
    """A driver's session, guarded.

    Args:
        session: the driver's own.
        doubt: asks for a probe soon.
    """

    def __init__(self, session: Session, *, doubt: Callable[[], None]) -> None:
        self._session = session
        self._doubt = doubt
        self._doubted = False
        self._fault: StoreError | None = None
        self._under_way: set[asyncio.Timeout] = set()
        self._slots = {lane: asyncio.Semaphore(lane) for lane in Lane}

    async def probe(self) -> Probe:
        """Log in for real; what it comes to holds for all calls until the next."""
        try:
            probe = await self._session.probe()
        except asyncio.CancelledError:
            self._learn(StoreError("It did not answer a login in time; trying again.", kind=ProbeKind.TIMEOUT))
            raise
        self._learn(StoreError(probe.sentence, kind=probe.kind) if probe.kind in SILENT else None)
        return probe

    async def reserve(self, claim: Claim) -> None:
        """Record the tenant as the owner of the claim's schema and user."""
        await self._guarded(lambda: self._session.reserve(claim), Lane.SETTING_UP)

    async def ensure(self, claim: Claim, credentials: Credentials) -> None:
        """Make the claim's schema and user exist with exactly the claim's rights."""
        await self._guarded(lambda: self._session.ensure(claim, credentials), Lane.SETTING_UP)

    async def settle(self, claim: Claim, credentials: Credentials) -> None:
        """End every login of the claim but the one given."""
        await self._guarded(lambda: self._session.settle(claim, credentials), Lane.SETTING_UP)

    async def revoke(self, claim: Claim) -> None:
        """Take the tenant's access away."""
        await self._guarded(lambda: self._session.revoke(claim), Lane.SETTING_UP)

    async def remove(self, claim: Claim) -> None:
        """Remove data, user and rights of the claim."""
        await self._guarded(lambda: self._session.remove(claim), Lane.REMOVING)

    async def check(self, claim: Claim) -> Drift | None:
        """Compare what is at the store with a claim that was made before."""
        return await self._guarded(lambda: self._session.check(claim), Lane.MEASURING)

    async def usage(self, claim: Claim) -> Usage:
        """Measure a tenant's data."""
        return await self._guarded(lambda: self._session.usage(claim), Lane.MEASURING)

    async def claims(self) -> Sequence[Claim]:
        """List the claims whose owners the store has recorded."""
        return await self._guarded(self._session.claims, Lane.MEASURING)

    async def aclose(self) -> None:
        """Close the driver's session."""
        await self._session.aclose()

    async def _guarded(self, call: Callable[[], Coroutine[object, object, T]], lane: Lane) -> T:
        """Make one call when its turn has come.

        Raises:
            StoreError: the driver's own, or the probe's sentence when that finds nobody who answers.
        """
        if self._fault is not None:
            raise _repeated(self._fault)
        aside = asyncio.get_running_loop().call_later(ASIDE_SECONDS, step_aside)
        limit = asyncio.timeout(None)  # until a probe ends it
        try:
            async with limit:
                self._under_way.add(limit)
                async with self._slots[lane]:
                    return await self._timed(call, lane)
        except TimeoutError:
            if limit.expired() and self._fault is not None:
                raise _repeated(self._fault) from None
            raise
        finally:
            self._under_way.discard(limit)
            aside.cancel()

    async def _timed(self, call: Callable[[], Coroutine[object, object, T]], lane: Lane) -> T:
        doubt = asyncio.get_running_loop().call_later(DOUBT_SECONDS, self._wonder)
        try:
            return await call()
        except StoreError as error:
            # How long measuring takes depends on the tenant: it says nothing about the others.
            if error.kind is ProbeKind.TIMEOUT and lane is Lane.SETTING_UP:
                sentence = "It did not answer another request in time; trying again as soon as it answers a login."
                self._fault = StoreError(sentence, kind=ProbeKind.TIMEOUT)
                self._wonder()
            raise
        finally:
            doubt.cancel()

    def _wonder(self) -> None:
        if not self._doubted:
            self._doubted = True
            self._doubt()

    def _learn(self, fault: StoreError | None) -> None:
        self._doubted = False
        self._fault = fault
        if fault is not None:
            now = asyncio.get_running_loop().time()
            for limit in self._under_way:
                limit.reschedule(now)
            self._under_way.clear()  # each can be ended once


def _repeated(error: StoreError) -> StoreError:
    """The same as another object: each raised one collects the traceback of its own way."""
    return StoreError(str(error), kind=error.kind)
