"""Drivers that give a tenant more than its own, or do not take it away."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from broken.base import Broken
from kamaji_datastore_etcd.names import key_range
from kamaji_datastore_etcd.rights import Changes, Permission, Rights
from kamaji_datastore_etcd.session import EtcdSession

if TYPE_CHECKING:
    from kamaji_core.contracts import Claim, Credentials


class _Wider(EtcdSession):
    """Grants one permission more than the tenant's own."""

    def too_much(self, claim: Claim) -> Permission:
        """The permission that is too much."""
        raise NotImplementedError

    async def _apply(self, claim: Claim, changes: Changes) -> None:
        await super()._apply(claim, changes)
        await self._wire.grant_permission(role=claim.schema, permission=self.too_much(claim))


class OpenRange(Broken):
    """The range ends with the name, so that it covers all that begin with it."""

    class SESSION(_Wider):
        """See above."""

        def too_much(self, claim: Claim) -> Permission:
            """From the bare name up to the next one of its length."""
            return Permission(key=f"/{claim.schema}".encode(), range_end=f"/{claim.schema}~".encode(), kind="READWRITE")


class WholeStore(Broken):
    """The role reads everything."""

    class SESSION(_Wider):
        """See above."""

        def too_much(self, claim: Claim) -> Permission:
            """All keys."""
            return Permission(key=b"\0", range_end=b"\0", kind="READ")


class NoRevoke(Broken):
    """Access is left as it is: the operator removes the pods anyway."""

    class SESSION(EtcdSession):
        """See above."""

        async def revoke(self, claim: Claim) -> None:
            """Do nothing."""


class RevokeTakesTheData(Broken):
    """Access ends together with all that the tenant wrote."""

    class SESSION(EtcdSession):
        """See above."""

        async def revoke(self, claim: Claim) -> None:
            """Take too much."""
            await super().revoke(claim)
            if await self._find_removable(claim) is not None:
                await self._wire.delete_keys(*key_range(claim.schema))


class ReserveGivesRights(Broken):
    """The share is complete before there are credentials: one round trip less."""

    class SESSION(EtcdSession):
        """See above."""

        async def reserve(self, claim: Claim) -> None:
            """Make user and role at once."""
            await super().reserve(claim)
            await self._apply(claim, Changes(add_user=True, add_role=True, grant_permission=True, grant_role=True))


class EnsureAddsOnly(Broken):
    """What a claim has too much is left: only what is missing is looked at."""

    class SESSION(EtcdSession):
        """See above."""

        async def _apply(self, claim: Claim, changes: Changes) -> None:
            kept = Changes(
                add_user=changes.add_user,
                add_role=changes.add_role,
                grant_permission=changes.grant_permission,
                grant_role=changes.grant_role,
            )
            await super()._apply(claim, kept)


class EnsureOnce(Broken):
    """A tenant whose record is there is taken for complete."""

    class SESSION(EtcdSession):
        """See above."""

        async def ensure(self, claim: Claim, credentials: Credentials) -> None:
            """Do nothing the second time."""
            found = await self._find(claim)
            if found.schema_record is None or found.rights == Rights(roles=None, permissions=None):
                await super().ensure(claim, credentials)


class AnyCredentials(Broken):
    """Whoever's credentials are given get the claim's rights."""

    class SESSION(EtcdSession):
        """See above."""

        async def ensure(self, claim: Claim, credentials: Credentials) -> None:
            """Give the role to the user that the credentials name."""
            async with self._limit(self.SECONDS):
                await self._own(claim, await self._find(claim))
                await self._wire.add_user(credentials.user)
                await self._wire.add_role(claim.schema)
                first, end = key_range(claim.schema)
                permission = Permission(key=first, range_end=end, kind="READWRITE")
                await self._wire.grant_permission(role=claim.schema, permission=permission)
                await self._wire.grant_role(user=credentials.user, role=claim.schema)

        SECONDS: ClassVar[float] = 20.0
