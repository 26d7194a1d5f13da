"""One tenant's cluster, kept right by one light task: connect, look, write what differs, then only listen.

A look reads everything of ours with a handful of listings. Between looks, watches of metadata alone tell which of the
watched objects somebody changed, and these few are read and put back; all the rest waits for the next look, ten
minutes later. A server that hangs, refuses or lies costs its own session a growing pause and no other tenant anything.

Between looks a session keeps hardly more than its connections: neither the plan, which is made anew when it is needed,
nor the objects.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import structlog

from kamaji_core.kube import (
    ApiError,
    Backoff,
    ConfigError,
    Informer,
    KubeClient,
    NotLeaderError,
    Supervisor,
    UnreachableError,
)
from kamaji_core.soot.apply import Applier, Look
from kamaji_core.soot.asking import OURS, is_about_the_object
from kamaji_core.soot.kinds import Kinds, UnknownKindError
from kamaji_core.soot.record import RECORD
from kamaji_core.soot.report import state_of, unreachable
from kamaji_core.soot.wanted import ObjectKey, Wanted

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

    from kamaji_core.kube import Http2Transport, Key
    from kamaji_core.soot.plan import Plan
    from kamaji_core.tenancy import TenantState

log = structlog.get_logger()

LOOK_SECONDS = 600.0
"""Between two looks at everything."""

FIRST_WAIT, LONGEST_WAIT = 0.25, 60.0
"""Seconds before an object is put back the next time, after the first and after many times in a row."""

CALM_SECONDS = 120.0
"""After so long the next time is the first again."""

TURN_SECONDS = 1.0
"""That one session can keep others from connecting or from beginning their look."""

MOST_WATCHES = 4
"""Of one tenant."""

AT_ONCE = 32
"""Requests of one look: about all that a new cluster needs. They share the session's connection, and where processors
are short a look takes as long as it has rounds."""

PROBE_SECONDS = 150.0
"""Without anything to do, after which the server is asked whether it is ready: its watches do not tell, but end as soon
where it does not answer."""

PROBE_LIMIT = 5.0
LOOK_LIMIT = 60.0
"""Seconds that a server may take to say that it is ready, and for one look."""

TOLD_AFTER = 5.0
"""Seconds of failing before the tenant's conditions tell of it: at first it is often just a server that starts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A way into a tenant's cluster.

    Args:
        client: of the cluster.
        connection: what carries its requests; whoever gets it closes it.
        digest: changes with the address, the authority and the credentials.
    """

    client: KubeClient
    connection: Http2Transport
    digest: str


class _AnewError(Exception):
    """Address, credentials or what is to be watched are others now."""


class TenantSession:
    """Keeps one tenant's cluster right until cancelled.

    Args:
        connect: makes a way into the cluster.
        digest: tells the present digest of that way.
        plan: tells what the cluster should hold.
        tell: takes what is known of the cluster.
        turns: bounds how many sessions connect, or look at everything, at once.
        look_seconds: between two looks at everything.
        probe_seconds: without anything to do, after which the server is asked whether it is ready.
        told_after: seconds of failing before it is told.
    """

    def __init__(
        self,
        *,
        connect: Callable[[], Awaitable[Target]],
        digest: Callable[[], str],
        plan: Callable[[], Plan],
        tell: Callable[[TenantState], None],
        turns: asyncio.Semaphore,
        look_seconds: float = LOOK_SECONDS,
        probe_seconds: float = PROBE_SECONDS,
        told_after: float = TOLD_AFTER,
    ) -> None:
        self._connect = connect
        self._digest = digest
        self._plan = plan
        self._take = tell
        self._turns = turns
        self._look_seconds = look_seconds
        self._probe_seconds = probe_seconds
        self._told_after = told_after
        # A server that starts is known to run a moment before its address leads to it: that refuses once or twice.
        self._backoff = Backoff(first=0.2, longest=30.0)
        self._refusals = Backoff(first=1.0, longest=300.0)
        self._woken = asyncio.Event()
        self._poked = False
        self._changed: set[ObjectKey] = set()
        self._failing_since: float | None = None
        self._closed = False
        self._patience = _Patience()
        self.standing = False
        """Whether the cluster is as wanted, as far as its API server lets it be, and changes are listened to."""

    def poke(self) -> None:
        """Have the specification, the address and the credentials looked at again."""
        self._poked = True
        self._woken.set()

    def close(self) -> None:
        """Tell nothing and begin nothing any more; whoever runs it cancels it besides."""
        self._closed = True

    async def run(self) -> None:
        """Keep the cluster right until closed or cancelled."""
        while not self._closed:
            try:
                async with self._reached() as target:
                    await self._follow(target)
            except _AnewError:
                self._backoff.reset()
            except (ApiError, ConfigError, NotLeaderError) as error:
                await self._fail(str(error))
            except Exception as error:  # an answer that makes no sense, for instance
                log.exception("the session failed")
                await self._fail(f"Working in the tenant's cluster failed ({type(error).__name__}); trying again.")

    async def _fail(self, sentence: str) -> None:
        """Tell why it cannot work, and wait longer each time."""
        pause, now = self._backoff.next(), asyncio.get_running_loop().time()
        log.info("cannot work in the tenant's cluster", error=sentence, pause=round(pause, 1))
        self._failing_since = now if self._failing_since is None else self._failing_since
        if now - self._failing_since >= self._told_after:
            self._tell_failure(sentence)
        await self._wait(pause)

    def _tell_failure(self, sentence: str) -> None:
        try:
            self._tell(unreachable(sentence, self._plan()))
        except ConfigError:
            return  # there is nothing to connect to any more
        except Exception:  # it may be what failed in the first place
            log.exception("cannot plan")

    def _tell(self, state: TenantState) -> None:
        if not self._closed:
            self._take(state)

    @contextlib.asynccontextmanager
    async def _reached(self) -> AsyncIterator[Target]:
        """A way into the cluster that goes through, in turn: a thousand at once would wait for each other's TLS."""
        async with contextlib.AsyncExitStack() as stack:
            async with self._turn():
                target = await self._connect()
                await stack.enter_async_context(contextlib.aclosing(target.connection))
                await target.client.raw("/readyz", PROBE_LIMIT)
            yield target

    async def _follow(self, target: Target) -> None:
        async with Supervisor() as supervisor:
            eyes = _Eyes(target.client, supervisor, self._note)
            pause = await self._look(target, eyes)
            log.info("keeps the tenant's cluster")
            self.standing = True
            try:
                while True:
                    await self._listen(target, eyes, pause)
                    pause = await self._look(target, eyes)
            finally:
                self.standing = False

    async def _look(self, target: Target, eyes: _Eyes) -> float:
        """Bring everything to what is wanted; gives the seconds until the next time."""
        if self._digest() != target.digest:
            raise _AnewError
        self._poked = False
        self._woken.clear()
        plan, applier = self._plan(), Applier(target.client, at_once=AT_ONCE)
        async with self._turn(), _limit(LOOK_LIMIT):
            look = await applier.look_at_all(plan.objects, settled=plan.settled)
            await eyes.open(plan.objects)
        eyes.forget()
        eyes.remember(look)
        self._changed = {key for key in self._changed if eyes.differs(key)}
        self._note_writes(look)
        self._tell(state_of(plan, look))
        self._backoff.reset()
        self._failing_since = None
        if not eyes.are_wanted(plan.objects):
            raise _AnewError
        if look.waiting:
            return self._refusals.next()
        self._refusals.reset()
        return self._look_seconds * random.uniform(0.8, 1.0)  # noqa: S311 - spreads load, protects nothing

    @contextlib.asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """Wait for a turn, which is over soon even where the server is slow: it spreads load and nothing else."""
        await self._turns.acquire()
        over = contextlib.ExitStack()
        over.callback(self._turns.release)
        timer = asyncio.get_running_loop().call_later(TURN_SECONDS, over.close)
        try:
            yield
        finally:
            timer.cancel()
            over.close()

    async def _listen(self, target: Target, eyes: _Eyes, seconds: float) -> None:
        """Put back what is seen to have changed, until it is time to look at everything."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while (left := until - loop.time()) > 0:
            due = self._patience.due(self._changed)
            if not due and not await self._wait(min(left, self._probe_seconds, self._patience.seconds(self._changed))):
                await target.client.raw("/readyz", PROBE_LIMIT)
            if self._poked:
                return
            if due and await self._put_back(target, eyes, due):
                return

    async def _put_back(self, target: Target, eyes: _Eyes, changed: set[ObjectKey]) -> bool:
        """Put objects back that changed; tells whether a look at everything is due, because something was refused."""
        self._changed -= changed
        self._patience.note(changed)
        if RECORD in changed:  # what it should hold is not in the plan alone
            return True
        wanted = [one for one in self._plan().objects if one.key in changed]
        async with _limit(LOOK_LIMIT):
            look = await Applier(target.client).look_at(wanted)
        eyes.remember(look)
        self._note_writes(look)
        return bool(look.waiting)

    @staticmethod
    def _note_writes(look: Look) -> None:
        if look.writes:
            log.info("wrote into the tenant's cluster", writes=look.writes)

    def _note(self, key: ObjectKey) -> None:
        self._changed.add(key)
        self._woken.set()

    async def _wait(self, seconds: float) -> bool:
        """Wait until woken, but no longer than that; tells whether it was."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        woken = self._woken.is_set()
        self._woken.clear()
        return woken


