"""Edits that a tenant's administrator might make of what the operator keeps, and how far apart they must lie.

A session puts an object that is changed again and again back ever more slowly, which protects tenants from its
quarrelling with another controller and is not what is measured here: an edit comes after that patience is over.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any

from kamaji_core.api.labels import PROJECT_LABEL
from kamaji_core.soot.session import CALM_SECONDS, FIRST_WAIT
from kamaji_core.soot.wanted import intent, needs_write

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kamaji_core.soot.wanted import Wanted

IN_A_ROW = 4
"""Edits of one object before it is left alone until its patience is forgotten."""

_PRIORITIES = ("system-node-critical", "system-cluster-critical")


class Edit(enum.StrEnum):
    """What is done to an object."""

    CONTENT = "content changed"
    RELABEL = "label changed"
    DELETE = "deleted"


def choices(wanted: Wanted) -> tuple[Edit, ...]:
    """The edits that an object is put back after."""
    changeable = (Edit.CONTENT,) if content_patch(wanted) else ()
    return (*changeable, Edit.RELABEL, Edit.DELETE)


def patch(wanted: Wanted, edit: Edit) -> dict[str, Any]:
    """Build the merge patch of an edit that is no deletion.

    Raises:
        ValueError: when the object has no such edit.
    """
    if edit is Edit.RELABEL:
        return {"metadata": {"labels": {PROJECT_LABEL: "somebody"}}}
    content = content_patch(wanted) if edit is Edit.CONTENT else None
    if content is None:
        raise ValueError(f"{wanted.key} has no edit `{edit}`")
    return content


def content_patch(wanted: Wanted) -> dict[str, Any] | None:
    """Build a merge patch of a field that is the operator's alone; None where no such field is known."""
    manifest = wanted.object.manifest
    if wanted.key.kind == "ConfigMap":
        ours = [name for name in manifest["data"] if f"data.{name}" not in wanted.object.yield_fields]
        return {"data": {ours[0]: "changed by somebody"}} if ours else None
    if wanted.key.kind in {"Deployment", "DaemonSet"}:
        present = manifest["spec"]["template"]["spec"].get("priorityClassName")
        other = next(name for name in _PRIORITIES if name != present)
        return {"spec": {"template": {"spec": {"priorityClassName": other}}}}
    return None


def is_as_wanted(wanted: Wanted, live: Mapping[str, Any]) -> bool:
    """Whether the operator would leave a live object as it is."""
    return not needs_write(intent(wanted, live), live)


def pause_after(number: int) -> float:
    """Seconds between an object's being put back and its next edit, long enough for the session's patience to be over.

    One edit may count twice there: a session can see its own writing, too, before the answer to it.

    Args:
        number: how many edits the object had, at least 1.
    """
    in_a_row = (number - 1) % IN_A_ROW + 1
    patience = FIRST_WAIT * 2.0 ** (2 * in_a_row)
    return CALM_SECONDS + patience if in_a_row == IN_A_ROW else patience


def watched_kinds(wanted: Iterable[Wanted]) -> frozenset[tuple[str, str]]:
    """Kinds, by their apiVersion, of which the operator watches the objects."""
    return frozenset((one.key.api_version, one.key.kind) for one in wanted if one.object.watch)
