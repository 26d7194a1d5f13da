"""Finding what add-ons left of kinds that nothing wanted has any more, and keeping the record of such kinds.

Only metadata is read: what is to be removed may hold secrets.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from kamaji_core.api import labels as wire
from kamaji_core.contracts import AppliedObject, Outcome
from kamaji_core.kube import CONFIG_MAPS, AlreadyExistsError, ApiError, NotFoundError
from kamaji_core.soot.asking import OURS, is_about_the_object
from kamaji_core.soot.record import RECORD, KindName, record, recorded
from kamaji_core.soot.wanted import ObjectKey

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kamaji_core.kube import KubeClient
    from kamaji_core.soot.kinds import Kinds


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftovers:
    """What there is of some kinds.

    Args:
        objects: the metadata of those with our label.
        kinds: those of which add-ons' objects are there, or may be.
        problems: why some kinds could not be looked through, a sentence each.
    """

    objects: Mapping[ObjectKey, dict[str, Any]] = field(default_factory=dict)
    kinds: Mapping[KindName, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


async def find_leftovers(client: KubeClient, kinds: Kinds, names: Mapping[KindName, str]) -> Leftovers:
    """Look through some kinds, whatever their version is by now.

    Args:
        client: of the tenant's cluster.
        kinds: knows where they are served.
        names: the kinds, and the version that was wanted last.

    Raises:
        ApiError: when the server cannot be asked.
    """
    found = [await _of_kind(client, kinds, name, version) for name, version in names.items()]
    return Leftovers(
        objects={key: one for part in found for key, one in part.objects.items()},
        kinds={name: version for part in found for name, version in part.kinds.items()},
        problems=tuple(problem for part in found for problem in part.problems),
    )


async def _of_kind(client: KubeClient, kinds: Kinds, name: KindName, version: str) -> Leftovers:
    try:
        resource = await kinds.find(*name, version=version)
        if resource is None:
            return Leftovers()  # its objects went with its definition
        listing = await client.list(resource, label_selector=OURS, page=0, metadata_only=True)
    except ApiError as error:
        if not is_about_the_object(error):
            raise
        return Leftovers(kinds={name: version}, problems=(str(error),))
    objects = {}
    for raw in listing.items:
        metadata = msgspec.json.decode(raw)["metadata"]
        key = ObjectKey(resource.api_version, resource.kind, metadata.get("namespace", ""), metadata["name"])
        objects[key] = {"metadata": metadata}
    is_left = any(wire.ADDON_LABEL in one["metadata"]["labels"] for one in objects.values())
    return Leftovers(objects=objects, kinds={name: version} if is_left else {})


async def keep_record(
    client: KubeClient, live: Mapping[str, Any] | None, kinds: Mapping[KindName, str]
) -> AppliedObject | None:
    """Bring the record to some kinds.

    Args:
        client: of the tenant's cluster.
        live: the record as it is; None where there is none with our label.
        kinds: what it should hold.

    Returns:
        What became of it; None where there is none and none is needed.

    Raises:
        ApiError: when the server cannot be asked.
    """
    wanted = record(kinds)
    if live is None and not kinds:
        return None
    if live is not None and (live.get("data") or {}) == wanted["data"] and kinds:
        return AppliedObject(manifest=wanted, outcome=Outcome.UNCHANGED, live=live)
    try:
        answer = await _write(client, live, kinds)
    except ApiError as error:
        if not is_about_the_object(error):
            raise
        return AppliedObject(manifest=wanted, outcome=Outcome.WAITING, reason=str(error), live=live)
    return AppliedObject(manifest=wanted, outcome=Outcome.APPLIED, live=answer)


async def _write(
    client: KubeClient, live: Mapping[str, Any] | None, kinds: Mapping[KindName, str]
) -> dict[str, Any] | None:
    """Write it whole, which takes out what others put in; without kinds remove it."""
    if live is None:
        try:
            return await client.create(CONFIG_MAPS, record(kinds))
        except AlreadyExistsError:  # somebody took our label off
            live = await client.get(CONFIG_MAPS, RECORD.name, RECORD.namespace)
            kinds = {**recorded(live), **kinds}
    if not kinds:
        with contextlib.suppress(NotFoundError):
            await client.delete(CONFIG_MAPS, RECORD.name, RECORD.namespace, uid=live["metadata"]["uid"])
        return None
    manifest = record(kinds)
    manifest["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"]
    return await client.replace(CONFIG_MAPS, manifest)
