"""What holds for every test of this repository; pytest takes plugins from the top conftest alone."""

import asyncio

import hypothesis

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
