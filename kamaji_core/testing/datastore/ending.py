"""A share ends: its access first, its data later, and nothing of it stays.

A tenant that is deleted must not be able to write while its data is removed, and what stays behind is found by the next
tenant that gets the same name.
"""

from __future__ import annotations

import asyncio
import dataclasses
from typing import TYPE_CHECKING

import pytest

from kamaji_core.testing.datastore.under_test import Feature, RefusedError
from kamaji_core.testing.waiting import until

if TYPE_CHECKING:
    from kamaji_core.testing.datastore.desk import Desk
    from kamaji_core.testing.datastore.under_test import TenantClient

NOTICE_SECONDS = 10.0
"""In which a live client notices that it was shut out."""

MUCH = 200
"""Keys of a tenant with data."""


async def is_shut_out(client: TenantClient) -> bool:
    """Whether a client that is logged in may neither write nor read any more."""
    try:
        await client.write("late", b"value")
    except RefusedError:
        try:
            await client.read("late")
        except RefusedError:
            return True
    return False


async def shut_out(client: TenantClient) -> None:
    """Wait until a client that is logged in is of no more use."""
    await until(lambda: is_shut_out(client), "a live client to be shut out", seconds=NOTICE_SECONDS)


async def writes_until_refused(client: TenantClient) -> None:
    """Write as a pod does that knows of nothing."""
    try:
        while True:
            await client.write("key", b"value")
    except RefusedError:
        return


class Ending:
    """Revoke and remove."""

    async def test_revoke_ends_the_login(self, desk: Desk) -> None:
        """Nobody logs in any more."""
        desk.needs(Feature.LOGINS)
        claim, credentials = await desk.make()
        await (await desk.log_in(claim, credentials)).write("key", b"value")
        await desk.session.revoke(claim)
        with pytest.raises(RefusedError):
            await (await desk.log_in(claim, credentials)).read("key")

    async def test_revoke_stops_a_live_client(self, desk: Desk) -> None:
        """An open connection is of no more use."""
        desk.needs(Feature.LOGINS)
        claim, credentials = await desk.make()
        client = await desk.log_in(claim, credentials)
        await client.write("key", b"value")
        await desk.session.revoke(claim)
        await shut_out(client)

    async def test_revoke_stops_every_live_client(self, desk: Desk) -> None:
        """Two pods' connections end, however they logged in."""
        desk.needs(Feature.LOGINS)
        claim, first = await desk.make()
        second = desk.issue(claim, current=first, renew=True)
        await desk.session.ensure(claim, second)
        clients = [await desk.log_in(claim, credentials) for credentials in (first, second)]
        for client in clients:
            await client.write("key", b"value")
        await desk.session.revoke(claim)
        for client in clients:
            await shut_out(client)
        for credentials in (first, second):
            with pytest.raises(RefusedError):
                await (await desk.log_in(claim, credentials)).read("key")

    async def test_access_comes_back_with_the_data(self, desk: Desk) -> None:
        """`revoke` keeps the data, and `ensure` gives access to it again."""
        desk.needs(Feature.LOGINS)
        claim, credentials = await desk.make()
        await (await desk.log_in(claim, credentials)).write("key", b"value")
        await desk.session.revoke(claim)
        await desk.session.ensure(claim, credentials)
        client = await desk.log_in(claim, credentials)
        assert await client.read("key") == b"value"
        await client.write("key", b"again")

    async def test_revoke_keeps_the_owner(self, desk: Desk) -> None:
        """A tenant without access still owns its names."""
        desk.needs(Feature.OWNERS)
        claim, _ = await desk.make()
        await desk.session.revoke(claim)
        assert await desk.holds(claim)
        await desk.session.reserve(claim)

    async def test_revoke_may_be_repeated(self, desk: Desk) -> None:
        """Also where nothing is left to revoke."""
        claim, _ = await desk.make()
        await desk.session.revoke(claim)
        before = await desk.holds(claim)
        await desk.session.revoke(claim)
        assert sorted(await desk.holds(claim)) == sorted(before)

    async def test_revoke_of_what_is_not_there(self, desk: Desk) -> None:
        """Succeeds and makes nothing."""
        claim = desk.claim()
        await desk.session.revoke(claim)
        assert await desk.holds(claim) == ()

    async def test_remove_leaves_nothing(self, desk: Desk) -> None:
        """Data, users, rights and records are gone."""
        claim, credentials = await desk.make()
        if desk.can(Feature.LOGINS):
            client = await desk.log_in(claim, credentials)
            for number in range(MUCH):
                await client.write(f"registry/pods/kit/{number}", b"value" * 20)
            await client.aclose()
        await desk.session.revoke(claim)
        await desk.session.remove(claim)
        assert await desk.holds(claim) == ()

    async def test_remove_leaves_nothing_of_renewed_credentials(self, desk: Desk) -> None:
        """However many logins there were."""
        claim, first = await desk.make()
        second = desk.issue(claim, current=first, renew=True)
        await desk.session.ensure(claim, second)
        await desk.session.remove(claim)
        assert await desk.holds(claim) == ()

    async def test_remove_needs_no_revoke(self, desk: Desk) -> None:
        """A pod that still runs neither hinders it nor writes anything back."""
        desk.needs(Feature.LOGINS)
        claim, credentials = await desk.make()
        client = await desk.log_in(claim, credentials)
        await client.write("key", b"value")
        writing = asyncio.create_task(writes_until_refused(client))
        try:
            await desk.session.remove(claim)
            async with asyncio.timeout(NOTICE_SECONDS):
                await writing
        finally:
            writing.cancel()
        assert await desk.holds(claim) == ()

    async def test_remove_may_be_repeated(self, desk: Desk) -> None:
        """The second time there is nothing, which is success."""
        claim, _ = await desk.make()
        await desk.session.remove(claim)
        await desk.session.remove(claim)
        assert await desk.holds(claim) == ()

    async def test_remove_of_what_is_not_there(self, desk: Desk) -> None:
        """Succeeds and makes nothing."""
        claim = desk.claim()
        await desk.session.remove(claim)
        assert await desk.holds(claim) == ()

    async def test_remove_of_a_reservation(self, desk: Desk) -> None:
        """A tenant that never got further leaves nothing either."""
        claim = desk.claim()
        await desk.session.reserve(claim)
        await desk.session.remove(claim)
        assert await desk.holds(claim) == ()

    async def test_the_names_are_free_again(self, desk: Desk) -> None:
        """Another tenant may have them and finds nothing of the former one."""
        claim, credentials = await desk.make()
        if desk.can(Feature.LOGINS):
            await (await desk.log_in(claim, credentials)).write("key", b"value")
        await desk.session.remove(claim)
        heir = dataclasses.replace(desk.claim(), schema=claim.schema, user=claim.user)
        _, theirs = await desk.make(heir)
        if desk.can(Feature.LOGINS):
            assert await (await desk.log_in(heir, theirs)).read("key") is None

    async def test_others_stay(self, desk: Desk) -> None:
        """Removal of one tenant is felt by no other, connected or not."""
        desk.needs(Feature.MANY_TENANTS, Feature.LOGINS)
        claim, _ = await desk.make()
        other, theirs = await desk.make()
        client = await desk.log_in(other, theirs)
        await client.write("key", b"value")
        await desk.session.revoke(claim)
        assert await client.read("key") == b"value"
        await desk.session.remove(claim)
        assert await client.read("key") == b"value"
        await (await desk.log_in(other, theirs)).write("key", b"more")
