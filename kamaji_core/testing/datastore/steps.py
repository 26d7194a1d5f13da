"""The methods of a session as steps that any fault can befall: what each needs before, and what must be so after.

One list of steps, so that a fault that is thought of once befalls all of them.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kamaji_core.contracts import Probe, StoreError, UnsupportedError
from kamaji_core.testing.datastore.desk import a_sentence
from kamaji_core.testing.datastore.under_test import Feature, RefusedError

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from kamaji_core.contracts import Claim, Credentials, Session
    from kamaji_core.testing.datastore.desk import Desk

LIMITS = {
    "probe": 14.0,
    "reserve": 24.0,
    "ensure": 24.0,
    "settle": 24.0,
    "revoke": 29.0,
    "remove": 149.0,
    "check": 29.0,
    "usage": 29.0,
    "claims": 29.0,
}
"""Seconds that each method may take, a second below the core's own limit."""

STEPS = tuple(LIMITS)
WRITING_STEPS = ("reserve", "ensure", "settle", "revoke", "remove")
ASKING = {"check": Feature.CHECK, "usage": Feature.USAGE, "claims": Feature.CLAIMS}

HEAL_SECONDS = 15.0
"""In which a session works again once its server does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One step about to be made for one tenant.

    Args:
        step: name of the method.
        claim: of the tenant.
        credentials: that it is called with.
    """

    step: str
    claim: Claim
    credentials: Credentials

    def call(self, session: Session) -> Coroutine[Any, Any, Any]:
        """The step, not yet begun."""
        match self.step:
            case "probe" | "claims":
                call = getattr(session, self.step)()
            case "ensure" | "settle":
                call = getattr(session, self.step)(self.claim, self.credentials)
            case _:
                call = getattr(session, self.step)(self.claim)
        one: Coroutine[Any, Any, Any] = call
        return one


async def prepare(desk: Desk, step: str, session: Session | None = None) -> Case:
    """Bring a tenant to where the step is made, over a working store."""
    if step in ASKING:
        desk.needs(ASKING[step])
    claim = desk.claim()
    session = session or desk.session
    await session.probe()
    if step == "reserve":
        return Case(step=step, claim=claim, credentials=desk.issue(claim))
    await session.reserve(claim)
    credentials = desk.issue(claim)
    if step == "ensure":
        return Case(step=step, claim=claim, credentials=credentials)
    await session.ensure(claim, credentials)
    if step == "settle":
        credentials = desk.issue(claim, current=credentials, renew=True)
        await session.ensure(claim, credentials)
    if desk.can(Feature.LOGINS) and step in {"revoke", "remove", "usage"}:
        client = await desk.server.log_in(claim, credentials)
        await client.write("key", b"value")
        await client.aclose()
    if step == "remove":
        await session.revoke(claim)
    return Case(step=step, claim=claim, credentials=credentials)


async def is_right(desk: Desk, case: Case, session: Session) -> None:
    """What must be so once the step was made whole, however often it was broken off before."""
    match case.step:
        case "reserve":
            await session.ensure(case.claim, case.credentials)
            await _is_open(desk, case)
        case "ensure" | "settle":
            await _is_open(desk, case)
        case "revoke":
            await _is_shut(desk, case)
            await session.ensure(case.claim, case.credentials)
            await _is_open(desk, case, key="key")
        case "remove":
            assert await desk.holds(case.claim) == ()
        case "probe":
            assert (await session.probe()).ok
        case "check":
            assert await session.check(case.claim) is None
        case "usage":
            assert (await session.usage(case.claim)).keys == (1 if desk.can(Feature.LOGINS) else 0)
        case "claims":
            assert case.claim.tenant_uid in {one.tenant_uid for one in await session.claims()}


async def make_whole(case: Case, session: Session) -> None:
    """Make the step as the core does after a failure: again, until it succeeds, but not for ever."""
    try:
        async with asyncio.timeout(HEAL_SECONDS):
            while True:
                try:
                    found = await case.call(session)
                except StoreError as error:
                    assert error.retry, f"{case.step} gives up after a fault that has passed: {error}"
                    await asyncio.sleep(0.05)
                else:
                    if not isinstance(found, Probe) or found.ok:
                        return
                    await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"{case.step} does not heal within {HEAL_SECONDS:.0f} s once the store works") from None


async def must_fail(desk: Desk, case: Case, session: Session) -> None:
    """Make the step while the store cannot serve it: an error of the contract, in time, worth another attempt."""
    limit = LIMITS[case.step]
    try:
        async with asyncio.timeout(limit):
            found = await case.call(session)
    except TimeoutError:
        raise AssertionError(f"{case.step} took longer than {limit:.0f} s: the core's limit would end it") from None
    except StoreError as error:
        assert not isinstance(error, UnsupportedError), f"{case.step} is not there: name its feature in CANNOT"
        assert error.retry, f"{case.step} says that another attempt cannot help: {error}"
        assert error.kind.value in {"refused", "timeout"}, f"{case.step}: {error.kind}: {error}"
        a_sentence(error)
        assert not desk.seen_in(str(error)), "the sentence holds a secret"
        return
    except Exception as error:
        raise AssertionError(f"{case.step} raised {type(error).__name__}, no StoreError: {error}") from error
    if isinstance(found, Probe):
        assert not found.ok
        return
    assert case.step == "settle", f"{case.step} succeeded without its server"


async def _is_open(desk: Desk, case: Case, *, key: str = "") -> None:
    if desk.can(Feature.LOGINS):
        client = await desk.server.log_in(case.claim, case.credentials)
        try:
            if key:
                assert await client.read(key) == b"value"
            await client.write("after", b"value")
            assert await client.read("after") == b"value"
        finally:
            await client.aclose()


async def _is_shut(desk: Desk, case: Case) -> None:
    if not desk.can(Feature.LOGINS):
        return
    with contextlib.suppress(RefusedError):
        client = await desk.server.log_in(case.claim, case.credentials)
        try:
            await client.read("key")
        finally:
            await client.aclose()
        raise AssertionError("the tenant gets in after it was shut out")
