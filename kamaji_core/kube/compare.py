"""Is a request needed? Comparing what we want of an object with what the server shows, by meaning.

A write that changes nothing still costs the server, its log and its watchers, so only a difference causes one. The
server completes what we send with defaults, writes quantities in its own form, and others own fields beside ours; none
of that is a difference. A field that we once applied and no longer want is one: the server's record of our ownership
(`metadata.managedFields`) tells which these are.
"""

from __future__ import annotations

from typing import Any

from kamaji_core.kube.meaning import (
    Selector,
    Trail,
    element_with,
    is_added_by_server,
    is_zero,
    keeps_order,
    key_names,
    same_value,
    selector_of,
    written,
)
from kamaji_core.kube.ownership import ATOMIC, Owned, applied_fields, is_set, owned_element, parts


def differences(intent: dict[str, Any], live: dict[str, Any], *, manager: str) -> list[str]:
    """Tell where a request is needed for `live` to be what `intent` asks for.

    A difference is a value of the intent that the live object does not have, or a field that `manager` applied earlier
    and the intent lacks. Fields that others own, the server's defaults, `status`, `apiVersion`, `kind` and the
    server's own metadata never are. `stringData` of a Secret is not understood: give `data`.

    Args:
        intent: what would be applied; None as a value asks for nothing.
        live: the object as the server shows it, with at least our own entry in managedFields.
        manager: our field manager.

    Returns:
        Paths for people, such as `spec.template.spec.containers[name=etcd].image`, without values; empty when nothing
        is to do.
    """
    found: list[str] = []
    wanted, shown = _comparable(intent), _comparable(live)
    owned = applied_fields(live, manager)
    _compare(wanted, shown, owned, (), found)
    if owned is not None:
        _find_unwanted(wanted, {name: inner for name, inner in owned.items() if name != "f:status"}, (), found)
    return found


def keep_own_managed_fields(obj: dict[str, Any], manager: str) -> dict[str, Any]:
    """Give the object without the other managers' entries in `metadata.managedFields`, for a cache.

    The given object stays as it is; what does not change is shared with it.
    """
    metadata = obj.get("metadata") or {}
    if "managedFields" not in metadata:
        return obj
    own = [entry for entry in metadata["managedFields"] or [] if entry.get("manager") == manager]
    return {**obj, "metadata": {**metadata, "managedFields": own}}


def _comparable(obj: dict[str, Any]) -> dict[str, Any]:
    metadata = {key: value for key, value in (obj.get("metadata") or {}).items() if key not in _SERVERS_OWN}
    # Items of a list come without apiVersion and kind; both are in the address of the request.
    rest = {key: value for key, value in obj.items() if key not in ("apiVersion", "kind", "status")}
    return {**rest, "metadata": metadata}


def _compare(intent: Any, live: Any, owned: Owned | None, trail: Trail, found: list[str]) -> None:
    if isinstance(intent, dict) and isinstance(live, dict):
        _compare_mapping(intent, live, owned, trail, found)
    elif isinstance(intent, list) and isinstance(live, list):
        _compare_list(intent, live, owned, trail, found)
    elif not same_value(trail, intent, live):
        found.append(written(trail))


def _compare_mapping(
    intent: dict[str, Any], live: dict[str, Any], owned: Owned | None, trail: Trail, found: list[str]
) -> None:
    atomic = owned == ATOMIC and bool(intent)
    for key, value in intent.items():
        if value is None:
            continue
        inner = ATOMIC if atomic else (owned or {}).get(f"f:{key}")
        if live.get(key) is not None:
            _compare(value, live[key], inner, (*trail, key), found)
        # The server leaves out many zero values. That it took ours shows in our owning the field; but for an empty
        # list, whose record it drops, and which never means anything else than none.
        elif value != [] and not (is_zero(value) and inner is not None):
            found.append(written((*trail, key)))
    if atomic:
        extra = (key for key in live if key not in intent and not is_added_by_server(key, live[key]))
        found.extend(written((*trail, key)) for key in extra)


def _compare_list(intent: list[Any], live: list[Any], owned: Owned | None, trail: Trail, found: list[str]) -> None:
    atomic = owned == ATOMIC and bool(intent)
    names = () if atomic else key_names(trail, intent, owned)
    if names:
        _compare_by_key(intent, live, names, owned, trail, found)
    elif not atomic and is_set(trail, owned):
        found.extend(written((*trail, f"[{value}]")) for value in intent if value not in live)
    elif len(intent) != len(live):
        found.append(written(trail))
    else:
        for index, (wanted, shown) in enumerate(zip(intent, live, strict=True)):
            _compare(wanted, shown, ATOMIC if atomic else None, (*trail, f"[{index}]"), found)


def _compare_by_key(
    intent: list[Any], live: list[Any], names: tuple[str, ...], owned: Owned | None, trail: Trail, found: list[str]
) -> None:
    positions: list[int] = []
    for wanted in intent:
        selector = selector_of(wanted, names)
        where = (*trail, _bracketed(selector))
        position = element_with(live, selector)
        if position is None:
            found.append(written(where))
        else:
            positions.append(position)
            _compare(wanted, live[position], owned_element(owned, selector), where, found)
    if keeps_order(trail) and positions != sorted(positions):
        found.append(f"{written(trail)} (order)")


def _find_unwanted(intent: Any, owned: Owned, trail: Trail, found: list[str]) -> None:
    """Find what we own and the intent does not have."""
    for part in parts(owned):
        where = (*trail, part.name if part.selector is None else _bracketed(part.selector))
        if part.selector is not None:
            position = element_with(intent, part.selector) if isinstance(intent, list) else None
            value = None if position is None else intent[position]
            present = position is not None
        elif part.is_field:
            present = isinstance(intent, dict) and part.name in intent
            value = intent[part.name] if present else None
        else:
            present, value = isinstance(intent, list) and part.value in intent, None
        if not present:
            found.append(f"{written(where)} (no longer wanted)")
        elif value is not None:
            _find_unwanted(value, part.inner, where, found)


def _bracketed(selector: Selector) -> str:
    return "[" + ",".join(f"{name}={value}" for name, value in selector.items()) + "]"


_SERVERS_OWN = frozenset({"resourceVersion", "uid", "managedFields", "creationTimestamp", "generation", "selfLink"})
