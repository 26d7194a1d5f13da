"""All parts of the kit in one class, with the fixtures that they share."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from kamaji_core.kube import KubeClient, config_from_kubeconfig
from kamaji_core.testing.addon.bench import Bench
from kamaji_core.testing.addon.keeping import Cluster, Keeping
from kamaji_core.testing.addon.planning import Planning
from kamaji_core.testing.addon.pods import Pods
from kamaji_core.testing.addon.settings import Settings
from kamaji_core.testing.apiserver import ApiServer
from kamaji_core.testing.inheriting import mark_coroutines
from kamaji_core.testing.programs import DIRECTORY_VARIABLE, programs_directory

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from kamaji_core.testing.addon.under_test import AddonUnderTest

PARTS: tuple[type, ...] = (Settings, Planning, Pods, Keeping)


class AddonContract(Settings, Planning, Pods, Keeping):
    """Inherit, give `UNDER_TEST`, and every promise of the contract is a test of your add-on.

    Tests of one class share an API server, which is started for them and has no nodes. They run in pytest-asyncio's
    automatic and strict modes.
    """

    UNDER_TEST: type[AddonUnderTest]
    """What the author says of the add-on."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        mark_coroutines(cls, PARTS)

    @pytest.fixture
    def bench(self) -> Bench:
        """What a pure test works with."""
        return Bench(self.UNDER_TEST())

    @pytest.fixture(scope="class")
    @classmethod
    def kit_api_server(cls) -> Iterator[ApiServer]:
        """A tenant's API server; whoever has not said where its program is goes without these tests."""
        if not programs_directory().exists() and DIRECTORY_VARIABLE not in os.environ:
            pytest.skip(f"{DIRECTORY_VARIABLE} names no folder with etcd and kube-apiserver")
        with ApiServer() as server:
            yield server

    @pytest_asyncio.fixture
    async def cluster(self, kit_api_server: ApiServer, bench: Bench) -> AsyncIterator[Cluster]:
        """What a test in a real cluster works with."""
        async with KubeClient(
            config_from_kubeconfig(kit_api_server.kubeconfig), user_agent="administrator/1"
        ) as client:
            yield Cluster(server=kit_api_server, client=client, bench=bench)
