"""All parts of the kit in one class, with the fixtures that they share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from kamaji_core.testing.datastore.access import Access
from kamaji_core.testing.datastore.cancelling import Cancelling
from kamaji_core.testing.datastore.claiming import Claiming
from kamaji_core.testing.datastore.closing import Closing
from kamaji_core.testing.datastore.desk import all_logs, at_desk
from kamaji_core.testing.datastore.ending import Ending
from kamaji_core.testing.datastore.faults import Faults
from kamaji_core.testing.datastore.isolation import Isolation
from kamaji_core.testing.datastore.issuing import Issuing
from kamaji_core.testing.datastore.looking import Looking
from kamaji_core.testing.datastore.owning import Owning
from kamaji_core.testing.datastore.parts import Parts
from kamaji_core.testing.datastore.probing import Probing
from kamaji_core.testing.datastore.secrecy import Secrecy
from kamaji_core.testing.datastore.settings import Settings
from kamaji_core.testing.inheriting import mark_coroutines

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from kamaji_core.testing.datastore.desk import Desk
    from kamaji_core.testing.datastore.under_test import StoreUnderTest

PARTS: tuple[type, ...] = (
    Settings,
    Issuing,
    Parts,
    Probing,
    Claiming,
    Owning,
    Isolation,
    Access,
    Ending,
    Looking,
    Faults,
    Cancelling,
    Closing,
    Secrecy,
)


class DatastoreContract(
    Settings,
    Issuing,
    Parts,
    Probing,
    Claiming,
    Owning,
    Isolation,
    Access,
    Ending,
    Looking,
    Faults,
    Cancelling,
    Closing,
    Secrecy,
):
    """Inherit, give the fixture `server`, and every promise of the contract is a test of your driver.

    Tests of one class share the server, and each uses names of its own. The tests run in pytest-asyncio's automatic
    and strict modes.
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        mark_coroutines(cls, PARTS)

    @pytest.fixture
    def server(self) -> StoreUnderTest:
        """The store under test: every author gives it, of any scope."""
        raise NotImplementedError("give a fixture `server` that returns your StoreUnderTest")

    @pytest_asyncio.fixture
    async def desk(self, server: StoreUnderTest) -> AsyncIterator[Desk]:
        """What a test works with; no test ends with a secret in the log."""
        with all_logs() as logged:
            async with at_desk(server) as desk:
                yield desk
        assert not desk.seen_in("\n".join(logged)), "a secret was logged"
