"""From a model to the structural schema that a CustomResourceDefinition wants.

msgspec can emit JSON Schema, but a structural schema must not have `$ref`, `title` or a union with null, knows
integers-or-strings by an extension, and carries defaults. So the types are walked here, from msgspec's own
inspection of them; whatever a type cannot say stands in the field's `described` and is merged over the result.
"""

import enum
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import inspect

Schema = dict[str, Any]


class SchemaError(TypeError):
    """A model uses a type that has no structural schema; the message names the field and the remedy."""


def structural_schema(model: type[msgspec.Struct]) -> Schema:
    """Build the schema of a model, everything in place.

    Raises:
        SchemaError: when a field's type cannot be expressed.
    """
    return _schema(inspect.type_info(model), model.__name__)


def _schema(kind: inspect.Type, path: str) -> Schema:
    match kind:
        case inspect.Metadata(type=inner, extra_json_schema=extra):
            return _with_extra(inner, extra or {}, path)
        case inspect.StructType():
            return _object(kind, path)
        case inspect.DictType(value_type=values):
            return {"type": "object", "additionalProperties": _schema(values, f"{path}[]")}
        case inspect.VarTupleType(item_type=items) | inspect.ListType(item_type=items):
            return {"type": "array", "items": _schema(items, f"{path}[]")}
        case inspect.UnionType(types=types):
            return _union(types, path)
        case _:
            return _scalar(kind, path)


def _scalar(kind: inspect.Type, path: str) -> Schema:
    match kind:
        case inspect.EnumType(cls=members):
            return {"type": "string", "enum": [str(member.value) for member in members]}
        case inspect.LiteralType(values=values):
            return {"type": "string", "enum": list(values)}
    if type(kind) not in _SCALARS:
        raise SchemaError(f"{path}: {type(kind).__name__} has no structural schema; use a type that has one.")
    return dict(_SCALARS[type(kind)])


_SCALARS: Mapping[type[inspect.Type], Schema] = {
    inspect.BoolType: {"type": "boolean"},
    inspect.BytesType: {"type": "string", "format": "byte"},
    inspect.DateTimeType: {"type": "string", "format": "date-time"},
    inspect.IntType: {"type": "integer"},
    inspect.StrType: {"type": "string"},
}


def _union(types: tuple[inspect.Type, ...], path: str) -> Schema:
    # An optional field is one that may be absent; null is no value in this API.
    some = [kind for kind in types if not isinstance(kind, inspect.NoneType)]
    if len(some) == 1:
        return _schema(some[0], path)
    if {type(kind) for kind in some} == {inspect.IntType, inspect.StrType}:
        return {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]}
    raise SchemaError(f"{path}: a union of several types has no structural schema; only int | str and X | None have.")


def _with_extra(kind: inspect.Type, extra: Schema, path: str) -> Schema:
    """Merge what is said beside a field over what follows from its type, the description first."""
    if isinstance(kind, inspect.DictType) and isinstance(kind.value_type, inspect.AnyType):
        if "properties" not in extra and not extra.get("x-kubernetes-preserve-unknown-fields"):
            raise SchemaError(f"{path}: its fields would be pruned; describe its properties or preserve them.")
        schema: Schema = {"type": "object"}
    elif isinstance(kind, inspect.AnyType) and extra.get("x-kubernetes-preserve-unknown-fields"):
        schema = {}
    else:
        schema = _schema(kind, path)
    merged = {**schema, **extra}
    first = {"description": merged.pop("description")} if "description" in merged else {}
    return {**first, **merged}


def _object(kind: inspect.StructType, path: str) -> Schema:
    properties: Schema = {}
    for field in kind.fields:
        schema = _schema(field.type, f"{path}.{field.name}")
        default = _default(field)
        if default is not None and "default" not in schema:
            schema["default"] = default
        properties[field.encode_name] = schema
    schema = {"type": "object", "properties": properties}
    required = [field.encode_name for field in kind.fields if field.required]
    if required:
        schema["required"] = required
    return schema


def _default(field: inspect.Field) -> Any:
    """The default that users see; an empty one means absence, an object's is said beside the field."""
    default = field.default
    if isinstance(default, msgspec.Struct) or default in (msgspec.NODEFAULT, None, "", b"", (), 0):
        return None
    if isinstance(default, tuple):
        return [_plain(item) for item in default]
    return _plain(default)


def _plain(value: Any) -> Any:
    return str(value.value) if isinstance(value, enum.Enum) else value
