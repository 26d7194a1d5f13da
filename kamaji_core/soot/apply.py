"""Bringing a tenant's cluster to what is wanted: look, compare by meaning, write only what differs.

What the server refuses for one object is that object's trouble and told of it; a server that cannot be asked ends the
look.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from kamaji_core.api import labels as wire
from kamaji_core.contracts import AppliedObject, Outcome
from kamaji_core.kube import ApiError, ConflictError, InvalidError, NotFoundError, NotLeaderError
from kamaji_core.soot.kinds import USUAL, Kinds, UnknownKindError
from kamaji_core.soot.wanted import ObjectKey, Wanted, intent, is_stray, key_of, needs_write

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from kamaji_core.kube import KubeClient, Resource

OURS = f"{wire.PROJECT_LABEL}={wire.PROJECT}"

_FIRST = frozenset({"Namespace", "CustomResourceDefinition"})
"""Kinds that others live in or are made of."""

_FIXED = {"RoleBinding": ("roleRef",), "ClusterRoleBinding": ("roleRef",), "Service": ("spec", "clusterIP")}
"""Fields that cannot be changed, by kind: another value means another object."""

_NO_ANSWER = 0
_UNAUTHORIZED = 401


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What one look at a tenant's cluster came to.

    Args:
        objects: what became of each wanted object.
        left: why objects that nobody wants any more are still there, a sentence each.
        writes: how many requests changed something.
    """

    objects: Mapping[ObjectKey, AppliedObject] = field(default_factory=dict)
    left: tuple[str, ...] = ()
    writes: int = 0

    @property
    def waiting(self) -> tuple[str, ...]:
        """Why some objects are not as wanted, a sentence each."""
        reasons = tuple(one.reason for one in self.objects.values() if one.outcome is Outcome.WAITING)
        return (*reasons, *self.left)


