"""The driver's other half: an open etcd, where claims are made to exist, lose their access and are removed.

A session holds nothing but its connections: every method reads what is there, so it may be repeated, cancelled or
continued by another process at any point. The owner's records come first when a claim is made and go last when it is
removed, so whatever is found half done has an owner.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from kamaji_core.contracts import (
    Claim,
    Credentials,
    Drift,
    Probe,
    ProbeKind,
    Session,
    StoreError,
    TlsMaterial,
    Usage,
)
from kamaji_datastore_etcd import ownership
from kamaji_datastore_etcd.channels import Channels
from kamaji_datastore_etcd.drift import drift_of
from kamaji_datastore_etcd.errors import AuthenticationDisabledError, TimedOutError
from kamaji_datastore_etcd.names import NameRefusedError, check_names, key_range
from kamaji_datastore_etcd.ownership import Found
from kamaji_datastore_etcd.probe import look
from kamaji_datastore_etcd.rights import Changes, Rights, changes_to, wanted_permission
from kamaji_datastore_etcd.usage import measure
from kamaji_datastore_etcd.wire import Wire

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Sequence

PROBE_LIMIT = 5.0
READ_LIMIT = 20.0
WRITE_LIMIT = 20.0
REMOVE_LIMIT = 120.0
"""Seconds that one call of a session's method may take; removal deletes a tenant's data in many steps."""

RECORDS_PAGE = 500
"""Records read by one request; each has about 300 bytes."""


class WrongCredentialsError(StoreError):
    """The credentials are another user's."""

    def __init__(self, claim: Claim) -> None:
        super().__init__(
            f"The credentials are not those of the user {claim.user!r}: delete their Secret so that new ones are made.",
            kind=ProbeKind.AUTH,
            retry=False,
        )


def open_session(endpoints: tuple[str, ...], tls: TlsMaterial, *, login: str) -> EtcdSession:
    """Prepare a session; the first call connects.

    Args:
        endpoints: `host:port` of each member.
        tls: authority and the operator's own client certificate.
        login: the user that this certificate names.
    """
    return EtcdSession(Channels(endpoints, tls), login=login)


