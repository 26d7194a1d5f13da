"""One object wanted in a tenant's cluster, and what of it is ours to write: pure.

Users may take some fields over (`yield_fields`): as soon as another field manager owns something at such a path, we
apply there only what we still own, as it is, so that the server leaves the rest to them and takes nothing away.
"""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from kamaji_core.api import labels as wire
from kamaji_core.kube import differences
from kamaji_core.kube.meaning import element_with
from kamaji_core.kube.ownership import ATOMIC, Owned, applied_fields, owned_element, parts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kamaji_core.contracts import TenantObject


class ObjectKey(NamedTuple):
    """Which object of a cluster; the namespace is empty where the kind has none."""

    api_version: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        """As people write it."""
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


def key_of(manifest: Mapping[str, Any]) -> ObjectKey:
    """Which object a manifest is of."""
    metadata = manifest["metadata"]
    return ObjectKey(manifest["apiVersion"], manifest["kind"], metadata.get("namespace", ""), metadata["name"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """An object that somebody wants.

    Args:
        owner: name of the add-on; empty for what every cluster has.
        object: as its owner tells it.
    """

    owner: str
    object: TenantObject

    @property
    def key(self) -> ObjectKey:
        """Which object it is."""
        return key_of(self.object.manifest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """What is to be applied.

    Args:
        manifest: exactly the fields that are ours.
        yielded: paths that are left to their users.
    """

    manifest: dict[str, Any]
    yielded: tuple[str, ...] = ()


def intent(one: Wanted, live: Mapping[str, Any] | None) -> Intent:
    """Tell what is to be applied.

    Args:
        one: what is wanted.
        live: as it is, with all entries of managedFields; None when it is not there.
    """
    manifest = copy.deepcopy(dict(one.object.manifest))
    labels = {wire.PROJECT_LABEL: wire.PROJECT} | ({wire.ADDON_LABEL: one.owner} if one.owner else {})
    manifest["metadata"]["labels"] = {**(manifest["metadata"].get("labels") or {}), **labels}
    if one.object.restart_on_digest:
        metadata = manifest["spec"]["template"].setdefault("metadata", {})
        metadata["annotations"] = {
            **(metadata.get("annotations") or {}),
            wire.RESTART_ANNOTATION: one.object.restart_on_digest,
        }
    yielded = tuple(path for path in one.object.yield_fields if live and _is_others(live, path))
    for path in yielded:
        _leave(manifest, live or {}, parts_of_path(path))
    return Intent(manifest=manifest, yielded=yielded)


def needs_write(intended: Intent, live: Mapping[str, Any]) -> bool:
    """Tell whether a live object differs from what is intended."""
    return bool(differences(intended.manifest, dict(live), manager=wire.FIELD_OWNER))


def is_stray(live: Mapping[str, Any], *, wanted: bool, settled: frozenset[str]) -> bool:
    """Tell whether an object was made for an add-on that does not want it any more.

    Args:
        live: as it is.
        wanted: whether somebody wants it.
        settled: add-ons that are known to be off, or to have told all that they want.
    """
    labels = live["metadata"].get("labels") or {}
    is_ours = labels.get(wire.PROJECT_LABEL) == wire.PROJECT and labels.get(wire.ADDON_LABEL) in settled
    return is_ours and not wanted and not live["metadata"].get("deletionTimestamp")


_Part = str | dict[str, str]
_PART = re.compile(r"([^.\[\]]+)|\[([^=\]]+)=([^\]]*)\]")


def parts_of_path(path: str) -> tuple[_Part, ...]:
    """Read a path such as `spec.template.spec.containers[name=web].resources`."""
    return tuple(name or {key: value} for name, key, value in _PART.findall(path))


def _is_others(live: Mapping[str, Any], path: str) -> bool:
    """Whether another manager owns something at a path or below it."""
    for entry in live["metadata"].get("managedFields") or ():
        if entry.get("manager") == wire.FIELD_OWNER or entry.get("subresource") == "status":
            continue
        owned: Any = entry.get("fieldsV1") or {}
        for part in parts_of_path(path):
            owned = _owned(owned, part)
            if owned is None:
                break
        else:
            return True
    return False


def _leave(manifest: dict[str, Any], live: Mapping[str, Any], path: tuple[_Part, ...]) -> None:
    """Put in place of what is wanted at a path what is there and ours; nothing where nothing is."""
    *way, last = path
    place: Any = manifest
    there: Any = live
    owned: Owned | None = applied_fields(dict(live), wire.FIELD_OWNER)
    for part in way:
        place, there, owned = _inner(place, part), _inner(there, part), _owned(owned, part)
    if not isinstance(last, str) or not isinstance(place, dict):
        return
    place.pop(last, None)
    ours, value = _owned(owned, last), _inner(there, last)
    if ours is not None and value is not None:
        place[last] = _of_ours(value, ours)


def _inner(place: Any, part: _Part) -> Any:
    if isinstance(part, str):
        return place.get(part) if isinstance(place, dict) else None
    return next((one for one in place or () if part.items() <= one.items()), None)


def _owned(owned: Owned | None, part: _Part) -> Owned | None:
    return (owned or {}).get(f"f:{part}") if isinstance(part, str) else owned_element(owned, part)


def _of_ours(value: Any, owned: Owned) -> Any:
    """Give of a live value what is owned."""
    if owned == ATOMIC:
        return value
    if isinstance(value, dict):
        fields = (part for part in parts(owned) if part.is_field and part.name in value)
        return {part.name: _of_ours(value[part.name], part.inner) for part in fields}
    elements: list[Any] = []
    for part in parts(owned):
        if part.selector is None:
            elements.append(part.value)
        elif (index := element_with(value, part.selector)) is not None:
            elements.append({**part.selector, **_of_ours(value[index], part.inner)})
    return elements
