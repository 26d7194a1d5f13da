"""Drivers that give a tenant more than its own, or do not take it away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from broken.base import Broken
from kamaji_datastore_etcd.rights import Changes, Permission
from kamaji_datastore_etcd.session import EtcdSession

if TYPE_CHECKING:
    from kamaji_core.contracts import Claim


class _Wider(EtcdSession):
    """Grants one permission more than the tenant's own."""

    def too_much(self, claim: Claim) -> Permission:
        """The permission that is too much."""
        raise NotImplementedError

    async def _apply(self, claim: Claim, changes: Changes) -> None:
        await super()._apply(claim, changes)
        await self._wire.grant_permission(role=claim.schema, permission=self.too_much(claim))


class WholeStore(Broken):
    """The role reads everything."""

    class SESSION(_Wider):
        """See above."""

        def too_much(self, claim: Claim) -> Permission:
            """All keys."""
            return Permission(key=b"\0", range_end=b"\0", kind="READ")


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
