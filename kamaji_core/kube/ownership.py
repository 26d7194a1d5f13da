"""Reading `metadata.managedFields`: which fields a manager has applied.

The format (`FieldsV1`) is a tree of keys: `f:name` is a field, `k:{...}` the element of a list with these key fields,
`v:...` an element of a set, `.` the thing itself. An empty tree below a value that is not empty means that the value
is owned as a whole (an atomic list or map).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from kamaji_core.kube.meaning import Selector, Trail, matches, name_of

if TYPE_CHECKING:
    from collections.abc import Iterator

Owned = dict[str, Any]

ATOMIC: Owned = {}
"""Owned, and nothing below is tracked."""


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that is owned within another.

    Args:
        name: of the field, or the JSON of the set's element.
        inner: what is owned below.
        selector: key fields, where it is the element of a list.
        is_field: whether it is a field.
        value: where it is the element of a set.
    """

    name: str
    inner: Owned
    selector: Selector | None = None
    is_field: bool = False
    value: Any = None


def applied_fields(obj: dict[str, Any], manager: str) -> Owned | None:
    """Give what a manager has applied to the object itself; None when it never applied anything.

    What it wrote by other means (operation Update) does not count: an apply without such a field leaves it alone.
    """
    trees = [
        entry.get("fieldsV1") or {}
        for entry in (obj.get("metadata") or {}).get("managedFields") or []
        if entry.get("manager") == manager and entry.get("operation") == "Apply" and not entry.get("subresource")
    ]
    if not trees:
        return None
    owned = trees[0]
    for tree in trees[1:]:  # one for each apiVersion that was used
        owned = _united(owned, tree)
    return owned


def parts(owned: Owned) -> Iterator[Part]:
    """Give what is owned, one level down."""
    for key, inner in owned.items():
        kind, _, rest = key.partition(":")
        if kind == "f":
            yield Part(rest, inner, is_field=True)
        elif kind == "k":
            yield Part(rest, inner, selector=msgspec.json.decode(rest))
        elif kind == "v":
            yield Part(f"[{rest}]", inner, value=msgspec.json.decode(rest))


def owned_element(owned: Owned | None, selector: Selector) -> Owned | None:
    """Give what is owned of the list element with these key fields; None when it is not owned."""
    for part in parts(owned or {}):
        if part.selector is not None and matches(part.selector, selector):
            return part.inner
    return None


def is_set(trail: Trail, owned: Owned | None) -> bool:
    """Tell whether a list of plain values is a set, to which others may add."""
    return name_of(trail) == "finalizers" or any(key.startswith("v:") for key in owned or {})


def _united(one: Owned, other: Owned) -> Owned:
    shared = {key: _united(inner, other[key]) for key, inner in one.items() if key in other}
    return {**one, **other, **shared}
