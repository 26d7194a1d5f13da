"""From a model to a structural schema."""

import enum
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
import pytest

from kamaji_core.api.model import Model, Rule, described
from kamaji_core.api.structural import Schema, SchemaError, structural_schema


class Colour(enum.StrEnum):
    """An enumeration."""

    RED = "Red"
    BLUE = "Blue"


class Leaf(Model, frozen=True, kw_only=True):
    """The innermost part."""

    name: str


def schema_of(annotation: Any, **field: Any) -> Schema:
    """The schema of a model's only field `it`."""
    model = msgspec.defstruct("Example", [("it", annotation, msgspec.field(**field))], rename="camel")
    schema: Schema = structural_schema(model)["properties"]["it"]
    return schema


@pytest.mark.parametrize(
    ("annotation", "schema"),
    [
        (str, {"type": "string"}),
        (int, {"type": "integer"}),
        (bool, {"type": "boolean"}),
        (bytes, {"type": "string", "format": "byte"}),
        (datetime, {"type": "string", "format": "date-time"}),
        (Colour, {"type": "string", "enum": ["Red", "Blue"]}),
        (Literal["a", "b"], {"type": "string", "enum": ["a", "b"]}),
        (int | str, {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]}),
        (str | None, {"type": "string"}),
        (tuple[int, ...], {"type": "array", "items": {"type": "integer"}}),
        (list[str], {"type": "array", "items": {"type": "string"}}),
        (Mapping[str, str], {"type": "object", "additionalProperties": {"type": "string"}}),
        (Leaf, {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}),
    ],
)
def test_each_type_has_its_schema(annotation: Any, schema: Schema) -> None:
    """Types are written in place, without references, unions with null or titles."""
    assert schema_of(annotation) == schema


@pytest.mark.parametrize("annotation", [float, int | bool, Leaf | str, object])
def test_a_type_without_a_schema_is_named(annotation: Any) -> None:
    """The error names the field, so that its author finds it."""
    with pytest.raises(SchemaError, match=r"Example\.it: .* structural schema"):
        schema_of(annotation)


def test_what_is_said_beside_a_field_is_merged_over_its_type() -> None:
    """The description comes first, the keywords last; rules stay with their field."""
    annotation = Annotated[str, described("Text.", format="uri", rules=(Rule("self != ''", "Fill it in."),))]
    schema = schema_of(annotation)
    assert list(schema) == ["description", "type", "format", "x-kubernetes-validations"]
    assert schema["x-kubernetes-validations"] == [{"rule": "self != ''", "message": "Fill it in."}]


def test_items_may_be_annotated_too() -> None:
    """Limits of entries stand with the entries."""
    annotation = Annotated[tuple[Annotated[str, described("One.", maxLength=3)], ...], described("All.", maxItems=2)]
    assert schema_of(annotation) == {
        "description": "All.",
        "type": "array",
        "items": {"description": "One.", "type": "string", "maxLength": 3},
        "maxItems": 2,
    }


def test_a_free_object_must_say_what_becomes_of_its_fields() -> None:
    """Without a word the API server would prune every field of it."""
    with pytest.raises(SchemaError, match="pruned"):
        schema_of(Annotated[Mapping[str, Any], described("Anything.")])
    kept = schema_of(Annotated[Mapping[str, Any], described("Anything.", preserve_unknown_fields=True)])
    assert kept == {"description": "Anything.", "type": "object", "x-kubernetes-preserve-unknown-fields": True}


def test_an_embedded_kubernetes_type_brings_its_own_schema() -> None:
    """A part of a pod stays a mapping for us while users get all of its fields checked."""
    properties = {"key": {"type": "string"}, "operator": {"type": "string"}}
    annotation = tuple[Annotated[Mapping[str, Any], described("A toleration.", properties=properties)], ...]
    assert schema_of(annotation)["items"]["properties"] == properties


@pytest.mark.parametrize(
    ("annotation", "python", "schema"),
    [
        (int, 6443, 6443),
        (str, "cluster.local", "cluster.local"),
        (bool, True, True),
        (Colour, Colour.RED, "Red"),
        (tuple[Colour, ...], (Colour.RED, Colour.BLUE), ["Red", "Blue"]),
    ],
)
def test_a_default_is_the_users_too(annotation: Any, python: Any, schema: Any) -> None:
    """What Python assumes is what the API server fills in, as plain JSON."""
    filled_in = schema_of(annotation, default=python)["default"]
    assert filled_in == schema
    assert type(filled_in) is type(schema)


@pytest.mark.parametrize(
    ("annotation", "default"),
    [
        (str, ""),
        (int, 0),
        (bool, False),
        (bytes, b""),
        (tuple[str, ...], ()),
        (int | None, None),
        (Leaf, Leaf(name="")),
    ],
)
def test_an_empty_default_means_absence(annotation: Any, default: Any) -> None:
    """The API server fills in nothing where Python merely stands for nothing."""
    assert "default" not in schema_of(annotation, default=default)


def test_a_default_said_beside_the_field_wins() -> None:
    """A default of the API server's alone, such as an empty object, is said there."""
    assert schema_of(Annotated[Leaf, described("Part.", default={})], default=Leaf(name=""))["default"] == {}


def test_required_fields_are_those_without_a_default() -> None:
    """Names are those on the wire."""
    model = msgspec.defstruct("Pair", [("first_one", str), ("second", str, "")], rename="camel")
    assert structural_schema(model)["required"] == ["firstOne"]
    assert "required" not in structural_schema(msgspec.defstruct("Empty", []))
