"""Who owns a schema and a user: the record at the store decides, by UID, whatever a specification names.

A tenant chooses its names freely, and two management clusters may share one store. Whoever comes second must be told,
for good, and the first must not notice.
"""

from __future__ import annotations

import asyncio
import dataclasses
from typing import TYPE_CHECKING

from kamaji_core.contracts import StoreError
from kamaji_core.testing.datastore.desk import a_sentence, refused
from kamaji_core.testing.datastore.under_test import Feature

if TYPE_CHECKING:
    from kamaji_core.contracts import Claim, Credentials
    from kamaji_core.testing.datastore.desk import Desk

RIVALS = 4


async def still_works(desk: Desk, claim: Claim, credentials: Credentials) -> None:
    """The owner's share is as it was: it logs in, and its repeated set-up is taken."""
    await desk.session.reserve(claim)
    await desk.session.ensure(claim, credentials)
    if desk.can(Feature.LOGINS):
        client = await desk.log_in(claim, credentials)
        await client.write("mine", b"value")
        assert await client.read("mine") == b"value"


class Owning:
    """Two that want the same."""

    async def test_a_schema_has_one_owner(self, desk: Desk) -> None:
        """The second tenant that names a schema is refused by `reserve` and by `ensure`."""
        desk.needs(Feature.OWNERS)
        claim, credentials = await desk.make()
        rival = desk.claim(schema=claim.schema)
        await refused(desk.session.reserve(rival))
        await refused(desk.session.ensure(rival, desk.issue(rival)))
        await still_works(desk, claim, credentials)

    async def test_a_user_has_one_owner(self, desk: Desk) -> None:
        """The second tenant that names a user is refused by `reserve` and by `ensure`."""
        desk.needs(Feature.OWNERS)
        claim, credentials = await desk.make()
        rival = desk.claim(user=claim.user)
        await refused(desk.session.reserve(rival))
        await refused(desk.session.ensure(rival, desk.issue(rival)))
        await still_works(desk, claim, credentials)

    async def test_a_reservation_counts(self, desk: Desk) -> None:
        """Whoever reserved first has the names, before it has credentials."""
        desk.needs(Feature.OWNERS)
        claim = desk.claim()
        await desk.session.reserve(claim)
        for rival in (desk.claim(schema=claim.schema), desk.claim(user=claim.user)):
            await refused(desk.session.reserve(rival))
        await desk.make(claim)

    async def test_the_refused_gets_nothing(self, desk: Desk) -> None:
        """Of the name that was free nothing stays reserved, so that its next owner is not hindered."""
        desk.needs(Feature.OWNERS)
        claim, _ = await desk.make()
        rival = desk.claim(schema=claim.schema)
        await refused(desk.session.reserve(rival))
        await desk.make(desk.claim(user=rival.user))

    async def test_the_uid_decides(self, desk: Desk) -> None:
        """A tenant that was deleted and made anew under the same names is another tenant."""
        desk.needs(Feature.OWNERS)
        claim, credentials = await desk.make()
        anew = dataclasses.replace(claim, tenant_uid=f"{claim.tenant_uid}-anew")
        await refused(desk.session.reserve(anew))
        await refused(desk.session.ensure(anew, desk.issue(anew)))
        await still_works(desk, claim, credentials)

    async def test_names_do_not_decide(self, desk: Desk) -> None:
        """The owner is known by its UID where namespace and name are written otherwise."""
        desk.needs(Feature.OWNERS)
        claim, credentials = await desk.make()
        renamed = dataclasses.replace(claim, namespace="elsewhere", name="renamed")
        await still_works(desk, renamed, credentials)

    async def test_equal_names_in_two_namespaces(self, desk: Desk) -> None:
        """Two tenants that are both called `prod` have a share each."""
        desk.needs(Feature.MANY_TENANTS)
        one, two = desk.claim(namespace="team-a", name="prod"), desk.claim(namespace="team-b", name="prod")
        _, first = await desk.make(one)
        _, second = await desk.make(two)
        if desk.can(Feature.LOGINS):
            await (await desk.log_in(one, first)).write("key", b"of team-a")
            assert await (await desk.log_in(two, second)).read("key") is None
        await desk.session.remove(two)
        await still_works(desk, one, first)

    async def test_a_record_outweighs_a_status(self, desk: Desk) -> None:
        """A claim that calls itself recorded takes nothing from an owner."""
        desk.needs(Feature.OWNERS)
        claim, credentials = await desk.make()
        rival = desk.claim(schema=claim.schema, user=claim.user, recorded=True)
        await refused(desk.session.reserve(rival))
        await refused(desk.session.ensure(rival, desk.issue(rival)))
        await still_works(desk, claim, credentials)

    async def test_at_once_one_wins(self, desk: Desk) -> None:
        """Of several that ask at the same moment exactly one becomes the owner."""
        desk.needs(Feature.OWNERS)
        first = desk.claim()
        rivals = [first, *(desk.claim(schema=first.schema, user=first.user) for _ in range(RIVALS - 1))]
        sessions = [desk.open() for _ in rivals]
        answers = await asyncio.gather(
            *(session.reserve(claim) for session, claim in zip(sessions, rivals, strict=True)), return_exceptions=True
        )
        winners = [claim for claim, answer in zip(rivals, answers, strict=True) if answer is None]
        assert len(winners) == 1, f"{len(winners)} of {len(rivals)} became the owner"
        for answer in answers:
            assert answer is None or isinstance(answer, StoreError), answer
            if isinstance(answer, StoreError):
                assert not answer.retry
                a_sentence(answer)
        await desk.make(winners[0])

    async def test_what_nobody_owns_is_not_taken(self, desk: Desk) -> None:
        """What lies at the store without a record is refused to a claim that only names it."""
        desk.needs(Feature.OWNERS, Feature.TAKEOVER)
        claim = desk.claim()
        await desk.server.lay(claim)
        before = await desk.holds(claim)
        await refused(desk.session.reserve(claim))
        await refused(desk.session.ensure(claim, desk.issue(claim)))
        await desk.session.revoke(claim)
        await desk.session.remove(claim)
        assert sorted(await desk.holds(claim)) == sorted(before)

    async def test_what_the_status_names_is_taken_over(self, desk: Desk) -> None:
        """A tenant whose own status names it gets it, and is its owner from then on."""
        desk.needs(Feature.OWNERS, Feature.TAKEOVER)
        claim = desk.claim(recorded=True)
        await desk.server.lay(claim)
        _, credentials = await desk.make(claim)
        await still_works(desk, dataclasses.replace(claim, recorded=False), credentials)
        await refused(desk.session.reserve(desk.claim(schema=claim.schema, user=claim.user, recorded=True)))

    async def test_others_can_neither_revoke_nor_remove(self, desk: Desk) -> None:
        """A claim of another UID ends nothing, and that is no error."""
        desk.needs(Feature.OWNERS)
        claim, credentials = await desk.make()
        before = await desk.holds(claim)
        for rival in (
            dataclasses.replace(claim, tenant_uid="uid-of-another"),
            desk.claim(schema=claim.schema),
            desk.claim(user=claim.user),
            dataclasses.replace(claim, tenant_uid="uid-of-another", recorded=True),
        ):
            await desk.session.revoke(rival)
            await desk.session.remove(rival)
            assert sorted(await desk.holds(claim)) == sorted(before)
        if desk.can(Feature.LOGINS):
            await (await desk.log_in(claim, credentials)).write("mine", b"value")

    async def test_others_can_settle_nothing(self, desk: Desk) -> None:
        """A claim of another UID ends no login."""
        desk.needs(Feature.OWNERS, Feature.LOGINS)
        claim, credentials = await desk.make()
        rival = dataclasses.replace(claim, tenant_uid="uid-of-another")
        try:
            await desk.session.settle(rival, desk.issue(rival, current=credentials, renew=True))
        except StoreError as error:
            a_sentence(error)
        await (await desk.log_in(claim, credentials)).write("mine", b"value")

    async def test_the_operator_s_login_is_no_tenant_s(self, desk: Desk) -> None:
        """A tenant that names the operator's own user is refused before it gets credentials for it."""
        desk.needs(Feature.LOGINS)
        user = desk.server.operator_user()
        if user:
            claim = desk.claim(user=user)
            await refused(desk.session.reserve(claim))
            await desk.session.revoke(claim)
            await desk.session.remove(claim)
            assert (await desk.session.probe()).ok
