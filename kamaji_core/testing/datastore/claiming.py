"""A share is made: once, twice, at the same time, and after every crash in between.

The operator may be stopped after any request and calls again from the start, with another session, so each step must
hold whatever came before it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from kamaji_core.testing.datastore.desk import refused
from kamaji_core.testing.datastore.under_test import Feature, RefusedError

if TYPE_CHECKING:
    from kamaji_core.testing.datastore.desk import Desk

TOGETHER = 6
"""Tenants made at the same time."""


class Claiming:
    """Reserve, issue, ensure."""

    async def test_a_share_is_made_and_used(self, desk: Desk) -> None:
        """A new tenant logs in and finds what it wrote."""
        desk.needs(Feature.LOGINS)
        client = await desk.log_in(*await desk.make())
        await client.write("key", b"value")
        assert await client.read("key") == b"value"
        assert await client.read("no such key") is None

    async def test_every_step_may_be_repeated(self, desk: Desk) -> None:
        """Reserve and ensure, twice each and in turn, change nothing more."""
        claim = desk.claim()
        await desk.session.reserve(claim)
        await desk.session.reserve(claim)
        credentials = desk.issue(claim)
        await desk.session.ensure(claim, credentials)
        before = await desk.holds(claim)
        await desk.session.ensure(claim, credentials)
        await desk.session.reserve(claim)
        await desk.session.settle(claim, credentials)
        await desk.session.settle(claim, credentials)
        await desk.session.ensure(claim, credentials)
        assert sorted(await desk.holds(claim)) == sorted(before)
        if desk.can(Feature.LOGINS):
            await (await desk.log_in(claim, credentials)).write("key", b"value")

    async def test_repeating_keeps_the_data(self, desk: Desk) -> None:
        """What a tenant wrote outlives each repetition, and its open connection too."""
        desk.needs(Feature.LOGINS)
        claim, credentials = await desk.make()
        client = await desk.log_in(claim, credentials)
        await client.write("key", b"value")
        await desk.session.reserve(claim)
        await desk.session.ensure(claim, credentials)
        await desk.session.settle(claim, credentials)
        assert await client.read("key") == b"value"

    async def test_a_reservation_lets_nobody_in(self, desk: Desk) -> None:
        """Credentials do not work before `ensure`."""
        desk.needs(Feature.LOGINS)
        claim = desk.claim()
        await desk.session.reserve(claim)
        with pytest.raises(RefusedError):
            await (await desk.log_in(claim, desk.issue(claim))).write("key", b"value")

    async def test_credentials_alone_let_nobody_in(self, desk: Desk) -> None:
        """Issuing is no login: the store has not heard of the user."""
        desk.needs(Feature.LOGINS)
        claim = desk.claim()
        with pytest.raises(RefusedError):
            await (await desk.log_in(claim, desk.issue(claim))).write("key", b"value")

    async def test_ensure_needs_no_earlier_call(self, desk: Desk) -> None:
        """A share that somebody removed behind the operator's back is made whole by `ensure` alone."""
        claim = desk.claim()
        credentials = desk.issue(claim)
        await desk.session.ensure(claim, credentials)
        if desk.can(Feature.LOGINS):
            await (await desk.log_in(claim, credentials)).write("key", b"value")
        if desk.can(Feature.OWNERS):
            rival = desk.claim(schema=claim.schema, user=claim.user)
            await refused(desk.session.reserve(rival))

    async def test_a_crash_before_credentials_were_kept(self, desk: Desk) -> None:
        """Credentials that nobody kept are replaced by others, which work."""
        claim = desk.claim()
        await desk.session.reserve(claim)
        lost = desk.issue(claim)
        successor = desk.open()
        await successor.reserve(claim)
        kept = desk.issue(claim)
        await successor.ensure(claim, kept)
        if desk.can(Feature.LOGINS):
            await (await desk.log_in(claim, kept)).write("key", b"value")
        assert lost.user
        assert kept.user

    async def test_a_crash_between_issue_and_ensure(self, desk: Desk) -> None:
        """The next operator finds the credentials in their Secret and goes on with these."""
        claim = desk.claim()
        await desk.session.reserve(claim)
        credentials = desk.issue(claim)
        successor = desk.open()
        await successor.reserve(claim)
        assert desk.issue(claim, current=credentials) == credentials
        await successor.ensure(claim, credentials)
        if desk.can(Feature.LOGINS):
            await (await desk.log_in(claim, credentials)).write("key", b"value")

    async def test_credentials_issued_anew_work(self, desk: Desk) -> None:
        """A Secret that was deleted is made again, and `ensure` lets the new ones in."""
        desk.needs(Feature.LOGINS)
        claim, credentials = await desk.make()
        await (await desk.log_in(claim, credentials)).write("key", b"value")
        again = desk.issue(claim)
        await desk.session.ensure(claim, again)
        assert await (await desk.log_in(claim, again)).read("key") == b"value"

    async def test_two_operators_at_once(self, desk: Desk) -> None:
        """Two sessions that make the same share at the same time both succeed."""
        claim = desk.claim()
        sessions = [desk.open(), desk.open()]
        await asyncio.gather(*(session.reserve(claim) for session in sessions))
        credentials = desk.issue(claim)
        await asyncio.gather(*(session.ensure(claim, credentials) for session in sessions))
        if desk.can(Feature.LOGINS):
            await (await desk.log_in(claim, credentials)).write("key", b"value")

    async def test_one_session_serves_tenants_at_once(self, desk: Desk) -> None:
        """Calls for several tenants run together over one session and each gets its own share."""
        desk.needs(Feature.MANY_TENANTS)
        made = await asyncio.gather(*(desk.make() for _ in range(TOGETHER)))
        if desk.can(Feature.LOGINS):
            for number, one in enumerate(made):
                await (await desk.log_in(*one)).write("key", str(number).encode())
            for number, one in enumerate(made):
                assert await (await desk.log_in(*one)).read("key") == str(number).encode()

    async def test_another_user_s_credentials_are_refused(self, desk: Desk) -> None:
        """`ensure` with the credentials of another tenant gives nobody rights and says so, for good."""
        desk.needs(Feature.LOGINS, Feature.MANY_TENANTS)
        claim, other = desk.claim(), desk.claim()
        await desk.session.reserve(claim)
        await desk.session.reserve(other)
        theirs = desk.issue(other)
        await refused(desk.session.ensure(claim, theirs))
        with pytest.raises(RefusedError):
            await (await desk.log_in(claim, theirs)).write("key", b"value")
