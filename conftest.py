"""What holds for every test of this repository; pytest takes plugins from the top conftest alone."""

import asyncio
import zlib
from typing import Any

import hypothesis
import pytest

collect_ignore = ["examples/plugins/kamaji-hooks-demo"]  # runs where it is installed: tests/packaging
pytest_plugins = ["kamaji_core.testing.fixtures"]


def pytest_configure() -> None:
    """Say that there is no event loop yet, and take examples' time limits away.

    looptime asks for the current loop before every test; before the first asynchronous one that would make a loop
    which nobody closes, and its warning would fail whatever test runs when it is collected.
    """
    asyncio.set_event_loop(None)
    # How long one example takes says something about the machine, not about the code.
    hypothesis.settings.register_profile("untimed", deadline=None)
    hypothesis.settings.load_profile("untimed")


IN_PIECES = {"plugins/datastore_postgres/tests/test_contract.py": 4}
"""Files that take minutes, and into how many pieces they fall when tests run in several processes."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Have the tests of a file run in one process, since they share servers, but for the files that take longest."""
    from xdist.scheduler import LoadFileScheduling  # noqa: PLC0415 - where it is not installed nobody asks

    class ByFile(LoadFileScheduling):
        """As pytest-xdist's, with pieces."""

        def _split_scope(self, nodeid: str) -> str:
            file, _, test = nodeid.partition("::")
            function = test.partition("[")[0]
            return f"{file}::{zlib.crc32(function.encode()) % IN_PIECES.get(file, 1)}"

    return ByFile(config, log) if config.getoption("dist") == "loadfile" else None