class Applier:
    """Writes into one tenant's cluster.

    Args:
        client: of the tenant's cluster.
    """

    def __init__(self, client: KubeClient) -> None:
        self._client = client
        self._kinds = Kinds(client)

    async def look_at_all(self, wanted: Iterable[Wanted], *, settled: frozenset[str]) -> Look:
        """Bring all objects to what is wanted, and remove what add-ons do not want any more.

        Args:
            wanted: all that is wanted.
            settled: names of add-ons that want nothing else than that.

        Raises:
            ApiError: when the server cannot be asked.
        """
        named = {one.key: one for one in wanted}
        live = await self._list(named)
        strays = [key for key, one in live.items() if is_stray(one, wanted=key in named, settled=settled)]
        look = await self._bring(named.values(), live, listed=True)
        left = [reason for reason in await _together(self._remove(key, live[key]) for key in strays) if reason]
        return Look(objects=look.objects, left=tuple(left), writes=look.writes + len(strays) - len(left))

    async def look_at(self, wanted: Collection[Wanted]) -> Look:
        """Bring some objects to what is wanted.

        Raises:
            ApiError: when the server cannot be asked.
        """
        return await self._bring(wanted, {}, listed=False)

    async def _list(self, named: Mapping[ObjectKey, Wanted]) -> dict[ObjectKey, dict[str, Any]]:
        resources = dict.fromkeys(USUAL)
        for key in named:
            with contextlib.suppress(UnknownKindError):
                resources[await self._kinds.resource(key.api_version, key.kind)] = None
        listings = await _together(self._client.list(one, label_selector=OURS) for one in resources)
        found = {}
        for resource, listing in zip(resources, listings, strict=True):
            for raw in listing.items:
                one = {"apiVersion": resource.api_version, "kind": resource.kind, **msgspec.json.decode(raw)}
                found[key_of(one)] = one
        return found

    async def _bring(
        self, wanted: Collection[Wanted], live: Mapping[ObjectKey, dict[str, Any]], *, listed: bool
    ) -> Look:
        objects: dict[ObjectKey, AppliedObject] = {}
        writes = 0
        for stage in (True, False):
            some = [one for one in wanted if (one.key.kind in _FIRST) is stage]
            calls = (self._bring_one(one, live.get(one.key), listed=listed) for one in some)
            for one, done in zip(some, await _together(calls), strict=True):
                objects[one.key] = done
                writes += done.outcome is Outcome.APPLIED
        return Look(objects=objects, writes=writes)

    async def _bring_one(self, one: Wanted, live: dict[str, Any] | None, *, listed: bool) -> AppliedObject:
        manifest = one.object.manifest
        try:
            resource = await self._kinds.resource(one.key.api_version, one.key.kind)
            # One without our label is in no listing; what it holds matters only where something is left to its users.
            if live is None and (not listed or one.object.create_only or one.object.yield_fields):
                live = await self._read(resource, one.key)
            if live is not None and one.object.create_only:
                return AppliedObject(manifest=manifest, outcome=Outcome.UNCHANGED, live=live)
            intended = intent(one, live)
            if live is not None and not needs_write(intended, live):
                outcome = Outcome.YIELDED if intended.yielded else Outcome.UNCHANGED
                return AppliedObject(manifest=manifest, outcome=outcome, live=live)
            answer = await self._apply(resource, intended.manifest)
        except UnknownKindError as error:
            return AppliedObject(manifest=manifest, outcome=Outcome.WAITING, reason=str(error))
        except ApiError as error:
            if not _is_about_the_object(error):
                raise
            return AppliedObject(manifest=manifest, outcome=Outcome.WAITING, reason=str(error), live=live)
        except (LookupError, TypeError, ValueError) as error:
            reason = f"{one.key} cannot be used as it is wanted ({type(error).__name__}): report it to its authors."
            return AppliedObject(manifest=manifest, outcome=Outcome.WAITING, reason=reason, live=live)
        return AppliedObject(manifest=manifest, outcome=Outcome.APPLIED, live=answer)

    async def _read(self, resource: Resource, key: ObjectKey) -> dict[str, Any] | None:
        try:
            return await self._client.get(resource, key.name, key.namespace or None)
        except NotFoundError:
            return None

    async def _apply(self, resource: Resource, manifest: dict[str, Any]) -> dict[str, Any]:
        try:
            return await self._client.apply(resource, manifest, field_manager=wire.FIELD_OWNER)
        except InvalidError:
            live = await self._read(resource, key_of(manifest))
            if live is None or not _differs_for_good(manifest, live):
                raise
        metadata = live["metadata"]
        with contextlib.suppress(NotFoundError):
            await self._client.delete(resource, metadata["name"], metadata.get("namespace"), uid=metadata["uid"])
        return await self._client.apply(resource, manifest, field_manager=wire.FIELD_OWNER)

    async def _remove(self, key: ObjectKey, live: Mapping[str, Any]) -> str:
        """Remove what nobody wants any more; gives why it is still there, empty when it is not."""
        resource = await self._kinds.resource(key.api_version, key.kind)
        try:
            await self._client.delete(resource, key.name, key.namespace or None, uid=live["metadata"]["uid"])
        except (NotFoundError, ConflictError):
            return ""  # somebody was quicker
        except ApiError as error:
            if not _is_about_the_object(error):
                raise
            return str(error)
        return ""


def _is_about_the_object(error: ApiError) -> bool:
    """Whether the server answered about one object, by a webhook of the tenant's for instance; others may go well."""
    return error.status not in {_NO_ANSWER, _UNAUTHORIZED}


def _differs_for_good(manifest: Mapping[str, Any], live: Mapping[str, Any]) -> bool:
    """Whether a field that cannot be changed has another value."""
    wanted: Any = manifest
    there: Any = live
    for name in _FIXED.get(manifest["kind"], ()):
        wanted, there = (wanted or {}).get(name), (there or {}).get(name)
    return wanted is not None and wanted != there


async def _together(calls: Iterable[Any]) -> list[Any]:
    """Await all at once; the first that fails ends the others and is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(call) for call in calls]
    except* (ApiError, NotLeaderError) as errors:
        error: BaseException = errors
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise error from None
    return [task.result() for task in tasks]
