"""Which unusual kinds of objects are kept in a tenant's cluster, noted in that cluster itself.

Finding what nobody wants any more would otherwise take a listing of every kind that is served. A kind is noted before
its first object is made and struck out when none of its objects is left, so whatever stops the operator, the note knows
all kinds in question. It is a ConfigMap with our label: the listing of ConfigMaps, which each look needs anyhow, brings
it along. Without unusual kinds there is none.

Whoever administers the tenant can write anything into it, so only what can be a kind's name is taken from it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from kamaji_core.api import labels as wire
from kamaji_core.soot.kinds import USUAL
from kamaji_core.soot.wanted import ObjectKey

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

RECORD = ObjectKey("v1", "ConfigMap", "kube-system", "kamaji-addon-kinds")
"""The object that the note is."""

MOST_KINDS = 64
"""That are taken from it: far more than add-ons need, and a bound for what a tenant can make us ask."""


class KindName(NamedTuple):
    """A kind in whatever version; the group is empty for the core group."""

    group: str
    kind: str

    def __str__(self) -> str:
        """As kubectl writes it, such as `PodDisruptionBudget.policy`."""
        return f"{self.kind}.{self.group}".rstrip(".")


def kind_name(key: ObjectKey) -> KindName:
    """Tell of which kind an object is."""
    return KindName(key.api_version.rpartition("/")[0], key.kind)


def unusual_kinds(keys: Iterable[ObjectKey]) -> dict[KindName, str]:
    """Give the kinds of some objects, but for those that each look lists, and a version of each."""
    kinds = {kind_name(key): key.api_version.rpartition("/")[2] for key in keys}
    return {name: version for name, version in kinds.items() if name not in _USUAL}


def recorded(live: Mapping[str, Any] | None) -> dict[KindName, str]:
    """Read the note.

    Args:
        live: as it is; None where there is none.

    Returns:
        The kinds, and the version that was wanted last.
    """
    data = (live or {}).get("data") or {}
    found = {}
    for key, version in sorted(data.items()):
        name = _NAME.fullmatch(key)
        if name and isinstance(version, str) and _VERSION.fullmatch(version):
            found[KindName(name["group"] or "", name["kind"])] = version
    return {name: found[name] for name in list(found)[:MOST_KINDS] if name not in _USUAL}


def record(kinds: Mapping[KindName, str]) -> dict[str, Any]:
    """Write the note for some kinds."""
    return {
        "apiVersion": RECORD.api_version,
        "kind": RECORD.kind,
        "metadata": {
            "name": RECORD.name,
            "namespace": RECORD.namespace,
            "labels": {wire.PROJECT_LABEL: wire.PROJECT},
        },
        "data": {str(name): kinds[name] for name in sorted(kinds)},
    }


_USUAL = frozenset(KindName(one.group, one.kind) for one in USUAL)
_NAME = re.compile(r"(?P<kind>[A-Za-z][A-Za-z0-9]*)(\.(?P<group>[a-z0-9][-a-z0-9.]*))?")
_VERSION = re.compile(r"[a-z][-a-z0-9]*")
