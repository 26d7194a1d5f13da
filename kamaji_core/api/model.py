"""What the models are made of: a base class, and the annotation that carries what only the schema can say.

A field's name, type, default and requiredness come from Python; its description, limits and rules are written beside
it with `described`. So model and schema have one source and cannot come apart. Limits stand in the schema only: the
API server checks them before an object is stored, and a stored object that breaks one must still be readable, or its
tenant would drop out of sight.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec


class Model(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Base of all models: frozen, and in camelCase on the wire."""


class Written(Model, frozen=True, kw_only=True, omit_defaults=True):
    """Base of models of what we write ourselves: what is unknown is left out instead of being written as empty."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A CEL rule, checked by the API server.

    Args:
        expression: true when the object is right; `oldSelf` makes it a rule about changes.
        message: names the field and what to do about it.
    """

    expression: str
    message: str


def described(
    description: str,
    *,
    rules: Sequence[Rule] = (),
    list_type: str | None = None,
    list_map_keys: Sequence[str] = (),
    map_type: str | None = None,
    preserve_unknown_fields: bool = False,
    **schema: Any,
) -> msgspec.Meta:
    """Say what the schema needs beyond the Python type; to be used in `Annotated`.

    Args:
        description: shown by `kubectl explain`; short, since it is stored with the definition.
        rules: CEL rules at this place.
        list_type: `x-kubernetes-list-type`.
        list_map_keys: `x-kubernetes-list-map-keys`.
        map_type: `x-kubernetes-map-type`.
        preserve_unknown_fields: keep fields that no schema names.
        schema: further keywords of OpenAPI v3, merged over what follows from the type: a whole structural schema of
            an embedded Kubernetes type comes in here (`properties=...`) while the Python side stays a mapping.
    """
    extra = dict(schema)
    if list_type:
        extra["x-kubernetes-list-type"] = list_type
    if list_map_keys:
        extra["x-kubernetes-list-map-keys"] = list(list_map_keys)
    if map_type:
        extra["x-kubernetes-map-type"] = map_type
    if preserve_unknown_fields:
        extra["x-kubernetes-preserve-unknown-fields"] = True
    if rules:
        extra["x-kubernetes-validations"] = [{"rule": rule.expression, "message": rule.message} for rule in rules]
    return msgspec.Meta(description=description, extra_json_schema=extra)


def manifest(model: msgspec.Struct) -> dict[str, Any]:
    """The JSON object of a model, exactly as an API server would answer it: lists, not tuples; times as text.

    Comparing this with what is to be written tells whether a write is needed.
    """
    result: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(model))
    return result
