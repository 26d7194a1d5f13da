"""Bringing a tenant's cluster to what is wanted: look, compare by meaning, write only what differs.

What the server refuses for one object is that object's trouble and told of it; a server that cannot be asked ends the
look.
"""

from __future__ import annotations

import contextlib
import functools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from kamaji_core.api import labels as wire
from kamaji_core.contracts import AppliedObject, Outcome
from kamaji_core.kube import ApiError, ConflictError, InvalidError, NotFoundError, NotLeaderError
from kamaji_core.soot.asking import OURS, is_about_the_object, together
from kamaji_core.soot.kinds import USUAL, Kinds, UnknownKindError
from kamaji_core.soot.leftovers import find_leftovers, keep_record
from kamaji_core.soot.record import RECORD, kind_name, recorded, unusual_kinds
from kamaji_core.soot.wanted import ObjectKey, Wanted, intent, is_stray, key_of, needs_write

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from kamaji_core.kube import KubeClient, Listing, Resource
    from kamaji_core.soot.record import KindName

_FIRST = frozenset({"Namespace", "CustomResourceDefinition"})
"""Kinds that others live in or are made of."""

_FIXED = {"RoleBinding": ("roleRef",), "ClusterRoleBinding": ("roleRef",), "Service": ("spec", "clusterIP")}
"""Fields that cannot be changed, by kind: another value means another object."""


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
        at_once: requests at a time.
    """

    def __init__(self, client: KubeClient, *, at_once: int = 1) -> None:
        self._client = client
        self._kinds = Kinds(client)
        self._together = functools.partial(together, at_once=at_once)

    async def look_at_all(self, wanted: Iterable[Wanted], *, settled: frozenset[str]) -> Look:
        """Bring all objects to what is wanted, and remove what add-ons do not want any more.

        Args:
            wanted: all that is wanted.
            settled: names of add-ons that want nothing else than that.

        Raises:
            ApiError: when the server cannot be asked.
        """
        named = {one.key: one for one in wanted}
        live, listed = await self._list(named)
        kinds, before = unusual_kinds(named), recorded(live.get(RECORD))
        former = {name: version for name, version in before.items() if name not in kinds}
        leftovers = await find_leftovers(self._client, self._kinds, former)
        noted = await keep_record(self._client, live.get(RECORD), {**leftovers.kinds, **kinds})
        held = _held(named.values(), noted, kinds.keys() - before.keys())
        look = await self._bring([one for key, one in named.items() if key not in held], live, listed=listed)
        pruned = await self._prune({**leftovers.objects, **live}, named, settled=settled)
        told = (noted.reason,) if noted and noted.reason and not held else ()
        return Look(
            objects={**look.objects, **held, **({RECORD: noted} if noted else {})},
            left=(*leftovers.problems, *told, *pruned.left),
            writes=look.writes + pruned.writes + (noted is not None and noted.outcome is Outcome.APPLIED),
        )

    async def look_at(self, wanted: Collection[Wanted]) -> Look:
        """Bring some objects to what is wanted.

        Raises:
            ApiError: when the server cannot be asked.
        """
        return await self._bring(wanted, {}, listed=frozenset())

    async def _list(self, named: Iterable[ObjectKey]) -> tuple[dict[ObjectKey, dict[str, Any]], frozenset[Resource]]:
        """Read what there is of the usual kinds and those of some objects; tells of which kinds that is all."""
        asked = await self._together(self._listing, await self._resources(named))
        found, listed = {}, set()
        for resource, listing in asked:
            if listing is None:
                continue
            listed.add(resource)
            for raw in listing.items:
                one = {**msgspec.json.decode(raw), "apiVersion": resource.api_version, "kind": resource.kind}
                found[key_of(one)] = one
        return found, frozenset(listed)

    async def _resources(self, named: Iterable[ObjectKey]) -> Iterable[Resource]:
        resources = dict.fromkeys(USUAL)
        for api_version, kind in {(key.api_version, key.kind): None for key in named}:
            try:
                resources[await self._kinds.resource(api_version, kind)] = None
            except UnknownKindError:
                continue
            except ApiError as error:
                if not is_about_the_object(error):
                    raise
        return resources

    async def _listing(self, resource: Resource) -> tuple[Resource, Listing | None]:
        """List a kind; None where an unusual one cannot be, which its objects tell when they are asked for."""
        try:
            # In one page, so that the limit of one answer is a limit of all that is read.
            return resource, await self._client.list(resource, label_selector=OURS, page=0)
        except ApiError as error:
            if resource in USUAL or not is_about_the_object(error):
                raise
            return resource, None

    async def _prune(
        self, live: Mapping[ObjectKey, dict[str, Any]], named: Iterable[ObjectKey], *, settled: frozenset[str]
    ) -> Look:
        """Remove what add-ons do not want any more, in whatever version they want it."""
        wanted = {(kind_name(key), key.namespace, key.name) for key in named}
        strays = [
            key
            for key, one in live.items()
            if is_stray(one, wanted=(kind_name(key), key.namespace, key.name) in wanted, settled=settled)
        ]
        left = [reason for reason in await self._together(lambda key: self._remove(key, live[key]), strays) if reason]
        return Look(left=tuple(left), writes=len(strays) - len(left))

    async def _bring(
        self, wanted: Collection[Wanted], live: Mapping[ObjectKey, dict[str, Any]], *, listed: Collection[Resource]
    ) -> Look:
        objects: dict[ObjectKey, AppliedObject] = {}
        writes = 0
        for stage in (True, False):
            some = [one for one in wanted if (one.key.kind in _FIRST) is stage]
            brought = await self._together(lambda one: self._bring_one(one, live.get(one.key), listed=listed), some)
            for one, done in zip(some, brought, strict=True):
                objects[one.key] = done
                writes += done.outcome is Outcome.APPLIED
        return Look(objects=objects, writes=writes)

    async def _bring_one(
        self, one: Wanted, live: dict[str, Any] | None, *, listed: Collection[Resource]
    ) -> AppliedObject:
        manifest = one.object.manifest
        try:
            resource = await self._kinds.resource(one.key.api_version, one.key.kind)
            # One without our label is in no listing; what it holds matters only where something is left to its users.
            if live is None and (resource not in listed or one.object.create_only or one.object.yield_fields):
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
            if not is_about_the_object(error):
                raise
            return AppliedObject(manifest=manifest, outcome=Outcome.WAITING, reason=str(error), live=live)
        except NotLeaderError:
            raise
        except Exception as error:  # noqa: BLE001 - a stranger's manifest may hold anything
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
            if not is_about_the_object(error):
                raise
            return str(error)
        return ""


def _held(
    wanted: Iterable[Wanted], noted: AppliedObject | None, kinds: Collection[KindName]
) -> dict[ObjectKey, AppliedObject]:
    """Hold objects of kinds that could not be noted back: nobody would find them again."""
    if noted is None or not noted.reason:
        return {}
    return {
        one.key: AppliedObject(manifest=one.object.manifest, outcome=Outcome.WAITING, reason=noted.reason)
        for one in wanted
        if kind_name(one.key) in kinds
    }


def _differs_for_good(manifest: Mapping[str, Any], live: Mapping[str, Any]) -> bool:
    """Whether a field that cannot be changed has another value."""
    wanted: Any = manifest
    there: Any = live
    for name in _FIXED.get(manifest["kind"], ()):
        wanted, there = (wanted or {}).get(name), (there or {}).get(name)
    return wanted is not None and wanted != there
