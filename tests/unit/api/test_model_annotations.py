"""What `described` puts beside a field, and what a model looks like on the wire."""

from datetime import UTC, datetime
from typing import Annotated

import msgspec
import pytest

from kamaji_core.api.model import Model, Rule, Written, described, manifest


class Inner(Written, frozen=True, kw_only=True):
    """Part of the example."""

    some_name: str = ""
    when: datetime | None = None


class Example(Written, frozen=True, kw_only=True):
    """A model with every shape that matters here."""

    inner: Inner = Inner()
    entries: tuple[Inner, ...] = ()
    count: int | None = None


class Limited(Model, frozen=True, kw_only=True):
    """A model whose schema knows a limit."""

    short: Annotated[str, described("Short text.", maxLength=3)]


def test_a_description_alone_adds_nothing_else() -> None:
    """Only what is said ends up in the schema."""
    assert described("Text.") == msgspec.Meta(description="Text.", extra_json_schema={})


def test_everything_said_becomes_a_keyword_of_kubernetes() -> None:
    """Rules and list types get their prefixed names, plain OpenAPI keywords stay as they are."""
    said = described(
        "Text.",
        rules=(Rule("self == oldSelf", "It cannot be changed."),),
        list_type="map",
        list_map_keys=("type",),
        map_type="atomic",
        preserve_unknown_fields=True,
        minItems=1,
    )
    assert said.extra_json_schema == {
        "minItems": 1,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        "x-kubernetes-map-type": "atomic",
        "x-kubernetes-preserve-unknown-fields": True,
        "x-kubernetes-validations": [{"rule": "self == oldSelf", "message": "It cannot be changed."}],
    }


def test_limits_do_not_keep_an_object_from_being_read() -> None:
    """A stored object that breaks a newer limit is still decoded."""
    assert msgspec.convert({"short": "much too long"}, Limited).short == "much too long"


def test_a_model_cannot_be_changed() -> None:
    """Decoded objects are shared by caches and passes."""
    with pytest.raises(AttributeError):
        Example().count = 1  # type: ignore[misc] # what the test shows


def test_a_manifest_holds_what_is_known_alone() -> None:
    """Unknown fields are left out at every depth, and 0 is something known."""
    assert manifest(Example()) == {}
    assert manifest(Example(count=0)) == {"count": 0}


def test_a_manifest_is_json_as_an_api_server_answers_it() -> None:
    """Names are in camelCase, sequences are lists and times are text, so that it compares with an answer."""
    moment = datetime(2026, 5, 1, tzinfo=UTC)
    assert manifest(Example(inner=Inner(when=moment), entries=(Inner(some_name="a"),))) == {
        "inner": {"when": "2026-05-01T00:00:00Z"},
        "entries": [{"someName": "a"}],
    }


def test_a_read_manifest_gives_the_model_again() -> None:
    """Writing and reading loses nothing."""
    example = Example(inner=Inner(some_name="a"), entries=(Inner(), Inner(some_name="b")), count=0)
    assert msgspec.convert(manifest(example), Example) == example
