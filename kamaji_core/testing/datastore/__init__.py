"""The conformance kit: what every datastore driver must do, as tests that its author inherits.

A contract in words is kept by whoever reads it the same way. These tests state it against a real server; an author
says once how that server is reached, broken and looked into (`StoreUnderTest`), and the rest is inherited.
"""

from __future__ import annotations

import pkgutil

import pytest

# Before they are imported, so that a failed assertion shows its values.
pytest.register_assert_rewrite(*(f"{__name__}.{part.name}" for part in pkgutil.iter_modules(__path__)))

from kamaji_core.testing.datastore.gate import Gate, GateMode  # noqa: E402 - after the line above
from kamaji_core.testing.datastore.under_test import (  # noqa: E402
    Feature,
    RefusedError,
    StoreUnderTest,
    TenantClient,
)
from kamaji_core.testing.datastore.whole import DatastoreContract  # noqa: E402

__all__ = [
    "DatastoreContract",
    "Feature",
    "Gate",
    "GateMode",
    "RefusedError",
    "StoreUnderTest",
    "TenantClient",
]
