"""What a driver is before it talks: a light module, a class with a name, and a judge of settings.

The entry module is imported at every start of the operator and `validate` is called every minute, so neither may cost
anything or touch the network.
"""

from __future__ import annotations

import asyncio
import copy
import dataclasses
import importlib
import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import msgspec
import pytest

from kamaji_core.contracts import API_VERSION, Capability, ConfigurationError, DatastoreDriver, Session, read_config
from kamaji_core.plugins import is_spoken
from kamaji_core.testing.datastore.desk import a_sentence
from kamaji_core.testing.datastore.pure import nothing_outside
from kamaji_core.testing.datastore.under_test import Feature

if TYPE_CHECKING:
    from kamaji_core.testing.datastore.desk import Desk
from kamaji_core.testing.datastore.desk import Desk

KNOWN_LIBRARIES = ("aiomysql", "asyncmy", "asyncpg", "grpc", "grpclib", "nats", "psycopg", "pymysql", "sqlalchemy")
"""Network libraries of stores' drivers, whichever the author names."""

PURE_SECONDS = 0.5
"""Processor time that one pure call may take; the event loop waits for it."""


class Settings:
    """The class, its module and `validate`."""

    async def test_the_class_is_a_driver(self, desk: Desk) -> None:
        """Named, for this operator's contract, with capabilities of the contract."""
        driver = desk.driver
        assert isinstance(driver, DatastoreDriver)
        assert driver.NAME
        assert driver.NAME.strip() == driver.NAME
        assert is_spoken(driver.API_VERSION), f"contract {driver.API_VERSION}, not {API_VERSION}"
        assert isinstance(driver.CAPABILITIES, frozenset)
        assert all(isinstance(capability, Capability) for capability in driver.CAPABILITIES)
        assert (Capability.MANY_TENANTS in driver.CAPABILITIES) == desk.can(Feature.MANY_TENANTS)
        assert (Capability.USAGE_BYTES in driver.CAPABILITIES) <= desk.can(Feature.USAGE)

    async def test_the_entry_module_hands_it_over(self, desk: Desk) -> None:
        """By the hook that the operator calls."""
        module = importlib.import_module(desk.server.ENTRY)
        assert desk.driver.NAME in [driver.NAME for driver in module.kamaji_datastores()]

    async def test_the_entry_module_is_light(self, desk: Desk) -> None:
        """Importing it, and all the pure methods' modules, loads no network library."""
        unwanted = sorted({*KNOWN_LIBRARIES, *desk.server.NETWORK_LIBRARIES})
        code = (
            "import importlib, json, sys; from kamaji_core.contracts import StoreView; before = set(sys.modules); "
            f"module = importlib.import_module({desk.server.ENTRY!r}); "
            "[kind().validate(StoreView(name='s', endpoints=('a:1',))) for kind in module.kamaji_datastores()]; "
            f"print(json.dumps([n for n in set(sys.modules) - before if n.partition('.')[0] in {unwanted!r}]))"
        )
        path = os.pathsep.join(filter(None, sys.path))
        result = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env={**os.environ, "PYTHONPATH": path},
        )
        assert result.returncode == 0, result.stderr
        loaded = json.loads(result.stdout.splitlines()[-1])
        assert loaded == [], "network libraries are loaded with the entry module"

    async def test_opening_is_no_connection(self, desk: Desk) -> None:
        """`open` prepares, at once; the first call connects."""
        desk.driver.open(desk.store)  # the library is loaded once
        begun = time.thread_time()
        with nothing_outside():
            session = desk.open()
        assert time.thread_time() - begun < PURE_SECONDS
        assert isinstance(session, Session)
        if desk.can(Feature.SERVER):
            assert desk.door.connections == 0

    async def test_a_sound_store_has_no_problems(self, desk: Desk) -> None:
        """The store under test itself is in order."""
        assert list(desk.driver.validate(desk.store)) == []

    async def test_each_mistake_is_told(self, desk: Desk) -> None:
        """Each wrong setting is told in a sentence that names its field."""
        wrong = desk.server.wrong_stores()
        if not wrong:
            pytest.skip("the author names no wrong settings")
        for field, store in wrong.items():
            sentences = list(desk.driver.validate(store))
            for sentence in sentences:
                a_sentence(sentence)
                assert not desk.seen_in(sentence), "a sentence quotes a secret"
            assert any(field in sentence for sentence in sentences), f"{field} is not named: {sentences}"

    async def test_validate_is_pure(self, desk: Desk) -> None:
        """It gives the same answer each time, reaches for nothing and changes nothing."""
        stores = [desk.store, *desk.server.wrong_stores().values()]
        for store in stores:
            before = copy.deepcopy(store)
            with nothing_outside():
                first = list(desk.driver.validate(store))
                assert first == list(desk.driver.validate(store))
            assert store == before

    async def test_validate_survives_anything(self, desk: Desk) -> None:
        """Half a DataStore is told, not failed over: the user has to be able to read what is missing."""
        empty = dataclasses.replace(desk.store, tls=None, basic_auth=None, config={})
        for store in (
            empty,
            dataclasses.replace(empty, endpoints=()),
            dataclasses.replace(desk.store, endpoints=("", ":", "a", "a:b", "[::1", "http://a:1", "a:99999", "ä:1")),
        ):
            for sentence in desk.driver.validate(store):
                a_sentence(sentence)

    async def test_settings_are_typed(self, desk: Desk) -> None:
        """`CONFIG` is a type that refuses what it does not know, and takes what the store under test has."""
        kind = desk.driver.CONFIG
        if kind is None:
            pytest.skip("the driver checks spec.config in `validate`")
        assert issubclass(kind, msgspec.Struct)
        read_config(kind, desk.store.config)
        with pytest.raises(ConfigurationError) as caught:
            read_config(kind, {**desk.store.config, "noSuchSetting": 1})
        a_sentence(caught.value)
