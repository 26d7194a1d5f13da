"""The conformance kit for add-ons against every broken one, run by `test_broken_addons.py` in a process of its own.

Its name keeps pytest from collecting it: each of these tests is meant to fail.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kamaji_core.testing import AddonContract, ApiServer

if TYPE_CHECKING:
    from collections.abc import Iterator

sys.path.append(str(Path(__file__).parent))  # for what lies here and is no package's

from broken_addons import BROKEN, Lamp, LampUnderTest

WHOLE = "KAMAJI_KIT_WHOLE" in os.environ


@pytest.fixture(scope="session")
def one_api_server() -> Iterator[ApiServer]:
    """One for all of them."""
    with ApiServer() as server:
        yield server


def suite_of(name: str, addon: type[Lamp], *tests: str) -> type[AddonContract]:
    """The kit for one add-on: the tests meant for it alone, or all where none are named."""
    under_test = type(f"{name}UnderTest", (LampUnderTest,), {"ADDON": addon, "__module__": __name__})
    left_out: dict[str, Any] = {}
    if tests and not WHOLE:
        left_out = {one: None for one in dir(AddonContract) if one.startswith("test_") and one not in tests}

    @pytest.fixture
    def kit_api_server(self: AddonContract, one_api_server: ApiServer) -> ApiServer:
        return one_api_server

    content = {**left_out, "UNDER_TEST": under_test, "kit_api_server": kit_api_server, "__module__": __name__}
    return type(f"Test{name}", (AddonContract,), content)


TestLamp = suite_of("Lamp", Lamp)  # which is right
for one, (kind, test, _) in BROKEN.items():
    globals()[f"Test{one}"] = suite_of(one, kind, test)
