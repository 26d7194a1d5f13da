"""Credentials: who gets in with them, and how new ones take the place of old ones without an interruption.

While pods are replaced one after another, some run with the earlier credentials and some with the new ones; only when
the last has gone may the earlier ones end, and then they must.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kamaji_core.testing.datastore.ending import NOTICE_SECONDS, is_shut_out
from kamaji_core.testing.datastore.under_test import Feature, RefusedError
from kamaji_core.testing.waiting import until

if TYPE_CHECKING:
    from kamaji_core.testing.datastore.desk import Desk

TURNS = 4
"""Renewals in a row."""


class Access:
    """Logins, and their renewal."""

    async def test_a_tenant_s_credentials_open_its_share_alone(self, desk: Desk) -> None:
        """Those of one tenant are of no use for another's schema."""
        desk.needs(Feature.LOGINS, Feature.MANY_TENANTS)
        (one, first), (two, second) = await desk.make(), await desk.make()
        await (await desk.log_in(two, second)).write("key", b"value")
        with pytest.raises(RefusedError):
            await (await desk.log_in(two, first)).read("key")
        await (await desk.log_in(one, first)).write("key", b"value")

    async def test_renewed_credentials_work_beside_the_earlier(self, desk: Desk) -> None:
        """Until `settle`, pods with either are served, on open and on new connections."""
        desk.needs(Feature.LOGINS)
        claim, first = await desk.make()
        running = await desk.log_in(claim, first)
        await running.write("key", b"value")
        second = desk.issue(claim, current=first, renew=True)
        await running.write("key", b"issued")
        await desk.session.ensure(claim, second)
        await running.write("key", b"ensured")
        for credentials in (first, second):
            client = await desk.log_in(claim, credentials)
            assert await client.read("key") == b"ensured"
            await client.write("key", b"ensured")

    async def test_both_see_the_same_share(self, desk: Desk) -> None:
        """What a new pod makes an old one may change and remove: whatever login made it, the share owns it."""
        desk.needs(Feature.LOGINS)
        claim, first = await desk.make()
        old = await desk.log_in(claim, first)
        await old.write("of the old", b"1")
        second = desk.issue(claim, current=first, renew=True)
        await desk.session.ensure(claim, second)
        new = await desk.log_in(claim, second)
        await new.write("of the old", b"2")
        await new.write("of the new", b"1")
        await old.write("of the new", b"2")
        assert await old.read("of the old") == b"2"
        assert await new.read("of the new") == b"2"

    async def test_settle_ends_the_earlier(self, desk: Desk) -> None:
        """Neither new nor open connections of the earlier credentials are served any more."""
        desk.needs(Feature.LOGINS, Feature.SETTLE)
        claim, first = await desk.make()
        left = await desk.log_in(claim, first)
        await left.write("key", b"value")
        second = desk.issue(claim, current=first, renew=True)
        await desk.session.ensure(claim, second)
        await desk.session.settle(claim, second)
        with pytest.raises(RefusedError):
            await (await desk.log_in(claim, first)).read("key")
        await until(lambda: is_shut_out(left), "the earlier login's connection to end", seconds=NOTICE_SECONDS)

    async def test_settle_keeps_the_present(self, desk: Desk) -> None:
        """Those that were given go on, on open connections too, however often it is called."""
        desk.needs(Feature.LOGINS)
        claim, first = await desk.make()
        second = desk.issue(claim, current=first, renew=True)
        await desk.session.ensure(claim, second)
        client = await desk.log_in(claim, second)
        await client.write("key", b"value")
        await desk.session.settle(claim, second)
        await desk.session.settle(claim, second)
        assert await client.read("key") == b"value"
        assert await (await desk.log_in(claim, second)).read("key") == b"value"

    async def test_settle_without_renewal_changes_nothing(self, desk: Desk) -> None:
        """It may be called at any time with what the tenant has."""
        desk.needs(Feature.LOGINS)
        claim, credentials = await desk.make()
        client = await desk.log_in(claim, credentials)
        await client.write("key", b"value")
        before = sorted(await desk.holds(claim))
        await desk.session.settle(claim, credentials)
        assert sorted(await desk.holds(claim)) == before
        assert await client.read("key") == b"value"

    async def test_settle_of_what_is_not_there(self, desk: Desk) -> None:
        """A tenant that is unknown to the store is not made by it."""
        desk.needs(Feature.LOGINS)
        claim = desk.claim()
        await desk.session.settle(claim, desk.issue(claim))
        assert await desk.holds(claim) == ()

    async def test_renewal_goes_on_for_ever(self, desk: Desk) -> None:
        """Every renewal works like the first, and leaves no more behind than it."""
        desk.needs(Feature.LOGINS)
        claim, credentials = await desk.make()
        sizes = []
        for turn in range(TURNS):
            credentials = desk.issue(claim, current=credentials, renew=True)
            await desk.session.ensure(claim, credentials)
            await desk.session.settle(claim, credentials)
            client = await desk.log_in(claim, credentials)
            await client.write("turn", str(turn).encode())
            sizes.append(len(await desk.holds(claim)))
        assert sizes[1:] == sizes[1:2] * (TURNS - 1), f"things at the store, turn by turn: {sizes}"

    async def test_a_renewal_that_was_interrupted(self, desk: Desk) -> None:
        """Credentials that were kept but never ensured are ensured later, and the earlier ones work meanwhile."""
        desk.needs(Feature.LOGINS)
        claim, first = await desk.make()
        second = desk.issue(claim, current=first, renew=True)
        successor = desk.open()
        await (await desk.log_in(claim, first)).write("key", b"value")
        await successor.reserve(claim)
        await successor.ensure(claim, second)
        assert await (await desk.log_in(claim, second)).read("key") == b"value"

    async def test_a_renewal_that_was_repeated(self, desk: Desk) -> None:
        """Asked to renew twice before anything was settled, the latest credentials work."""
        desk.needs(Feature.LOGINS)
        claim, first = await desk.make()
        second = desk.issue(claim, current=first, renew=True)
        await desk.session.ensure(claim, second)
        third = desk.issue(claim, current=second, renew=True)
        await desk.session.ensure(claim, third)
        await desk.session.settle(claim, third)
        await (await desk.log_in(claim, third)).write("key", b"value")
