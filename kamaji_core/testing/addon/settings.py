"""What an add-on is before it plans: a class with a name, and a reader of its settings."""

from __future__ import annotations

import importlib
import re
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from kamaji_core.contracts import API_VERSION, Addon, ConfigurationError
from kamaji_core.plugins import is_spoken

if TYPE_CHECKING:
    from kamaji_core.testing.addon.bench import Bench

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
UNKNOWN = "noSuchSettingInAnyAddon"


class Settings:
    """The class, its module and `config`."""

    def test_the_class_is_an_addon(self, bench: Bench) -> None:
        """Made without arguments, named as a label's value can be, for this operator's contract."""
        addon = bench.addon
        assert isinstance(addon, Addon)
        assert _NAME.fullmatch(addon.NAME), addon.NAME
        assert addon.SPEC_KEY
        assert is_spoken(addon.API_VERSION), f"contract {addon.API_VERSION}, not {API_VERSION}"
        assert issubclass(addon.CONFIG, msgspec.Struct)
        assert issubclass(addon.STATUS, msgspec.Struct)

    def test_the_entry_module_hands_it_over(self, bench: Bench) -> None:
        """By the hook that the operator calls."""
        module = importlib.import_module(bench.under_test.ENTRY)
        assert bench.under_test.ADDON in list(module.kamaji_addons())

    def test_it_is_off_until_its_key_is_there(self, bench: Bench) -> None:
        """Whatever other add-ons are on."""
        others: dict[str, Any] = {"extra": {"somebody-elses": {}}, "coreDNS": {}, "kubeProxy": {}}
        others.pop(bench.under_test.key, None)
        for spec in ({}, bench.under_test.off, others):
            assert bench.addon.config(spec) is None, f"{spec} turn it on"

    def test_its_key_turns_it_on(self, bench: Bench) -> None:
        """Settings come as its own type."""
        for settings in bench.all_settings:
            assert isinstance(bench.config(settings), bench.addon.CONFIG)

    def test_unknown_settings_are_refused(self, bench: Bench) -> None:
        """A misspelt one would do nothing, and nobody would know."""
        with pytest.raises(ConfigurationError) as raised:
            bench.addon.config(bench.under_test.spec({**bench.under_test.ON, UNKNOWN: True}))
        assert UNKNOWN in str(raised.value), "the sentence does not name the setting"

    def test_wrong_settings_are_named(self, bench: Bench) -> None:
        """Each in one sentence that says where it stands; by `config`, or by `parts` where a tenant is needed."""
        for settings in bench.under_test.REFUSED:
            with pytest.raises(ConfigurationError) as raised:
                bench.parts(settings)
            sentence = str(raised.value)
            assert bench.under_test.field in sentence, f"{sentence!r} does not name {bench.under_test.field}"
            assert "\n" not in sentence
            assert sentence.endswith("."), f"{sentence!r} is no sentence"
