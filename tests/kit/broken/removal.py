"""Drivers whose removal forgets something or takes too much."""

from __future__ import annotations

from typing import TYPE_CHECKING

from broken.base import Broken
from kamaji_datastore_etcd import ownership
from kamaji_datastore_etcd.names import key_range
from kamaji_datastore_etcd.session import EtcdSession

if TYPE_CHECKING:
    from kamaji_core.contracts import Claim


class _Forgetful(EtcdSession):
    """Removes step by step, without those that `FORGETS` names."""

    FORGETS = ""

    async def remove(self, claim: Claim) -> None:
        """Leave one thing."""
        found = await self._find_removable(claim)
        if found is None:
            return
        if self.FORGETS != "user" and found.rights.roles is not None:
            await self._wire.delete_user(claim.user)
        if self.FORGETS != "role" and found.rights.permissions is not None:
            await self._wire.delete_role(claim.schema)
        if self.FORGETS != "data":
            await self._wire.delete_keys(*key_range(claim.schema))
        records = {ownership.schema_key(claim): found.schema_record, ownership.user_key(claim): found.user_record}
        if self.FORGETS == "record":
            del records[ownership.user_key(claim)]
        await self._wire.delete({key: value for key, value in records.items() if value is not None})


class ForgetsTheData(Broken):
    """The keys stay, for the next tenant of that name."""

    class SESSION(_Forgetful):
        """See above."""

        FORGETS = "data"


class ForgetsARecord(Broken):
    """One of the owner's records stays, and nobody can have the user any more."""

    class SESSION(_Forgetful):
        """See above."""

        FORGETS = "record"


class RemovesNeighbours(Broken):
    """The range that is emptied ends with the name."""

    class SESSION(EtcdSession):
        """See above."""

        async def remove(self, claim: Claim) -> None:
            """Take too much."""
            mine = await self._find_removable(claim) is not None
            await super().remove(claim)
            if mine:
                await self._wire.delete_keys(f"/{claim.schema}".encode(), f"/{claim.schema}~".encode())
