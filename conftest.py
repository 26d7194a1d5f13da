"""What holds for every test of this repository; pytest takes plugins from the top conftest alone."""

import asyncio

pytest_plugins = ["kamaji_core.testing.fixtures"]


def pytest_configure() -> None:
    """Say that there is no event loop yet.

    looptime asks for the current loop before every test; before the first asynchronous one that would make a loop
    which nobody closes, and its warning would fail whatever test runs when it is collected.
    """
    asyncio.set_event_loop(None)
