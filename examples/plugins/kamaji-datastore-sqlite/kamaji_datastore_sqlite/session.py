"""The half that would talk to a server, if there were one.

Every call that the operator makes in a tenant's life has an answer here, and every answer is that nothing is to be
done: a tenant's volume is made and removed with the tenant, by the claim in `SqliteDriver.parts`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kamaji_core.contracts import Probe, ProbeKind, Session

if TYPE_CHECKING:
    from kamaji_core.contracts import Claim, Credentials


class SqliteSession(Session):
    """Nobody to talk to.

    `check`, `usage` and `claims` are left as they are: they tell that this driver does not tell, since a file within a
    volume can be seen by the tenant's pod alone.
    """

    async def probe(self) -> Probe:
        """Tell that tenants can be served: there is no server that could be gone.

        Whether a tenant's volume can be made shows when it is claimed, in the events of its PersistentVolumeClaim.
        """
        sentence = "SQLite needs no server: each tenant's data is a file in a volume of its own."
        return Probe(kind=ProbeKind.OK, sentence=sentence)

    async def reserve(self, claim: Claim) -> None:
        """Nothing to record: nobody can ask for another tenant's file by naming its schema or user."""

    async def ensure(self, claim: Claim, credentials: Credentials) -> None:
        """Nothing to make: kine makes file and tables when it starts."""

    async def revoke(self, claim: Claim) -> None:
        """Nothing to end: whoever has no pod of the tenant has no way in."""

    async def remove(self, claim: Claim) -> None:
        """Nothing to remove: the PersistentVolumeClaim goes with the tenant, whose property it is."""

    async def aclose(self) -> None:
        """Nothing is open."""
