"""One leader at a time, by a Lease: work runs only while nobody else can lead.

An elector can fail in two ways: its calls hang past the deadline, or it dies and its work goes on. So each call is
bounded by what remains of the Lease, no error ends the elector, and the work is cancelled and awaited before the Lease
is given up. Whether a Lease has run out is judged by how long we have seen it unchanged, never by the times in it.
"""

from __future__ import annotations

import asyncio
import random
import socket
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec
import structlog

from kamaji_core.kube.errors import AlreadyExistsError, ApiError, ConfigError, ConflictError, NotFoundError
from kamaji_core.kube.leadership import Leadership, boottime
from kamaji_core.kube.lease import LeaseRecord, LeaseSettings, StoredLease, new_lease, patch_of
from kamaji_core.kube.resources import LEASES

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any

    from kamaji_core.kube.client import KubeClient

log = structlog.get_logger()


async def lead(
    client: KubeClient,
    settings: LeaseSettings,
    work: Callable[[Leadership], Awaitable[None]],
    *,
    identity: str = "",
    clock: Callable[[], float] = boottime,
) -> None:
    """Wait for the Lease, run the work while it is ours, and wait again when it is lost.

    The work is cancelled when the Lease could not be renewed for `give_up` seconds or was taken, and when this is
    cancelled; it should end within `duration - give_up` seconds then. The Lease is given up only after that, so that
    another one can lead at once: when this is cancelled, it is renewed for as long as the work takes to end.

    Args:
        client: of the cluster that holds the Lease.
        settings: which Lease.
        work: what only a leader does. When it returns, the Lease is released and this returns; what it raises is raised
            after the same.
        identity: of this candidate, unique for each process; by default host name and a random part.
        clock: seconds by which the Lease's age is judged.
    """
    elector = Elector(client, settings, identity=identity or f"{socket.gethostname()}_{uuid.uuid4()}", clock=clock)
    while True:
        leadership = await elector.acquire()
        if await _run_term(elector, leadership, work):
            return


async def _run_term(elector: Elector, leadership: Leadership, work: Callable[[Leadership], Awaitable[None]]) -> bool:
    """Run the work until it ends or the Lease is lost; tell whether it ended by itself."""
    working = asyncio.ensure_future(work(leadership))
    renewing = asyncio.create_task(elector.keep(leadership), name="renew the Lease")
    ended = cancelled = False
    try:
        await asyncio.wait({working, renewing}, return_when=asyncio.FIRST_COMPLETED)
        ended = working.done()
    finally:
        cancelled |= await _end(working)
        cancelled |= await _end(renewing)
        leadership.end()
        try:
            await elector.release()
        except asyncio.CancelledError:
            cancelled = True
        if cancelled:
            raise asyncio.CancelledError
    if not renewing.cancelled():
        renewing.result()  # raises where the elector itself is at fault
    if ended or not working.cancelled():
        working.result()  # raises what the work raised
    return ended


async def _end(task: asyncio.Future[Any]) -> bool:
    """Cancel a task and wait until it has ended, even when we are cancelled meanwhile; tell whether we were."""
    cancelled = False
    task.cancel()
    while not task.done():
        try:
            _, pending = await asyncio.wait({task}, timeout=_SLOW_SECONDS)
        except asyncio.CancelledError:
            cancelled = True
        else:
            if pending:
                log.error("the leading work does not end although it was cancelled", seconds=_SLOW_SECONDS)
    return cancelled