class _Patience:
    """How long an object waits to be put back: the longer, the more often it had to be lately."""

    def __init__(self) -> None:
        self._known: dict[ObjectKey, tuple[int, float]] = {}  # how often in a row, and not before when

    def due(self, keys: Iterable[ObjectKey]) -> set[ObjectKey]:
        """Which of them may be put back now."""
        now = asyncio.get_running_loop().time()
        return {key for key in keys if self._known.get(key, (0, now))[1] <= now}

    def seconds(self, keys: Iterable[ObjectKey]) -> float:
        """Until the first of them may be; endless without any."""
        now = asyncio.get_running_loop().time()
        return min((max(self._known.get(key, (0, now))[1] - now, 0.0) for key in keys), default=float("inf"))

    def note(self, keys: Iterable[ObjectKey]) -> None:
        """They are put back now."""
        now = asyncio.get_running_loop().time()
        for key in keys:
            times, before = self._known.get(key, (-1, now))
            times = times + 1 if now - before < CALM_SECONDS else 0
            self._known[key] = (times, now + min(FIRST_WAIT * 2**times, LONGEST_WAIT))


class _Eyes:
    """Watches of the metadata of those kinds of which an object is to be put back at once.

    Args:
        client: of the cluster.
        supervisor: keeps the watches running.
        note: told which object is another than it was left.
    """

    def __init__(self, client: KubeClient, supervisor: Supervisor, note: Callable[[ObjectKey], None]) -> None:
        self._client = client
        self._kinds = Kinds(client)
        self._supervisor = supervisor
        self._note = note
        self._open: dict[tuple[str, str], Informer[str]] = {}
        self._left: dict[ObjectKey, str] = {}

    async def open(self, objects: Iterable[Wanted]) -> None:
        """Watch the kinds that are not watched yet; what would be one kind too many is left to the looks."""
        for one in objects:
            kind = (one.key.api_version, one.key.kind)
            if one.object.watch and kind not in self._open and len(self._open) < MOST_WATCHES:
                try:
                    resource = await self._kinds.resource(*kind)
                except UnknownKindError:
                    continue  # its object waits for the same, and the next look tries again
                except ApiError as error:
                    if not is_about_the_object(error):
                        raise
                    continue
                informer = self._open[kind] = Informer[str](
                    self._client,
                    resource,
                    decode=lambda raw: version_of(msgspec.json.decode(raw)["metadata"]),
                    on_change=functools.partial(self._see, kind),
                    label_selector=OURS,
                    metadata_only=True,
                )
                self._supervisor.start(f"watch {resource.api_version} {resource.plural}", informer.run)

    def are_wanted(self, objects: Iterable[Wanted]) -> bool:
        """Whether all that is watched is to be."""
        return self._open.keys() <= {(one.key.api_version, one.key.kind) for one in objects if one.object.watch}

    def forget(self) -> None:
        """Forget how objects were left: some may not be wanted any more."""
        self._left.clear()

    def remember(self, look: Look) -> None:
        """Take note of how objects were left."""
        for key, one in look.objects.items():
            if one.live is not None and (key.api_version, key.kind) in self._open:
                self._left[key] = version_of(one.live["metadata"])

    def differs(self, key: ObjectKey) -> bool:
        """Whether an object is another than it was left, as far as was told."""
        informer = self._open.get((key.api_version, key.kind))
        return (
            informer is not None
            and key in self._left
            and informer.store.get((key.namespace, key.name)) != self._left[key]
        )

    def _see(self, kind: tuple[str, str], place: Key, _before: str | None, version: str | None) -> None:
        key = ObjectKey(*kind, *place)
        if key in self._left and self._left[key] != version:
            self._note(key)


def version_of(metadata: dict[str, Any]) -> str:
    """What changes when somebody changes an object: its generation where it has one, which leaves out its status."""
    return str(metadata.get("generation") or metadata["resourceVersion"])


@contextlib.asynccontextmanager
async def _limit(seconds: float) -> AsyncIterator[None]:
    """As an error of the tenant's server, so that its session begins anew."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise UnreachableError("look at the tenant's cluster", message=f"no end after {seconds:.0f} s") from None
