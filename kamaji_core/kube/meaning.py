"""What values mean to Kubernetes: quantities, ports given as text, zero values, which elements are the same one.

Tables here follow the API's published schema (`x-kubernetes-list-map-keys`, defaults); where the server's record of
ownership names a list's key, that record is used instead.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

Trail = tuple[str, ...]
"""Names of fields from the object down; elements of lists stand between them in brackets."""
Selector = dict[str, Any]
"""Key fields of a list's element with their values."""


def name_of(trail: Trail) -> str:
    """Give the name of the innermost field."""
    return next((part for part in reversed(trail) if not part.startswith("[")), "")


def written(trail: Trail) -> str:
    """Write a trail for people: `spec.ports[port=6443].name`, and names with dots in brackets."""
    text = ""
    for part in trail:
        if part.startswith("["):
            text += part
        elif "." in part or "/" in part:
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text


def same_value(trail: Trail, one: Any, other: Any) -> bool:
    """Tell whether two plain values mean the same in this place."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if one == other:
        return True
    if name_of(trail) in _INT_OR_STRING:
        return str(one) == str(other)
    if _holds_quantity(trail):
        first, second = _quantity(one), _quantity(other)
        return first is not None and first == second
    return False


def is_zero(value: Any) -> bool:
    """Tell whether it is a value that the server may leave out of what it shows."""
    return value in (None, "", 0, {}, [])


def is_added_by_server(name: str, value: Any) -> bool:
    """Tell whether the server itself puts this field into lists and maps that are otherwise owned as a whole."""
    return is_zero(value) or value in _DEFAULTS_IN_ATOMICS.get(name, ())


def key_names(trail: Trail, elements: list[Any], owned: dict[str, Any] | None) -> tuple[str, ...]:
    """Give the fields by which the elements of a list are told apart; none when it goes by position.

    Args:
        trail: of the list.
        elements: mappings, or plain values, which have no key.
        owned: what is owned of the list.
    """
    if not elements or not all(isinstance(element, dict) for element in elements):
        return ()
    for key in owned or {}:
        if key.startswith("k:"):
            return tuple(msgspec.json.decode(key[2:]))
    name = name_of(trail)
    if name == "ports":
        return ("containerPort" if "containerPort" in elements[0] else "port", "protocol")
    return _KEYS.get(name, ())


def selector_of(element: dict[str, Any], names: tuple[str, ...]) -> Selector:
    """Give an element's key fields, with the server's default where it has none."""
    return {name: element.get(name, _KEY_DEFAULTS.get(name)) for name in names}


def matches(one: Selector, other: Selector) -> bool:
    """Tell whether two selectors mean the same element."""
    return one.keys() == other.keys() and all(one[name] == other[name] for name in one)


def element_with(elements: list[Any], selector: Selector) -> int | None:
    """Give the position of the element with these key fields."""
    names = tuple(selector)
    for position, element in enumerate(elements):
        if isinstance(element, dict) and matches(selector_of(element, names), selector):
            return position
    return None


def keeps_order(trail: Trail) -> bool:
    """Tell whether the order of a list with keys matters: init containers run in it, variables refer backwards."""
    return name_of(trail) in ("initContainers", "env")


def _holds_quantity(trail: Trail) -> bool:
    return name_of(trail) in _QUANTITIES or (len(trail) > 1 and trail[-2] in _MAPS_OF_QUANTITIES)


def _quantity(value: Any) -> Decimal | None:
    text = str(value)
    number = text.rstrip("KMGTPEikmun")
    suffix = text[len(number) :]
    try:
        return Decimal(number) * _SUFFIXES[suffix]
    except (InvalidOperation, KeyError):
        return None


_INT_OR_STRING = frozenset({"port", "targetPort", "maxSurge", "maxUnavailable", "minAvailable"})
_QUANTITIES = frozenset({"sizeLimit", "divisor"})
_MAPS_OF_QUANTITIES = frozenset({"limits", "requests", "hard", "overhead", "capacity"})
_SUFFIXES = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "": Decimal(1),
    **{suffix: Decimal(1000) ** power for power, suffix in enumerate("kMGTPE", 1)},
    **{f"{suffix}i": Decimal(1024) ** power for power, suffix in enumerate("KMGTPE", 1)},
}
_KEYS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(
        (
            "containers",
            "initContainers",
            "ephemeralContainers",
            "env",
            "volumes",
            "imagePullSecrets",
            "secrets",
            "claims",
            "resourceClaims",
            "webhooks",
            "matchConditions",
            "variables",
        ),
        ("name",),
    ),
    "volumeMounts": ("mountPath",),
    "volumeDevices": ("devicePath",),
    "hostAliases": ("ip",),
    "conditions": ("type",),
    "ownerReferences": ("uid",),
    "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
}
_KEY_DEFAULTS = {"protocol": "TCP"}
_DEFAULTS_IN_ATOMICS: dict[str, tuple[Any, ...]] = {
    "apiVersion": ("v1",),  # of a fieldRef
    "divisor": ("0",),  # of a resourceFieldRef
    "expirationSeconds": (3600,),  # of a projected service account token
    "protocol": ("TCP",),  # of a port in an EndpointSlice
    "matchPolicy": ("Equivalent",),  # of an admission policy's constraints
    "scope": ("*",),  # of a webhook's or an admission policy's rule
    "apiGroup": ("rbac.authorization.k8s.io",),  # of a role binding's subject
    "group": ("gateway.networking.k8s.io",),  # of a route's parent or backend
    "kind": ("Service", "Gateway"),  # of the same
    "weight": (1,),  # of a route's backend
}
