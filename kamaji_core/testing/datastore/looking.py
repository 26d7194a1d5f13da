"""What the store tells of its tenants: how much they hold, whether they are as they were made, and who they are."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from kamaji_core.contracts import StoreError
from kamaji_core.testing.datastore.desk import a_sentence
from kamaji_core.testing.datastore.under_test import Feature

if TYPE_CHECKING:
    from kamaji_core.contracts import Claim
    from kamaji_core.testing.datastore.desk import Desk

KEYS = 20
SIZE = 1000


def known(claims: object, claim: Claim) -> list[Claim]:
    """Those of a list of claims that are this tenant's."""
    assert isinstance(claims, list | tuple)
    return [one for one in claims if one.tenant_uid == claim.tenant_uid]


class Looking:
    """Usage, check and claims."""

    async def test_an_empty_share_takes_nothing(self, desk: Desk) -> None:
        """A new tenant has no keys and no bytes, and that is exact."""
        desk.needs(Feature.USAGE)
        claim, _ = await desk.make()
        usage = await desk.session.usage(claim)
        assert (usage.keys, usage.bytes) == (0, 0)

    async def test_usage_grows_with_data(self, desk: Desk) -> None:
        """Each key is counted, and so is what it holds."""
        desk.needs(Feature.USAGE, Feature.LOGINS)
        claim, credentials = await desk.make()
        client = await desk.log_in(claim, credentials)
        seen = 0
        for number in range(KEYS):
            await client.write(f"registry/things/kit/{number:03}", b"x" * SIZE)
            if number in {0, KEYS - 1}:
                usage = await desk.session.usage(claim)
                assert usage.keys == number + 1
                assert usage.bytes >= (number + 1) * SIZE * 0.9, usage
                assert usage.bytes > seen
                seen = usage.bytes

    async def test_usage_counts_no_neighbour(self, desk: Desk) -> None:
        """Other tenants' data is theirs, also where names begin alike."""
        desk.needs(Feature.USAGE, Feature.LOGINS, Feature.MANY_TENANTS)
        claim, _ = await desk.make()
        for end in ("0", "a", ""):
            beside = desk.claim(schema=f"{claim.schema}{end}") if end else desk.claim()
            client = await desk.log_in(*await desk.make(beside))
            for number in range(3):
                await client.write(f"key{number}", b"x" * SIZE)
        usage = await desk.session.usage(claim)
        assert (usage.keys, usage.bytes) == (0, 0)

    async def test_looking_makes_nothing(self, desk: Desk) -> None:
        """A claim that was never made takes nothing, and is not made by asking."""
        claim = desk.claim()
        for call in (desk.session.usage(claim), desk.session.check(claim)):
            try:
                found = await call
            except StoreError as error:
                a_sentence(error)
            else:
                assert getattr(found, "keys", 0) == 0
        assert await desk.holds(claim) == ()

    async def test_what_is_as_it_was_made(self, desk: Desk) -> None:
        """`check` finds nothing wrong with a share that nobody touched, nor after it was repeated or renewed."""
        desk.needs(Feature.CHECK)
        claim, credentials = await desk.make()
        assert await desk.session.check(claim) is None
        if desk.can(Feature.LOGINS):
            await (await desk.log_in(claim, credentials)).write("key", b"value")
        await desk.session.ensure(claim, credentials)
        assert await desk.session.check(claim) is None
        renewed = desk.issue(claim, current=credentials, renew=True)
        await desk.session.ensure(claim, renewed)
        assert await desk.session.check(claim) is None
        await desk.session.settle(claim, renewed)
        assert await desk.session.check(claim) is None

    @pytest.mark.parametrize("what", ["user", "rights"])
    async def test_what_was_changed_is_found_and_mended(self, desk: Desk, what: str) -> None:
        """A difference is named in a sentence, looking mends nothing, and `ensure` does."""
        desk.needs(Feature.CHECK, Feature.LOGINS)
        claim, credentials = await desk.make()
        await desk.server.spoil(claim, what)
        for _ in range(2):
            drift = await desk.session.check(claim)
            assert drift is not None, f"the {what} was changed and nothing is found"
            assert drift.what == drift.what.lower().strip() != ""
            a_sentence(drift.sentence)
        await desk.session.ensure(claim, credentials)
        assert await desk.session.check(claim) is None
        await (await desk.log_in(claim, credentials)).write("key", b"value")

    async def test_another_owner_is_found(self, desk: Desk) -> None:
        """A share whose record names another tenant is told as the gravest, and stays that tenant's."""
        desk.needs(Feature.CHECK, Feature.OWNERS)
        claim, credentials = await desk.make()
        await desk.server.spoil(claim, "owner")
        drift = await desk.session.check(claim)
        assert drift is not None
        assert drift.what == "owner"
        a_sentence(drift.sentence)
        with pytest.raises(StoreError):
            await desk.session.ensure(claim, credentials)

    async def test_another_s_claim_differs(self, desk: Desk) -> None:
        """Asked for a claim that another tenant has, `check` tells the owner and not that all is well."""
        desk.needs(Feature.CHECK, Feature.OWNERS)
        claim, _ = await desk.make()
        drift = await desk.session.check(dataclasses.replace(claim, tenant_uid="uid-of-another"))
        assert drift is not None
        assert drift.what == "owner"

    async def test_claims_are_listed_exactly(self, desk: Desk) -> None:
        """Every tenant once, with all that identifies it, from its reservation until its removal."""
        desk.needs(Feature.CLAIMS)
        reserved = desk.claim()
        await desk.session.reserve(reserved)
        made = [(await desk.make())[0] for _ in range(3)] if desk.can(Feature.MANY_TENANTS) else []
        listed = list(await desk.session.claims())
        for claim in (reserved, *made):
            assert known(listed, claim) == [dataclasses.replace(claim, recorded=False)]
        for claim in made[:1]:
            await desk.session.revoke(claim)
            assert known(list(await desk.session.claims()), claim) == [claim]
            await desk.session.remove(claim)
        await desk.session.remove(reserved)
        listed = list(await desk.session.claims())
        for claim in (reserved, *made[:1]):
            assert known(listed, claim) == []
        for claim in made[1:]:
            assert known(listed, claim) == [claim]

    async def test_a_listed_claim_can_be_removed(self, desk: Desk) -> None:
        """What the list tells is enough to end a tenant that nobody knows any more."""
        desk.needs(Feature.CLAIMS)
        claim, _ = await desk.make()
        (found,) = known(list(await desk.open().claims()), claim)
        await desk.session.revoke(found)
        await desk.session.remove(found)
        assert await desk.holds(claim) == ()
