"""Tenants are kept apart, whatever they are called.

Ranges have ends and patterns have wildcards: the names that break a driver are those beside another's. A driver may
refuse a name, for good and with a sentence; what it takes it must keep exactly.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest

from kamaji_core.contracts import StoreError
from kamaji_core.testing.datastore.desk import a_sentence
from kamaji_core.testing.datastore.names import hostile_names, neighbours
from kamaji_core.testing.datastore.under_test import Feature, RefusedError

if TYPE_CHECKING:
    from kamaji_core.contracts import Claim, Credentials
    from kamaji_core.testing.datastore.desk import Desk

RANDOM_NAMES = 10
EXPLORED_NAMES = 2000
"""With KAMAJI_EXPLORE=1."""


async def taken(desk: Desk, claim: Claim) -> Credentials | None:
    """Make a claim with a strange name; None when it is refused, which must be for good and in a sentence."""
    try:
        _, credentials = await desk.make(claim)
    except StoreError as error:
        assert not error.retry, f"{claim.schema!r}, {claim.user!r} should be refused for good: {error}"
        words = a_sentence(error)
        assert words.isprintable(), f"the sentence holds what cannot be printed: {words!r}"
        return None
    return credentials


class Isolation:
    """Each tenant reaches its own share and no other."""

    async def test_two_tenants_cannot_reach_each_other(self, desk: Desk) -> None:
        """Neither reads, writes, counts nor removes what is the other's."""
        desk.needs(Feature.MANY_TENANTS, Feature.LOGINS)
        (one, first), (two, second) = await desk.make(), await desk.make()
        theirs = await desk.log_in(two, second)
        await theirs.write("key", b"of the second")
        ours = await desk.log_in(one, first)
        await ours.write("key", b"of the first")
        assert list(await ours.reach(two, "key")) == []
        assert list(await theirs.reach(one, "key")) == []
        assert await theirs.read("key") == b"of the second"

    @pytest.mark.parametrize("which", range(len(neighbours("name"))))
    async def test_neighbours_cannot_reach_each_other(self, desk: Desk, which: int) -> None:
        """Nor do those whose names lie at the ends of a range or match as a pattern."""
        desk.needs(Feature.MANY_TENANTS, Feature.LOGINS)
        claim, credentials = await desk.make(desk.claim(schema=f"{desk.claim().schema}m"))
        beside = desk.claim(schema=neighbours(claim.schema)[which])
        theirs = await taken(desk, beside)
        ours = await desk.log_in(claim, credentials)
        await ours.write("key", b"ours")
        if theirs is None:
            return
        client = await desk.log_in(beside, theirs)
        assert await client.read("key") is None
        await client.write("key", b"theirs")
        assert list(await client.reach(claim, "key")) == []
        assert list(await ours.reach(beside, "key")) == []
        assert await ours.read("key") == b"ours"
        await desk.session.remove(beside)
        assert await ours.read("key") == b"ours"

    async def test_a_schema_called_like_a_user(self, desk: Desk) -> None:
        """Names of schemas and of users are apart: one tenant's schema may be another's user."""
        desk.needs(Feature.MANY_TENANTS, Feature.LOGINS)
        one = desk.claim()
        two = desk.claim(schema=one.user, user=one.schema)
        first, second = await taken(desk, one), await taken(desk, two)
        assert first is not None
        ours = await desk.log_in(one, first)
        await ours.write("key", b"ours")
        if second is not None:
            client = await desk.log_in(two, second)
            assert list(await client.reach(one, "key")) == []
            assert await client.read("key") is None
            await desk.session.remove(two)
        await desk.session.ensure(one, first)
        assert await ours.read("key") == b"ours"

    async def test_schema_and_user_of_one_name(self, desk: Desk) -> None:
        """The ordinary case: both are called alike."""
        desk.needs(Feature.LOGINS)
        claim = desk.claim()
        claim, credentials = await desk.make(desk.claim(user=claim.schema, schema=claim.schema))
        client = await desk.log_in(claim, credentials)
        await client.write("key", b"value")
        assert await client.read("key") == b"value"
        await desk.session.remove(claim)
        assert await desk.holds(claim) == ()

    @pytest.mark.parametrize("field", ["schema", "user"])
    async def test_hostile_names_are_refused_or_exact(self, desk: Desk, field: str) -> None:
        """Each is either refused, for good and in a sentence, or becomes a share like any other and goes again."""
        desk.needs(Feature.LOGINS)
        bystander, theirs = await desk.make()
        witness = await desk.log_in(bystander, theirs)
        await witness.write("key", b"untouched")
        before = sorted(await desk.holds(bystander))
        names = hostile_names(EXPLORED_NAMES if os.environ.get("KAMAJI_EXPLORE") else RANDOM_NAMES)
        if not os.environ.get("KAMAJI_EXPLORE"):  # half of them as schemas, the other half as users
            names = names[field == "user" :: 2]
        for name in names:
            claim = desk.claim(**{field: name})
            credentials = await taken(desk, claim)
            if credentials is not None:
                await _is_a_share(desk, claim, credentials, bystander)
            await desk.session.revoke(claim)
            await desk.session.remove(claim)
            if credentials is not None:
                assert await desk.holds(claim) == (), f"{name!r} left something behind"
        assert await witness.read("key") == b"untouched"
        assert sorted(await desk.holds(bystander)) == before
        assert (await desk.session.probe()).ok

    async def test_hostile_names_are_no_claims(self, desk: Desk) -> None:
        """What reads only neither fails with anything but a sentence nor finds another's things."""
        desk.needs(Feature.LOGINS)
        for name in hostile_names(0):
            claim = desk.claim(schema=name)
            for call in (desk.session.usage(claim), desk.session.check(claim)):
                try:
                    async with asyncio.timeout(10):
                        found = await call
                except StoreError as error:
                    assert not error.retry, f"{name!r}: {error}"
                    a_sentence(error)
                else:
                    assert found is None or getattr(found, "what", None) or getattr(found, "keys", None) == 0, name


async def _is_a_share(desk: Desk, claim: Claim, credentials: Credentials, bystander: Claim) -> None:
    client = await desk.log_in(claim, credentials)
    try:
        await client.write("key", b"value")
        assert await client.read("key") == b"value", claim
        assert list(await client.reach(bystander, "key")) == [], claim
    except RefusedError as error:
        raise AssertionError(f"{claim.schema!r}, {claim.user!r} was taken and cannot be used") from error
    finally:
        await client.aclose()
