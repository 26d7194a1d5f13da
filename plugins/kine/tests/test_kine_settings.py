"""What users may choose of kine, embedded in a driver's settings."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys

import msgspec
import pytest

from kamaji_core.contracts import ConfigurationError, read_config
from kamaji_kine import IMAGE, KineConfig, kine_problems


class _DriverConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    kine: KineConfig = KineConfig()


def test_nothing_needs_to_be_chosen() -> None:
    """A driver's settings are complete without a word about kine."""
    config = read_config(_DriverConfig, {}).kine
    assert (config.image, config.requests, config.limits) == (IMAGE, {"cpu": "10m", "memory": "40Mi"}, {})
    assert list(kine_problems(config)) == []


def test_an_unknown_setting_is_told_with_its_path() -> None:
    """A slip of the pen is not lost."""
    with pytest.raises(ConfigurationError, match=r"spec\.config\.kine\.imag is unknown"):
        read_config(_DriverConfig, {"kine": {"imag": "x"}})


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        (KineConfig(image=""), "spec.config.kine.image is ''"),
        (KineConfig(image="a b"), "spec.config.kine.image is 'a b'"),
        (KineConfig(requests={"cpu": "much"}), "spec.config.kine.requests.cpu is 'much'"),
        (KineConfig(limits={"memory": "1 Gi"}), "spec.config.kine.limits.memory is '1 Gi'"),
        (KineConfig(limits={"gpu": "1"}), "spec.config.kine.limits has 'gpu'"),
    ],
)
def test_each_mistake_has_its_sentence(config: KineConfig, sentence: str) -> None:
    """It names the field and what to write."""
    (problem,) = kine_problems(config)
    assert problem.startswith(sentence)
    assert "write" in problem or "name one of" in problem


def test_two_settings_do_not_share_their_defaults() -> None:
    """What one driver does with its dictionary does not reach another's."""
    assert KineConfig().requests is not KineConfig().requests


def test_it_is_a_library() -> None:
    """It registers nothing, and importing it loads no more than the contract and msgspec."""
    points = importlib.metadata.entry_points(group="kamaji")
    assert not [point for point in points if point.value.startswith("kamaji_kine")]
    code = "import sys, kamaji_kine; print([n for n in ('aiohttp', 'grpclib', 'asyncpg', 'ssl') if n in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert result.stdout.strip() == "[]"
