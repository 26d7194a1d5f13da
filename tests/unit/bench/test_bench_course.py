"""Which measurements a command makes."""

from __future__ import annotations

import pytest

from bench.course import MEASUREMENTS, NEED_ALL_READY, course


def test_all_makes_every_measurement_and_deletes_last() -> None:
    """A deleted fleet cannot be measured."""
    assert course("all") == list(MEASUREMENTS)
    assert course("all")[0] == "create"
    assert course("all")[-1] == "delete"


@pytest.mark.parametrize("name", [name for name in MEASUREMENTS if name != "create"])
def test_a_measurement_needs_a_fleet(name: str) -> None:
    """Its creation is measured on the way."""
    assert course(name) == ["create", name]


def test_a_creation_is_made_once() -> None:
    """It stands for itself."""
    assert course("create") == ["create"]


def test_what_needs_a_ready_fleet_is_a_measurement() -> None:
    """A floor and a deletion mean something on any fleet."""
    assert set(MEASUREMENTS) > NEED_ALL_READY
    assert not NEED_ALL_READY & {"floor", "delete", "create"}
