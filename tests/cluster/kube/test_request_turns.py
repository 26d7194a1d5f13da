"""Requests wait for their turn, but neither a watch nor a Lease waits behind requests that hang."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest

from kamaji_core.kube import CONFIG_MAPS, LEASES, SECRETS, KubeClient, NotFoundError, UnreachableError
from kamaji_core.kube.transport import _REQUESTS
from kamaji_core.testing import Drop

if TYPE_CHECKING:
    from kamaji_core.testing import FaultProxy

pytestmark = pytest.mark.real


async def test_a_lease_and_a_watch_pass_requests_that_hang(fault_proxy: FaultProxy, namespace: str) -> None:
    """All turns are taken by requests that nobody answers; what must not wait is answered all the same."""
    fault_proxy.add(Drop(), path="*/configmaps/*")
    async with KubeClient(fault_proxy.config, timeout=5.0) as client:
        hanging = [asyncio.create_task(client.get(CONFIG_MAPS, f"c{n}", namespace)) for n in range(_REQUESTS)]
        await fault_proxy.until(lambda: fault_proxy.count(path="*/configmaps/*") == _REQUESTS)
        with pytest.raises(NotFoundError):
            await client.get(LEASES, "leader", namespace)
        async with contextlib.aclosing(client.watch(SECRETS, namespace, resource_version="0", idle=1.0)) as events:
            with contextlib.suppress(StopAsyncIteration, UnreachableError):
                await anext(events)
        assert fault_proxy.count(verbs={"watch"}) == 1
        assert not any(task.done() for task in hanging)
        for task in hanging:
            task.cancel()
        await asyncio.gather(*hanging, return_exceptions=True)


async def test_others_wait_and_have_their_turn(fault_proxy: FaultProxy, namespace: str) -> None:
    """One request more than there are turns is sent when one of them ends."""
    rule = fault_proxy.add(Drop(), path="*/configmaps/*")
    async with KubeClient(fault_proxy.config, timeout=5.0) as client:
        hanging = [asyncio.create_task(client.get(CONFIG_MAPS, f"c{n}", namespace)) for n in range(_REQUESTS)]
        await fault_proxy.until(lambda: rule.hits == _REQUESTS)
        late = asyncio.create_task(client.get(SECRETS, "late", namespace))
        await asyncio.wait({late}, timeout=0.2)
        assert fault_proxy.count(path="*/secrets/*") == 0
        hanging[0].cancel()
        with pytest.raises(NotFoundError):
            await late
        for task in hanging:
            task.cancel()
        await asyncio.gather(*hanging, return_exceptions=True)
