"""Connections leave nothing behind: no half cancelled caller, no dead connection in use, no task, on either loop."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import uvloop

from kamaji_core.contracts import ProbeKind
from kamaji_core.pki import CertificateRequest, Usage, issue_ca, issue_certificate
from kamaji_core.testing import free_port
from kamaji_datastore_etcd import channels as channels_module
from kamaji_datastore_etcd.errors import AnswerTooLargeError
from kamaji_datastore_etcd.session import open_session as open_directly

if TYPE_CHECKING:
    from collections.abc import Callable

    from kamaji_core.contracts import Claim, Probe, StoreView
    from kamaji_core.testing import EtcdServer
    from kamaji_datastore_etcd.session import EtcdSession

    OpenSession = Callable[[StoreView], EtcdSession]
    MakeStore = Callable[..., StoreView]

pytestmark = pytest.mark.real


async def test_a_call_that_fails_leaves_its_caller_uncancelled(
    server: EtcdServer, make_store: MakeStore, open_session: OpenSession
) -> None:
    """Time limits around a call can be told from cancellation afterwards."""
    session = open_session(make_store(server, endpoints=(f"127.0.0.1:{free_port()}",)))
    task = asyncio.current_task()
    assert task is not None
    assert (await session.probe()).kind is ProbeKind.REFUSED
    assert task.cancelling() == 0
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await asyncio.Event().wait()


async def test_a_time_limit_of_the_caller_is_a_time_limit(
    server: EtcdServer, make_store: MakeStore, open_session: OpenSession, claim: Claim
) -> None:
    """A server that accepts and never answers: the caller's own, shorter limit ends the call as such."""
    silent = await asyncio.start_server(_keep_silent, "127.0.0.1", 0)
    async with silent:
        endpoint = f"127.0.0.1:{silent.sockets[0].getsockname()[1]}"
        session = open_session(make_store(server, endpoints=(endpoint,)))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await session.revoke(claim)


async def test_an_answer_that_is_too_large_is_refused(
    store: StoreView, open_session: OpenSession, claim: Claim, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a sentence, not with the memory of all tenants."""
    session = open_session(store)
    assert (await session.probe()).ok
    monkeypatch.setattr(channels_module, "ANSWER_LIMIT", 4)
    with pytest.raises(AnswerTooLargeError, match="too large"):
        await session.usage(claim)


async def test_nothing_runs_after_closing(store: StoreView, open_session: OpenSession) -> None:
    """Neither tasks nor timers keep a closed session alive."""
    before = asyncio.all_tasks()
    session = open_session(store)
    assert (await session.probe()).ok
    await session.aclose()
    assert asyncio.all_tasks() == before


@pytest.mark.parametrize("trouble", ["none", "nobody", "unknown authority", "refused certificate", "plain text"])
def test_troubles_are_told_alike_on_the_operators_own_loop(server: EtcdServer, store: StoreView, trouble: str) -> None:
    """The loop of uvloop words its errors in its own way; the kind of trouble is the same."""
    expected = {"none": ProbeKind.OK, "nobody": ProbeKind.REFUSED}.get(trouble, ProbeKind.TLS)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        probe = runner.run(_probe_in(trouble, server, store))
    assert probe.kind is expected, probe.sentence


async def _probe_in(trouble: str, server: EtcdServer, store: StoreView) -> Probe:
    assert store.tls is not None
    tls, endpoints = store.tls, store.endpoints
    now = datetime.now(UTC)
    foreign = issue_ca(common_name="foreign", now=now, lifetime=timedelta(days=1))
    plain = await asyncio.start_server(_answer_in_plain_text, "127.0.0.1", 0)
    async with plain:
        if trouble == "nobody":
            endpoints = (f"127.0.0.1:{free_port()}",)
        elif trouble == "plain text":
            endpoints = (f"127.0.0.1:{plain.sockets[0].getsockname()[1]}",)
        elif trouble == "unknown authority":
            tls = dataclasses.replace(tls, ca_certificate=foreign.certificate)
        elif trouble == "refused certificate":
            request = CertificateRequest(common_name="root", usages=frozenset({Usage.CLIENT}))
            pair = issue_certificate(request, ca=foreign, now=now, lifetime=timedelta(days=1))
            tls = dataclasses.replace(tls, client_certificate=pair.certificate, client_key=pair.key)
        session = open_directly(endpoints, tls, login="root")
        probe = await session.probe()
        await session.aclose()
    return probe


async def _keep_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        await reader.read()
    writer.close()


async def _answer_in_plain_text(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    writer.close()
