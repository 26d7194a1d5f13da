"""Drivers that keep what they should give back, or hold up whoever shares the operator's event loop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

from broken.base import Broken
from kamaji_core.contracts import ProbeKind, StoreError
from kamaji_datastore_etcd.session import EtcdSession

if TYPE_CHECKING:
    from kamaji_core.contracts import Claim, Credentials


class LeaksATask(Broken):
    """Each session starts a task that outlives it."""

    class SESSION(EtcdSession):
        """See above."""

        KEPT: ClassVar[list[asyncio.Task[None]]] = []

        async def reserve(self, claim: Claim) -> None:
            """Start something for ever."""
            self.KEPT.append(asyncio.create_task(asyncio.sleep(3600)))
            await super().reserve(claim)


class CancellationIsATimeOut(Broken):
    """Who gives up is told that the server did not answer."""

    class SESSION(EtcdSession):
        """See above."""

        async def ensure(self, claim: Claim, credentials: Credentials) -> None:
            """Raise something else."""
            try:
                await super().ensure(claim, credentials)
            except asyncio.CancelledError:
                raise StoreError("etcd did not answer in time.", kind=ProbeKind.TIMEOUT) from None


class HalfDoneForEver(Broken):
    """Once begun, a share is taken for complete, although the one that began it was stopped."""

    class SESSION(EtcdSession):
        """See above."""

        BEGUN: ClassVar[set[str]] = set()

        async def ensure(self, claim: Claim, credentials: Credentials) -> None:
            """Remember what was begun instead of looking."""
            if claim.tenant_uid not in self.BEGUN:
                self.BEGUN.add(claim.tenant_uid)
                await super().ensure(claim, credentials)


class ClosesOnce(Broken):
    """Closing twice is an error."""

    class SESSION(EtcdSession):
        """See above."""

        closed = False

        async def aclose(self) -> None:
            """Insist on being open."""
            if self.closed:
                raise RuntimeError("the session is closed")
            self.closed = True
            await super().aclose()
