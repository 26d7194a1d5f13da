"""What both conformance kits need so that their tests run in whichever way an author's pytest is set up."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable


def mark_coroutines(kit: type, parts: Iterable[type]) -> None:
    """Mark the asynchronous tests of a kit's parts, which pytest-asyncio's strict mode would not run otherwise.

    Args:
        kit: class that inherits them.
        parts: where the tests are written.
    """
    for part in parts:
        for name in vars(part):
            if name.startswith("test_") and inspect.iscoroutinefunction(getattr(kit, name)):
                setattr(kit, name, pytest.mark.asyncio(getattr(kit, name)))
