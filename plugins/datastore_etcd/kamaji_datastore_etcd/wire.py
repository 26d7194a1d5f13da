"""etcd's methods as the driver needs them: plain values in and out, "exists already" and "not there" as answers.

A thin adapter over the generated messages, so that no other module sees one. Writes are idempotent: what is already
so counts as done. Requests on keys are asked again when users changed while they were in flight, which etcd refuses
with "revision of auth store is old" and which happens whenever another tenant is made.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kamaji_datastore_etcd._proto import etcd_wire_pb2 as pb
from kamaji_datastore_etcd.channels import Method
from kamaji_datastore_etcd.errors import (
    AuthenticationFailedError,
    EtcdError,
    NoPasswordUserError,
    NotGrantedError,
    OldAuthRevisionError,
    RoleExistsError,
    RoleNotFoundError,
    UnknownLoginError,
    UserExistsError,
    UserNotFoundError,
)
from kamaji_datastore_etcd.rights import Permission

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kamaji_datastore_etcd.channels import Channels

OLD_REVISION_PAUSE = 0.02
"""Longest pause, seconds, before a request on keys is asked again because users changed meanwhile."""

DELETE_PAGE = 1000
"""Keys deleted by one request: a store serves all its tenants, so no request may occupy it for long."""


def _method(path: str, answer: Any) -> Method:
    return Method(path=path, decode=answer.FromString)


_RANGE = _method("/etcdserverpb.KV/Range", pb.RangeResponse)
_DELETE_RANGE = _method("/etcdserverpb.KV/DeleteRange", pb.DeleteRangeResponse)
_TXN = _method("/etcdserverpb.KV/Txn", pb.TxnResponse)
_STATUS = _method("/etcdserverpb.Maintenance/Status", pb.StatusResponse)
_AUTH_STATUS = _method("/etcdserverpb.Auth/AuthStatus", pb.AuthStatusResponse)
_AUTHENTICATE = _method("/etcdserverpb.Auth/Authenticate", pb.AuthenticateResponse)
_USER_ADD = _method("/etcdserverpb.Auth/UserAdd", pb.Done)
_USER_GET = _method("/etcdserverpb.Auth/UserGet", pb.AuthUserGetResponse)
_USER_DELETE = _method("/etcdserverpb.Auth/UserDelete", pb.Done)
_USER_GRANT_ROLE = _method("/etcdserverpb.Auth/UserGrantRole", pb.Done)
_USER_REVOKE_ROLE = _method("/etcdserverpb.Auth/UserRevokeRole", pb.Done)
_ROLE_ADD = _method("/etcdserverpb.Auth/RoleAdd", pb.Done)
_ROLE_GET = _method("/etcdserverpb.Auth/RoleGet", pb.AuthRoleGetResponse)
_ROLE_DELETE = _method("/etcdserverpb.Auth/RoleDelete", pb.Done)
_ROLE_GRANT = _method("/etcdserverpb.Auth/RoleGrantPermission", pb.Done)
_ROLE_REVOKE = _method("/etcdserverpb.Auth/RoleRevokePermission", pb.Done)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerStatus:
    """What a member tells of itself.

    Args:
        version: `3.6.14`.
        alarms: `alarm:NOSPACE` and the like.
    """

    version: str
    alarms: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The beginning of a key range.

    Args:
        entries: key and value of each key, values empty where they were not asked for.
        more: whether the range goes on after them.
        count: keys in the whole range.
    """

    entries: tuple[tuple[bytes, bytes], ...]
    more: bool
    count: int


