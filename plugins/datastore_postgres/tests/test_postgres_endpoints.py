"""Several servers: the primary is found wherever it is, and the one that answered last is asked first."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING, Any

import pytest

from kamaji_core.contracts import Claim, ProbeKind
from kamaji_core.testing import free_port
from kamaji_core.testing.datastore import Gate, GateMode

if TYPE_CHECKING:
    from collections.abc import Callable

    from kamaji_core.contracts import StoreView
    from kamaji_core.testing.postgres import PostgresServer

pytestmark = pytest.mark.real

Open = Any


def with_endpoints(store: StoreView, *endpoints: str) -> StoreView:
    """The store under these addresses."""
    return dataclasses.replace(store, endpoints=endpoints)


async def test_an_endpoint_where_nobody_listens_is_passed_over(
    store: StoreView, open_session: Open, claim: Claim
) -> None:
    """First or last."""
    dead = f"127.0.0.1:{free_port()}"
    for endpoints in ((dead, *store.endpoints), (*store.endpoints, dead)):
        session = open_session(with_endpoints(store, *endpoints))
        assert (await session.probe()).ok
        await session.reserve(claim)


async def test_a_silent_endpoint_is_passed_over_in_time(store: StoreView, open_session: Open) -> None:
    """The probe ends well within its limit, and the next call begins with the one that answered."""
    with Gate(store.endpoints[0]) as gate:
        gate.set(GateMode.SILENT)
        session = open_session(with_endpoints(store, gate.endpoint, *store.endpoints))
        probe = await session.probe()
        assert probe.ok, probe.sentence
        began = time.monotonic()
        assert (await session.probe()).ok
        assert time.monotonic() - began < 1


async def test_a_standby_is_passed_over(
    own_server: PostgresServer, make_store: Callable[..., StoreView], store: StoreView, open_session: Open, claim: Claim
) -> None:
    """It answers, and takes no writes."""
    own_server.stop()
    (own_server.directory / "data" / "standby.signal").touch()
    own_server.start()
    alone = open_session(make_store(own_server))
    probe = await alone.probe()
    assert (probe.kind, "is a standby" in probe.sentence) == (ProbeKind.REFUSED, True), probe.sentence
    assert store.tls is not None
    assert own_server.ca is not None
    bundle = own_server.ca.certificate + store.tls.ca_certificate
    both = with_endpoints(store, own_server.endpoint, *store.endpoints)
    session = open_session(dataclasses.replace(both, tls=dataclasses.replace(store.tls, ca_certificate=bundle)))
    assert (await session.probe()).ok
    await session.reserve(claim)


async def test_the_answer_that_tells_most_is_told(store: StoreView, open_session: Open) -> None:
    """One server knows the login not, the other does not listen: the user hears of the login."""
    assert store.basic_auth is not None
    login = dataclasses.replace(store.basic_auth, password="wrong")
    dead = f"127.0.0.1:{free_port()}"
    wrong = dataclasses.replace(with_endpoints(store, dead, *store.endpoints), basic_auth=login)
    assert (await open_session(wrong).probe()).kind is ProbeKind.AUTH
