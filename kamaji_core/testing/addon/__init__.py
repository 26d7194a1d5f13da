"""The conformance kit for add-ons: what every add-on must do, as tests that its author inherits.

An add-on states what is wanted and the core does the rest, so most of the contract is about what is stated: that it is
pure, complete and rests. The rest is tried in a real API server, by the operator's own code.
"""

from __future__ import annotations

import pkgutil

import pytest

# Before they are imported, so that a failed assertion shows its values.
pytest.register_assert_rewrite(*(f"{__name__}.{part.name}" for part in pkgutil.iter_modules(__path__)))

from kamaji_core.testing.addon.under_test import AddonUnderTest  # noqa: E402 - after the line above
from kamaji_core.testing.addon.whole import AddonContract  # noqa: E402

__all__ = ["AddonContract", "AddonUnderTest"]
