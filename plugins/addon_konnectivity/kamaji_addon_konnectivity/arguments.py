"""Command lines in which somebody's flags and ours meet."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def flags_of(arguments: Iterable[str]) -> dict[str, str]:
    """Read `--name=value` and bare `--name`; of several with one name the last counts."""
    parted = (argument.partition("=") for argument in arguments)
    return {name: separator + value for name, separator, value in parted}


def command(program: str, flags: Mapping[str, str]) -> tuple[str, ...]:
    """Write a command line, its flags in the order of their names: another order would be another pod."""
    return (program, *(f"{name}{value}" for name, value in sorted(flags.items())))