class EtcdSession(Session):
    """An open etcd, shared by all its tenants.

    Args:
        channels: to its members; closed by `aclose`.
        login: the operator's own user.
    """

    def __init__(self, channels: Channels, *, login: str) -> None:
        self._channels = channels
        self._wire = Wire(channels)
        self._login = login
        self._endpoint = ", ".join(channels.endpoints)

    async def probe(self) -> Probe:
        """Log in for real and tell whether tenants can be served; never raises `StoreError`."""
        return await look(self._wire, login=self._login, endpoint=self._endpoint, limit=PROBE_LIMIT)

    async def reserve(self, claim: Claim) -> None:
        """Make the owner's records of the claim's schema and user; writes only what is missing.

        Raises:
            StoreError: also when the schema or user belongs to another tenant or to nobody known.
        """
        check_names(claim, login=self._login)
        async with self._limit(WRITE_LIMIT):
            await self._own(claim, await self._find(claim))

    async def ensure(self, claim: Claim, credentials: Credentials) -> None:
        """Make the claim's user, role and key range exist with exactly its rights; writes only what is missing.

        Raises:
            StoreError: also when the schema or user belongs to another tenant or to nobody known.
        """
        check_names(claim, login=self._login)
        if credentials.user != claim.user:
            raise WrongCredentialsError(claim)
        async with self._limit(WRITE_LIMIT):
            enabled, found = await _together(self._wire.authentication_enabled(), self._find(claim))
            if not enabled:
                raise AuthenticationDisabledError(endpoint=self._endpoint)
            await self._own(claim, found)
            await self._apply(claim, changes_to(claim, present=found.rights))

    async def revoke(self, claim: Claim) -> None:
        """Delete the tenant's user: its next request is refused, on open connections too; its data stays.

        Watches that are open already go on until their connection ends: etcd checks rights when a watch begins. They
        see nothing but the tenant's own key range, which nobody can write any more.
        """
        async with self._limit(WRITE_LIMIT):
            found = await self._find_removable(claim)
            if found is not None and found.rights.roles is not None:
                await self._wire.delete_user(claim.user)

    async def remove(self, claim: Claim) -> None:
        """Remove user, role, data and at last the records; what is not the tenant's stays, and that is no error.

        Access goes before the data, so that an API server that still runs cannot leave keys behind.
        """
        async with self._limit(REMOVE_LIMIT):
            found = await self._find_removable(claim)
            if found is None:
                return
            if found.rights.roles is not None:
                await self._wire.delete_user(claim.user)
            if found.rights.permissions is not None:
                await self._wire.delete_role(claim.schema)
            await self._wire.delete_keys(*key_range(claim.schema))
            records = {ownership.schema_key(claim): found.schema_record, ownership.user_key(claim): found.user_record}
            # Compared, so that a record which became somebody else's meanwhile stays.
            await self._wire.delete({key: value for key, value in records.items() if value is not None})

    async def check(self, claim: Claim) -> Drift | None:
        """Compare records, user, role and rights with the claim; writes nothing.

        Raises:
            StoreError: when etcd cannot be asked or the names can be no claim's.
        """
        check_names(claim, login=self._login)
        async with self._limit(READ_LIMIT):
            found = await self._find(claim)
            has_password = found.rights.roles is not None and await self._wire.has_password(claim.user)
        return drift_of(claim, found, has_password=has_password)

    async def usage(self, claim: Claim) -> Usage:
        """Count the claim's keys and add up or estimate their bytes.

        Raises:
            StoreError: when etcd cannot be asked or the names can be no claim's.
        """
        check_names(claim, login=self._login)
        async with self._limit(READ_LIMIT):
            return await measure(self._wire, *key_range(claim.schema))

    async def claims(self) -> Sequence[Claim]:
        """List all claims that have an owner's record, read in pages.

        Tenants of Kamaji that were never taken over have no record and are not listed.
        """
        async with self._limit(READ_LIMIT):
            by_schema = await self._records("claims")
            by_user = await self._records("users")
        return ownership.recorded_claims((*by_schema, *by_user))

    async def aclose(self) -> None:
        """Close all connections once the calls in flight have ended."""
        await self._channels.aclose()

    async def _records(self, kind: str) -> list[tuple[bytes, bytes]]:
        cursor, end = ownership.records_range(kind)
        entries: list[tuple[bytes, bytes]] = []
        more = True
        while more:
            page = await self._wire.page(cursor, end, limit=RECORDS_PAGE)
            entries += page.entries
            more = page.more
            if page.entries:
                cursor = page.entries[-1][0] + b"\0"
        return entries

    async def _find(self, claim: Claim) -> Found:
        records, roles, permissions = await _together(
            self._wire.read((ownership.schema_key(claim), ownership.user_key(claim))),
            self._wire.user_roles(claim.user),
            self._wire.role_permissions(claim.schema),
        )
        rights = Rights(roles=roles, permissions=permissions)
        return Found(schema_record=records[0], user_record=records[1], rights=rights)

    async def _find_removable(self, claim: Claim) -> Found | None:
        try:
            check_names(claim, login=self._login)
        except NameRefusedError:
            return None  # such a claim was never made
        found = await self._find(claim)
        return found if ownership.may_remove(claim, found) else None

    async def _own(self, claim: Claim, found: Found) -> None:
        missing = ownership.missing_records(claim, found)
        if not missing:
            return
        if found.rights.roles is not None and found.unrecorded and await self._wire.has_password(claim.user):
            raise ownership.user_with_password(claim)
        # Data is expected where the records were made already or a tenant of Kamaji's is taken over, nowhere else.
        is_new = found.unrecorded and not ownership.is_kamajis(claim, found)
        if await self._wire.create(missing, empty=key_range(claim.schema) if is_new else None):
            return
        # Somebody was faster, or the range holds keys: a look at the records tells which.
        if ownership.missing_records(claim, await self._find(claim)):
            raise ownership.data_without_owner(claim)

    async def _apply(self, claim: Claim, changes: Changes) -> None:
        wire, role = self._wire, claim.schema
        made: list[Awaitable[None]] = []
        if changes.add_user:
            made.append(wire.add_user(claim.user))
        if changes.add_role:
            made.append(wire.add_role(role))
        await _together(*made)
        granted: list[Awaitable[None]] = []
        if changes.grant_permission:
            granted.append(wire.grant_permission(role=role, permission=wanted_permission(claim.schema)))
        granted += [wire.revoke_permission(role=role, permission=extra) for extra in changes.revoke_permissions]
        granted += [wire.revoke_role(user=claim.user, role=extra) for extra in changes.revoke_roles]
        if changes.grant_role:
            granted.append(wire.grant_role(user=claim.user, role=role))
        await _together(*granted)

    @contextlib.asynccontextmanager
    async def _limit(self, seconds: float) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(seconds):
                yield
        except TimeoutError as error:
            raise TimedOutError(endpoint=self._endpoint) from error


async def _together(*calls: Awaitable[Any]) -> list[Any]:
    """Await all, also when one fails, so that none is left running; then raise the first failure."""
    answers = await asyncio.gather(*calls, return_exceptions=True)
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
    return answers