class Elector:
    """One candidate for one Lease; `lead` is how to use it.

    Args:
        client: of the cluster that holds the Lease.
        settings: which Lease.
        identity: of this candidate.
        clock: gives seconds.
    """

    def __init__(
        self, client: KubeClient, settings: LeaseSettings, *, identity: str, clock: Callable[[], float]
    ) -> None:
        self._client = client
        self._settings = settings
        self._identity = identity
        self._clock = clock
        self._version = ""  # of the Lease as last read or written; empty when it must be read first
        self._record: LeaseRecord | None = None
        self._seen_at = clock()  # since when the record is known to be as it is
        self._renewed_at = clock()  # when the last successful write of ours began
        self._log = log.bind(lease=settings.called, identity=identity)

    async def acquire(self) -> Leadership:
        """Wait until the Lease is ours."""
        told = ""
        while True:
            try:
                acquired = await self._bounded(self._try_to_acquire(), self._call_seconds)
            except (AlreadyExistsError, ConflictError):
                acquired = False  # another candidate was quicker
            except _FAILURES as error:
                acquired = False
                if (words := _words(error)) != told:  # every two seconds is often enough to fill a disk
                    self._log.warning("cannot take the Lease", error=words)
                    told = words
            if acquired:
                self._log.info("leading")
                until = self._renewed_at + self._settings.duration
                return Leadership(self._settings.called, until=until, clock=self._clock)
            await asyncio.sleep(self._pause())

    async def keep(self, leadership: Leadership) -> None:
        """Renew the Lease until it is lost: taken by another one, or not renewed for `give_up` seconds."""
        while (remaining := self._renewed_at + self._settings.give_up - self._clock()) > 0:
            await asyncio.sleep(min(self._pause(), remaining))
            remaining = self._renewed_at + self._settings.give_up - self._clock()
            if remaining <= 0:
                break
            try:
                kept = await self._bounded(self._renew(), min(remaining, self._call_seconds))
            except _FAILURES as error:
                self._version = ""  # it may have been written all the same
                self._log.warning("cannot renew the Lease", error=_words(error))
                continue
            if not kept:
                leadership.end()
                self._log.error("another one has taken the Lease: the work is stopped")
                return
            leadership.extend(self._renewed_at + self._settings.duration)
        self._log.error("the Lease could not be renewed: the work is stopped", seconds=self._settings.give_up)

    async def release(self) -> None:
        """Leave the Lease to the next one, where it is still ours; a failure is logged only."""
        try:
            released = await self._bounded(self._try_to_release(), _RELEASE_SECONDS)
        except _FAILURES as error:
            self._log.warning("cannot release the Lease: the next one has to wait", error=_words(error))
        else:
            if released:
                self._log.info("released the Lease")
        finally:
            self._version = ""

    async def _try_to_acquire(self) -> bool:
        if await self._read():
            if not self._is_free():
                return False
            record = self._record or LeaseRecord()
            await self._write(record.taken(self._identity, self._settings, _now()))
            return True
        # A Lease that was deleted under its leader's hands: that leader goes on until it notices.
        if self._record is not None and not self._is_free():
            return False
        await self._create()
        return True

    async def _renew(self) -> bool:
        """Renew the Lease and tell whether it is ours."""
        try:
            return await self._renew_once()
        except (AlreadyExistsError, ConflictError, NotFoundError):
            # Written by another one, or by us with the answer lost: a look tells.
            self._version = ""
            return await self._renew_once()

    async def _renew_once(self) -> bool:
        if not self._version and not await self._read():
            await self._create()
            return True
        if self._record is None or self._record.holder_identity != self._identity:
            return False
        await self._write(self._record.renewed(self._settings, _now()))
        return True

    async def _try_to_release(self) -> bool:
        if not await self._read() or self._record is None or self._record.holder_identity != self._identity:
            return False
        await self._write(self._record.released(_now()))
        return True

    def _is_free(self) -> bool:
        if self._record is None or self._record.holder_identity in (None, "", self._identity):
            return True
        seconds = self._record.lease_duration_seconds or self._settings.duration
        return self._clock() - self._seen_at >= seconds

    async def _read(self) -> bool:
        """Read the Lease and tell whether there is one."""
        try:
            lease = await self._client.get(LEASES, self._settings.name, self._settings.namespace, type=StoredLease)
        except NotFoundError:
            self._version = ""
            return False
        self._remember(lease)
        return True

    async def _create(self) -> None:
        began = self._clock()
        answer = await self._client.create(LEASES, new_lease(self._settings, self._identity, _now()))
        self._remember(msgspec.convert(answer, StoredLease))
        self._renewed_at = began

    async def _write(self, record: LeaseRecord) -> None:
        began = self._clock()
        name, namespace = self._settings.name, self._settings.namespace
        answer = await self._client.merge_patch(LEASES, name, patch_of(record, self._version), namespace)
        self._remember(msgspec.convert(answer, StoredLease))
        self._renewed_at = began

    def _remember(self, lease: StoredLease) -> None:
        self._version = lease.version
        if lease.spec != self._record:
            self._record = lease.spec
            self._seen_at = self._clock()

    async def _bounded(self, call: Awaitable[bool], seconds: float) -> bool:
        async with asyncio.timeout(seconds):
            return await call

    @property
    def _call_seconds(self) -> float:
        return self._settings.give_up / 3

    def _pause(self) -> float:
        return self._settings.retry * random.uniform(0.8, 1.2)  # noqa: S311 - spreads load, guards nothing


def _now() -> datetime:
    return datetime.now(UTC)


def _words(error: Exception) -> str:
    return str(error) or "no answer in time"


_FAILURES = (ApiError, ConfigError, msgspec.ValidationError, TimeoutError)
_RELEASE_SECONDS = 3.0
_SLOW_SECONDS = 5.0
