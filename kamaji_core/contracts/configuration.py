"""Settings of a plugin read through the type that the plugin declares.

So that a plugin states its settings once, as a type, and every plugin's user gets the same kind of sentence for the
same kind of mistake. Only the first mistake is told: the decoder stops there.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

    import msgspec

    ConfigT = TypeVar("ConfigT", bound=msgspec.Struct)

# A path holds no backtick, so that a user's key which looks like one is not taken for it.
_PLACE = re.compile(r"^(?P<what>.*?)(?: - at `\$(?P<path>[^`]*)`)?$", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<name>.*)`", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(?P<name>.*)`", re.DOTALL)


class ConfigurationError(ValueError):
    """Settings do not fit the plugin's type; the message is a sentence that names the field."""


def extra_settings(spec: Mapping[str, Any], key: str) -> Mapping[str, Any] | None:
    """Find the settings of an add-on whose field the API does not name; None when it is off.

    Args:
        spec: `spec.addons` of a tenant.
        key: below `spec.addons.extra`.
    """
    settings: Mapping[str, Any] | None = (spec.get("extra") or {}).get(key)
    return settings


def read_config(kind: type[ConfigT], settings: Mapping[str, Any], *, field: str = "spec.config") -> ConfigT:
    """Decode settings as a plugin's type.

    Args:
        kind: the plugin's `CONFIG`; unknown fields are refused when it forbids them.
        settings: as the user wrote them.
        field: path of the settings in their object, for sentences.

    Raises:
        ConfigurationError: naming the first field that is wrong.
    """
    import msgspec  # noqa: PLC0415 - entry modules load at every start and most commands read no settings

    try:
        return msgspec.convert(dict(settings), type=kind)
    except msgspec.ValidationError as error:
        raise ConfigurationError(_sentence(str(error), kind, field=field)) from None


def _sentence(words: str, kind: type[msgspec.Struct], *, field: str) -> str:
    match = _PLACE.match(words)
    what, place = (match["what"], field + (match["path"] or "")) if match else (words, field)
    if unknown := _UNKNOWN.fullmatch(what):
        known = ", ".join(kind.__struct_encode_fields__) or "none"
        sentence = f"{place}.{unknown['name']} is unknown"
        return f"{sentence} (settings: {known}): correct or remove it." if place == field else f"{sentence}: remove it."
    if missing := _MISSING.fullmatch(what):
        return f"{place}.{missing['name']} is missing: set it."
    return f"{place} cannot be used: {what[:1].lower()}{what[1:]}."
