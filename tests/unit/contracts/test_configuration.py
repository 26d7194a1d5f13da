"""Settings are read through the plugin's type, and each mistake has a sentence that names the field and the remedy."""

from __future__ import annotations

import subprocess
import sys
from typing import Annotated, Any

import msgspec
import pytest

from kamaji_core.contracts import ConfigurationError, read_config


class Pool(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """Settings inside of settings."""

    max_size: Annotated[int, msgspec.Meta(ge=1, le=100)] = 10


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """A plugin's settings, as one would write them."""

    image: str
    ssl_mode: str = "require"
    pool: Pool = msgspec.field(default_factory=Pool)
    hosts: list[str] = []


class Nothing(msgspec.Struct, forbid_unknown_fields=True):
    """A plugin without settings that wants to hear of those meant for another."""


class Lenient(msgspec.Struct):
    """A plugin that passes over what it does not know."""

    image: str = ""


def test_settings_become_the_plugins_type() -> None:
    """With its defaults, under the names that it gives them."""
    read = read_config(Settings, {"image": "x:1", "pool": {"maxSize": 3}, "hosts": ["a"]})
    assert read == Settings(image="x:1", pool=Pool(max_size=3), hosts=["a"])


def test_any_mapping_is_read() -> None:
    """Views of a DataStore hold mappings, not only dictionaries."""
    from types import MappingProxyType  # noqa: PLC0415 - needed here alone

    assert read_config(Lenient, MappingProxyType({"image": "x"})) == Lenient(image="x")


def test_unknown_settings_are_passed_over_where_the_type_allows_it() -> None:
    """It is the author's choice."""
    assert read_config(Lenient, {"image": "x", "more": 1}) == Lenient(image="x")


@pytest.mark.parametrize(
    ("kind", "settings", "sentence"),
    [
        (Settings, {}, "spec.config.image is missing: set it."),
        (Settings, {"image": 3}, "spec.config.image cannot be used: expected `str`, got `int`."),
        (Settings, {"image": None}, "spec.config.image cannot be used: expected `str`, got `null`."),
        (
            Settings,
            {"image": "x", "sslmode": "off"},
            "spec.config.sslmode is unknown (settings: image, sslMode, pool, hosts): correct or remove it.",
        ),
        (
            Settings,
            {"image": "x", "pool": {"maxSize": 0}},
            "spec.config.pool.maxSize cannot be used: expected `int` >= 1.",
        ),
        (
            Settings,
            {"image": "x", "pool": {"size": 1}},
            "spec.config.pool.size is unknown: remove it.",
        ),
        (
            Settings,
            {"image": "x", "hosts": ["a", 2]},
            "spec.config.hosts[1] cannot be used: expected `str`, got `int`.",
        ),
        (Settings, {"image": "x", "pool": []}, "spec.config.pool cannot be used: expected `object`, got `array`."),
        (
            Nothing,
            {"a": 1},
            "spec.config.a is unknown (settings: none): correct or remove it.",
        ),
    ],
)
def test_a_mistake_is_told_in_a_sentence(kind: type[msgspec.Struct], settings: dict[str, Any], sentence: str) -> None:
    """It names the field as the user wrote it."""
    with pytest.raises(ConfigurationError) as caught:
        read_config(kind, settings)
    assert str(caught.value) == sentence


def test_the_sentence_names_the_field_where_the_settings_stand() -> None:
    """Add-ons' settings stand elsewhere than a DataStore's."""
    with pytest.raises(ConfigurationError, match=r"^spec\.addons\.extra\.image is missing: set it\.$"):
        read_config(Settings, {}, field="spec.addons.extra")


@pytest.mark.parametrize("name", ["a`b", "a - at `$.b`", "Ünï", "", "two\nlines", "x" * 300])
def test_a_strange_name_is_told_as_it_is(name: str) -> None:
    """Whatever a user may write as a key, it is that key that the sentence names."""
    with pytest.raises(ConfigurationError) as caught:
        read_config(Settings, {"image": "x", name: 1})
    assert str(caught.value).startswith(f"spec.config.{name} is unknown")


def test_a_value_is_not_repeated_in_the_sentence() -> None:
    """It may be a password in the wrong place."""
    with pytest.raises(ConfigurationError) as caught:
        read_config(Settings, {"image": "x", "pool": "hunter2"})
    assert "hunter2" not in str(caught.value)


def test_the_cause_is_not_shown() -> None:
    """The sentence is whole without the decoder's words."""
    with pytest.raises(ConfigurationError) as caught:
        read_config(Settings, {})
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_the_contract_loads_no_decoder() -> None:
    """Importing the contract is part of every command that looks at plugins; settings are read by few."""
    code = "import sys, kamaji_core.contracts; print('msgspec' in sys.modules, 'cryptography' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60)
    assert answer.stdout == "False False\n"