class Wire:
    """The methods of one etcd, called over its channels.

    All raise `EtcdError`; all take at most the channels' call limit, except `delete_keys`, which asks repeatedly.
    """

    def __init__(self, channels: Channels) -> None:
        self._channels = channels

    async def status(self) -> ServerStatus:
        """Ask a member for its version and alarms."""
        answer = await self._channels.call(_STATUS, pb.StatusRequest())
        return ServerStatus(version=answer.version, alarms=tuple(answer.errors))

    async def authentication_enabled(self) -> bool:
        """Whether users and roles have an effect; only root may ask."""
        try:
            answer = await self._channels.call(_AUTH_STATUS, pb.AuthStatusRequest())
        except UserNotFoundError as error:  # nobody else is asked for here
            raise UnknownLoginError(endpoint=error.endpoint) from None
        return bool(answer.enabled)

    async def has_password(self, user: str) -> bool:
        """Whether an existing user could log in with a password; found out by a login that is meant to fail."""
        request = pb.AuthenticateRequest(name=user, password=secrets.token_urlsafe())
        try:
            await self._channels.call(_AUTHENTICATE, request)
        except NoPasswordUserError:
            return False
        except AuthenticationFailedError:
            return True
        return True

    async def user_roles(self, user: str) -> frozenset[str] | None:
        """Tell a user's roles, None when there is no such user."""
        try:
            answer = await self._channels.call(_USER_GET, pb.AuthUserGetRequest(name=user))
        except UserNotFoundError:
            return None
        return frozenset(answer.roles)

    async def role_permissions(self, role: str) -> frozenset[Permission] | None:
        """Tell a role's permissions, None when there is no such role."""
        try:
            answer = await self._channels.call(_ROLE_GET, pb.AuthRoleGetRequest(role=role))
        except RoleNotFoundError:
            return None
        return frozenset(
            Permission(key=entry.key, range_end=entry.range_end, kind=pb.Permission.Type.Name(entry.type))
            for entry in answer.permissions
        )

    async def add_user(self, user: str) -> None:
        """Add a user that can log in by certificate only.

        Without `no_password` etcd would store the hash of an empty password, with which anybody could log in.
        """
        request = pb.AuthUserAddRequest(name=user, options=pb.UserAddOptions(no_password=True))
        await self._write(_USER_ADD, request, done=UserExistsError)

    async def delete_user(self, user: str) -> None:
        """Delete a user; its next request is refused, on open connections too."""
        await self._write(_USER_DELETE, pb.AuthUserDeleteRequest(name=user), done=UserNotFoundError)

    async def add_role(self, role: str) -> None:
        """Add a role without permissions."""
        await self._write(_ROLE_ADD, pb.AuthRoleAddRequest(name=role), done=RoleExistsError)

    async def delete_role(self, role: str) -> None:
        """Delete a role; users lose it."""
        await self._write(_ROLE_DELETE, pb.AuthRoleDeleteRequest(role=role), done=RoleNotFoundError)

    async def grant_role(self, *, user: str, role: str) -> None:
        """Give a user a role."""
        await self._write(_USER_GRANT_ROLE, pb.AuthUserGrantRoleRequest(user=user, role=role))

    async def revoke_role(self, *, user: str, role: str) -> None:
        """Take a role from a user."""
        request = pb.AuthUserRevokeRoleRequest(name=user, role=role)
        await self._write(_USER_REVOKE_ROLE, request, done=NotGrantedError)

    async def grant_permission(self, *, role: str, permission: Permission) -> None:
        """Give a role a permission; one on the same range changes its kind."""
        entry = pb.Permission(
            type=pb.Permission.Type.Value(permission.kind), key=permission.key, range_end=permission.range_end
        )
        await self._write(_ROLE_GRANT, pb.AuthRoleGrantPermissionRequest(name=role, permission=entry))

    async def revoke_permission(self, *, role: str, permission: Permission) -> None:
        """Take the permission on a range from a role."""
        request = pb.AuthRoleRevokePermissionRequest(role=role, key=permission.key, range_end=permission.range_end)
        await self._write(_ROLE_REVOKE, request, done=NotGrantedError)

    async def read(self, keys: Sequence[bytes]) -> tuple[bytes | None, ...]:
        """Read single keys at one revision; None where there is no such key."""
        answer = await self._keys(_TXN, pb.TxnRequest(success=[_read(key) for key in keys]))
        return tuple(_value(entry) for entry in answer.responses)

    async def page(self, start: bytes, end: bytes, *, limit: int, keys_only: bool = False, exact: bool = True) -> Page:
        """Read the first keys of a range.

        Args:
            start: first key of the range.
            end: first key after it.
            limit: at most so many keys.
            keys_only: leave the values out.
            exact: False lets the asked member answer from what it knows, which may be a little old, without a round
                among all members.
        """
        request = pb.RangeRequest(key=start, range_end=end, limit=limit, keys_only=keys_only, serializable=not exact)
        answer = await self._keys(_RANGE, request)
        entries = tuple((bytes(entry.key), bytes(entry.value)) for entry in answer.kvs)
        return Page(entries=entries, more=answer.more, count=answer.count)

    async def count(self, start: bytes, end: bytes) -> int:
        """Count the keys of a range; the server reads no value for it."""
        request = pb.RangeRequest(key=start, range_end=end, count_only=True, serializable=True)
        return int((await self._keys(_RANGE, request)).count)

    async def create(self, values: Mapping[bytes, bytes], *, empty: tuple[bytes, bytes] | None) -> bool:
        """Create keys, all or none.

        Args:
            values: what to write.
            empty: first key and end of a range that must hold nothing, None to ask for no such thing.

        Returns:
            False, with nothing written, when one of the keys exists or the range holds a key.
        """
        absent = [_absent(key) for key in values]
        if empty is not None:
            absent.append(_absent(empty[0], end=empty[1]))
        puts = [pb.RequestOp(request_put=pb.PutRequest(key=key, value=value)) for key, value in values.items()]
        return bool((await self._keys(_TXN, pb.TxnRequest(compare=absent, success=puts))).succeeded)

    async def delete(self, expected: Mapping[bytes, bytes]) -> bool:
        """Delete single keys, all or none; False when one no longer holds the expected value."""
        compare = [
            pb.Compare(result=pb.Compare.EQUAL, target=pb.Compare.VALUE, key=key, value=value)
            for key, value in expected.items()
        ]
        deletes = [pb.RequestOp(request_delete_range=pb.DeleteRangeRequest(key=key)) for key in expected]
        return bool((await self._keys(_TXN, pb.TxnRequest(compare=compare, success=deletes))).succeeded)

    async def delete_keys(self, start: bytes, end: bytes) -> int:
        """Delete all keys of a range in small steps; returns how many there were."""
        deleted, more = 0, True
        while more:
            page = await self.page(start, end, limit=DELETE_PAGE, keys_only=True)
            more = page.more
            if page.entries:
                step = pb.DeleteRangeRequest(key=start, range_end=page.entries[-1][0] + b"\0")
                deleted += (await self._keys(_DELETE_RANGE, step)).deleted
        return deleted

    async def _write(self, method: Method, request: Any, *, done: type[EtcdError] | None = None) -> None:
        with contextlib.suppress(*([done] if done else [])):
            await self._channels.call(method, request)

    async def _keys(self, method: Method, request: Any) -> Any:
        # As often as it takes: the caller's time limit ends it, and each try fails only when users changed meanwhile.
        while True:
            try:
                return await self._channels.call(method, request)
            except OldAuthRevisionError:
                await asyncio.sleep(random.uniform(0, OLD_REVISION_PAUSE))  # noqa: S311 - spreads, protects nothing


def _read(key: bytes) -> Any:
    return pb.RequestOp(request_range=pb.RangeRequest(key=key))


def _value(answer: Any) -> bytes | None:
    found = answer.response_range.kvs
    return bytes(found[0].value) if found else None


def _absent(key: bytes, *, end: bytes = b"") -> Any:
    return pb.Compare(result=pb.Compare.EQUAL, target=pb.Compare.CREATE, key=key, range_end=end, create_revision=0)
