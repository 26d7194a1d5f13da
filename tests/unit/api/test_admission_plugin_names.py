"""The lists of admission plugins."""

import pytest

from kamaji_core.api.admission_plugins import DEFAULT, GONE_SINCE, KNOWN
from kamaji_core.api.versions import NEWEST_MINOR, OLDEST_MINOR


@pytest.mark.parametrize("names", [DEFAULT, KNOWN])
def test_lists_are_sorted_and_without_repetition(names: tuple[str, ...]) -> None:
    """The order is part of a flag's value: a changed one would roll every tenant."""
    assert list(names) == sorted(set(names))


def test_the_lists_are_kamajis() -> None:
    """Seventeen are enabled by default and thirty-seven may be named, as there."""
    assert (len(DEFAULT), len(KNOWN)) == (17, 37)
    assert set(DEFAULT) < set(KNOWN)


@pytest.mark.parametrize("minor", range(OLDEST_MINOR, NEWEST_MINOR + 1))
def test_the_default_runs_in_every_supported_version(minor: int) -> None:
    """No plugin of the default list is gone from a version that tenants may run."""
    assert all(GONE_SINCE.get(plugin, minor + 1) > minor for plugin in DEFAULT)


def test_only_known_plugins_can_be_gone() -> None:
    """The schema refuses other names anyway."""
    assert set(GONE_SINCE) < set(KNOWN)
