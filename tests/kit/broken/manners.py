"""Drivers that keep what they should give back, or hold up whoever shares the operator's event loop."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, ClassVar

from broken.base import Broken
from kamaji_core.contracts import ProbeKind, StoreError
from kamaji_datastore_etcd.channels import Channels
from kamaji_datastore_etcd.session import EtcdSession

if TYPE_CHECKING:
    from kamaji_core.contracts import Claim, Credentials, Probe, StoreView


class LeaksAConnection(Broken):
    """A closed session keeps its connections."""

    class SESSION(EtcdSession):
        """See above."""

        KEPT: ClassVar[list[Channels]] = []

        async def aclose(self) -> None:
            """Refuse new calls, and that is all."""
            self.KEPT.append(self._channels)
            self._channels._closed = True


class LeaksWhenCancelled(Broken):
    """A call that is given up leaves its connection behind, and the next one opens another."""

    class CHANNELS(Channels):
        """See above."""

        KEPT: ClassVar[list[Any]] = []

        async def call(self, *arguments: Any, **options: Any) -> Any:
            """Forget the connection."""
            try:
                return await super().call(*arguments, **options)
            except asyncio.CancelledError:
                self.KEPT.extend(self._channels.values())
                self._channels.clear()
                raise


class LeaksATask(Broken):
    """Each session starts a task that outlives it."""

    class SESSION(EtcdSession):
        """See above."""

        KEPT: ClassVar[list[asyncio.Task[None]]] = []

        async def reserve(self, claim: Claim) -> None:
            """Start something for ever."""
            self.KEPT.append(asyncio.create_task(asyncio.sleep(3600)))
            await super().reserve(claim)


class SwallowsCancellation(Broken):
    """Who gives up is told that all went well."""

    class SESSION(EtcdSession):
        """See above."""

        async def ensure(self, claim: Claim, credentials: Credentials) -> None:
            """Suppress everything."""
            try:
                await super().ensure(claim, credentials)
            except asyncio.CancelledError:
                return


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


class BlocksTheLoop(Broken):
    """A synchronous library is called where everything else waits."""

    class SESSION(EtcdSession):
        """See above."""

        async def ensure(self, claim: Claim, credentials: Credentials) -> None:
            """Hold up all tenants."""
            time.sleep(0.6)  # noqa: ASYNC251 - that is the fault
            await super().ensure(claim, credentials)


class ComputesOnTheLoop(Broken):
    """A password is hashed where everything else waits."""

    class SESSION(EtcdSession):
        """See above."""

        async def ensure(self, claim: Claim, credentials: Credentials) -> None:
            """Hold up all tenants."""
            begun = time.thread_time()
            while time.thread_time() - begun < 0.6:
                sum(range(1000))
            await super().ensure(claim, credentials)


class WaitsForEver(Broken):
    """A server that does not answer is asked again until it does."""

    class SESSION(EtcdSession):
        """See above."""

        async def probe(self) -> Probe:
            """Have patience."""
            while (probe := await super().probe()).kind is ProbeKind.TIMEOUT:
                pass
            return probe


class NeverHeals(Broken):
    """What failed once is broken until the operator starts anew."""

    class CHANNELS(Channels):
        """See above."""

        failure: StoreError | None = None

        async def call(self, *arguments: Any, **options: Any) -> Any:
            """Remember the first failure."""
            if self.failure is not None:
                raise self.failure
            try:
                return await super().call(*arguments, **options)
            except StoreError as error:
                if error.kind in {ProbeKind.REFUSED, ProbeKind.TIMEOUT}:
                    self.failure = error
                raise


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


class ConnectsAtOnce(Broken):
    """A session begins with a connection, whoever waits for it."""

    def open(self, store: StoreView) -> EtcdSession:
        """Knock first."""
        import socket  # noqa: PLC0415 - a network library comes in when a store is opened

        host, _, port = store.endpoints[0].rpartition(":")
        socket.create_connection((host, int(port)), timeout=5).close()
        return super().open(store)


class OneConnectionEach(Broken):
    """Every tenant is made over a connection of its own, which stays."""

    class SESSION(EtcdSession):
        """See above."""

        KEPT: ClassVar[list[EtcdSession]] = []

        async def reserve(self, claim: Claim) -> None:
            """Ask over another connection."""
            channels = Channels(self._channels.endpoints, self._channels._tls)
            self.KEPT.append(EtcdSession(channels, login=self._login))
            await self.KEPT[-1].reserve(claim)
