"""Drivers with a login of its own for each issue of credentials: one that is right, and those that mix logins up.

etcd's own driver cannot end an earlier certificate, so what `settle` promises is shown with users instead: each issue
names another user, and all users of a claim have its role.
"""

from __future__ import annotations

import dataclasses
import secrets
from typing import TYPE_CHECKING

from broken.base import Broken
from kamaji_datastore_etcd._proto import etcd_wire_pb2 as pb
from kamaji_datastore_etcd.channels import Method
from kamaji_datastore_etcd.ownership import is_owned
from kamaji_datastore_etcd.session import EtcdSession, WrongCredentialsError

if TYPE_CHECKING:
    from datetime import datetime

    from kamaji_core.contracts import Claim, Credentials, StoreView

# The list of users has the shape of a user's list of roles, which the driver reads anyway.
_USER_LIST = Method(path="/etcdserverpb.Auth/UserList", decode=pb.AuthUserGetResponse.FromString)


class LoginsSession(EtcdSession):
    """Knows all logins of a claim's user."""

    async def logins(self, claim: Claim) -> set[str]:
        """Users that log in for the claim's."""
        answer = await self._channels.call(_USER_LIST, pb.StatusRequest())
        return {user for user in answer.roles if _is_of(user, claim)}

    async def end(self, claim: Claim, *, but: str = "") -> None:
        """Delete the logins, one excepted, if they are this tenant's."""
        if is_owned(claim, (await self._find(claim)).schema_record):
            for user in await self.logins(claim) - {but}:
                await self._wire.delete_user(user)

    async def ensure(self, claim: Claim, credentials: Credentials) -> None:
        """Make the share, then the login."""
        if not _is_of(credentials.user, claim):
            raise WrongCredentialsError(claim)
        await super().ensure(claim, dataclasses.replace(credentials, user=claim.user))
        await self._wire.add_user(credentials.user)
        await self._wire.grant_role(user=credentials.user, role=claim.schema)

    async def settle(self, claim: Claim, credentials: Credentials) -> None:
        """End the others."""
        await self.end(claim, but=credentials.user)

    async def revoke(self, claim: Claim) -> None:
        """End all."""
        await self.end(claim)
        await super().revoke(claim)

    async def remove(self, claim: Claim) -> None:
        """End all, then remove what is left."""
        await self.end(claim)
        await super().remove(claim)


class Logins(Broken):
    """The one that is right."""

    SESSION = LoginsSession

    def issue(
        self, store: StoreView, claim: Claim, *, current: Credentials | None, now: datetime, renew: bool = False
    ) -> Credentials:
        """Name another user whenever there are new credentials."""
        if current is not None and _is_of(current.user, claim):
            kept = super().issue(store, _as(claim, current.user), current=current, now=now, renew=renew)
            if kept == current:
                return current
        return super().issue(store, _as(claim, f"{claim.user}~{secrets.token_hex(4)}"), current=None, now=now)


class KeepsTheEarlier(Logins):
    """Earlier credentials work for ever."""

    class SESSION(LoginsSession):
        """See above."""

        async def settle(self, claim: Claim, credentials: Credentials) -> None:
            """Do nothing."""


class EndsThePresent(Logins):
    """All logins end, the one that the pods run with too."""

    class SESSION(LoginsSession):
        """See above."""

        async def settle(self, claim: Claim, credentials: Credentials) -> None:
            """End all."""
            await self.end(claim)


class EndsTheEarlierAtOnce(Logins):
    """New credentials end the earlier ones while pods still run with them."""

    class SESSION(LoginsSession):
        """See above."""

        async def ensure(self, claim: Claim, credentials: Credentials) -> None:
            """Settle too early."""
            await super().ensure(claim, credentials)
            await self.end(claim, but=credentials.user)


class RevokesOneLogin(Logins):
    """Access ends for the claim's user and not for the logins that it really has."""

    class SESSION(LoginsSession):
        """See above."""

        async def revoke(self, claim: Claim) -> None:
            """Forget the logins."""
            await EtcdSession.revoke(self, claim)


class LeavesLogins(Logins):
    """Removal leaves the logins."""

    class SESSION(LoginsSession):
        """See above."""

        async def remove(self, claim: Claim) -> None:
            """Forget the logins."""
            await EtcdSession.remove(self, claim)


class EndsAnybodys(Logins):
    """Logins end for whoever asks."""

    class SESSION(LoginsSession):
        """See above."""

        async def end(self, claim: Claim, *, but: str = "") -> None:
            """Ask for no owner."""
            for user in await self.logins(claim) - {but}:
                await self._wire.delete_user(user)


def _is_of(user: str, claim: Claim) -> bool:
    return user.startswith(f"{claim.user}~")


def _as(claim: Claim, user: str) -> Claim:
    return dataclasses.replace(claim, user=user)
