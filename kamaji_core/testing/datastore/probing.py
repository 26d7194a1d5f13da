"""The probe: every minute a real login, which says whether tenants can be served and if not, what to do.

A port that answers proves little. What is told here becomes the DataStore's condition, word by word.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from kamaji_core.contracts import Probe, ProbeKind
from kamaji_core.testing.datastore.desk import a_sentence
from kamaji_core.testing.datastore.gate import GateMode
from kamaji_core.testing.datastore.under_test import Feature
from kamaji_core.testing.waiting import until

if TYPE_CHECKING:
    from kamaji_core.contracts import Session
    from kamaji_core.testing.datastore.desk import Desk

LIMIT_SECONDS = 14.0
"""Below the core's 15 seconds, so that the sentence is the driver's."""

AT_ONCE = 20


async def probe(session: Session, *, secret_of: Desk) -> Probe:
    """Probe once, which must end in time and raise nothing."""
    try:
        async with asyncio.timeout(LIMIT_SECONDS):
            found = await session.probe()
    except TimeoutError:
        raise AssertionError(f"a probe took longer than {LIMIT_SECONDS:.0f} s") from None
    except Exception as error:
        raise AssertionError(f"a probe raised {type(error).__name__}: {error}") from error
    assert isinstance(found, Probe)
    a_sentence(found.sentence)
    assert not secret_of.seen_in(found.sentence), "the sentence holds a secret"
    return found


class Probing:
    """`Session.probe`."""

    async def test_a_store_in_order(self, desk: Desk) -> None:
        """Is ok, in a sentence, and tells its version."""
        found = await probe(desk.session, secret_of=desk)
        assert (found.kind, found.ok) == (ProbeKind.OK, True)
        assert found.server_version or not desk.can(Feature.SERVER)

    @pytest.mark.parametrize("kind", [ProbeKind.TLS, ProbeKind.AUTH, ProbeKind.VERSION, ProbeKind.PERMISSION])
    async def test_each_trouble_has_its_kind(self, desk: Desk, kind: ProbeKind) -> None:
        """A wrong certificate, a wrong login, an old server, a login without rights: told apart, each in a sentence."""
        desk.needs(kind)
        async with desk.server.probed(kind) as store:
            found = await probe(desk.open(store), secret_of=desk)
        assert (found.kind, found.ok) == (kind, False), found.sentence

    async def test_a_full_store_is_told(self, desk: Desk) -> None:
        """Logins still work there, and no tenant can write: that is not ok."""
        desk.needs(ProbeKind.FULL)
        async with desk.server.probed(ProbeKind.FULL) as store:
            found = await probe(desk.open(store), secret_of=desk)
        assert (found.kind, found.ok) == (ProbeKind.FULL, False), found.sentence

    async def test_nobody_listens(self, desk: Desk) -> None:
        """A closed port is refused, soon."""
        desk.needs(Feature.SERVER, ProbeKind.REFUSED)
        desk.door.set(GateMode.SHUT)
        found = await probe(desk.session, secret_of=desk)
        assert (found.kind, found.ok) == (ProbeKind.REFUSED, False), found.sentence

    async def test_nobody_answers(self, desk: Desk) -> None:
        """What accepts and says nothing is a time-out within the driver's own limit, also where it answered before."""
        desk.needs(Feature.SERVER, ProbeKind.TIMEOUT)
        assert (await probe(desk.session, secret_of=desk)).ok
        sessions = [desk.session, desk.open()]
        desk.door.set(GateMode.SILENT)
        for found in await asyncio.gather(*(probe(session, secret_of=desk) for session in sessions)):
            assert (found.kind, found.ok) == (ProbeKind.TIMEOUT, False), found.sentence

    async def test_each_probe_looks_anew(self, desk: Desk) -> None:
        """A store that goes is seen to go and one that comes back is seen to come, by the same session."""
        desk.needs(Feature.SERVER)
        assert (await probe(desk.session, secret_of=desk)).ok
        desk.door.set(GateMode.SHUT)
        assert not (await probe(desk.session, secret_of=desk)).ok
        desk.door.set(GateMode.OPEN)

        async def is_back() -> bool:
            return (await probe(desk.session, secret_of=desk)).ok

        await until(is_back, "the session to see that its store is back", seconds=LIMIT_SECONDS)

    async def test_probes_at_once(self, desk: Desk) -> None:
        """Many at the same time get an answer each and open no connection each."""
        found = await asyncio.gather(*(probe(desk.session, secret_of=desk) for _ in range(AT_ONCE)))
        assert all(one.ok for one in found)
        if desk.can(Feature.SERVER):
            assert desk.door.connections < AT_ONCE

    async def test_a_probe_leaves_no_trace(self, desk: Desk) -> None:
        """It is no tenant: nothing is claimed by it and no share is changed."""
        claim, _ = await desk.make()
        before = sorted(await desk.holds(claim))
        claims = len(await desk.session.claims()) if desk.can(Feature.CLAIMS) else 0
        for _ in range(3):
            await probe(desk.session, secret_of=desk)
        assert sorted(await desk.holds(claim)) == before
        if desk.can(Feature.CLAIMS):
            assert len(await desk.session.claims()) == claims
