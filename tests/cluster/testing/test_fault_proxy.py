"""The proxy gives the real server's answers where no rule says otherwise, and each fault is what it says."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec
import pytest

from kamaji_core.kube import (
    CONFIG_MAPS,
    ApiError,
    GoneError,
    KubeClient,
    NotFoundError,
    ServerError,
    TooManyRequestsError,
    UnreachableError,
    config_from_kubeconfig,
)
from kamaji_core.testing import (
    CloseAtOnce,
    Cut,
    Delay,
    ErrorEvent,
    FaultProxy,
    LoseAnswer,
    Refuse,
    Stall,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from kamaji_core.testing import ApiServer

pytestmark = pytest.mark.real


@pytest.fixture
async def proxied(fault_proxy: FaultProxy) -> AsyncIterator[KubeClient]:
    """A client through the proxy."""
    async with KubeClient(fault_proxy.config, timeout=5) as client:
        yield client


@pytest.fixture
async def straight(api_server: ApiServer) -> AsyncIterator[KubeClient]:
    """A client past the proxy."""
    async with KubeClient(config_from_kubeconfig(api_server.kubeconfig)) as client:
        yield client


@pytest.fixture
def obj() -> dict[str, Any]:
    """A ConfigMap that is not there yet."""
    return {"metadata": {"namespace": "default", "name": f"proxy-{uuid.uuid4().hex[:8]}"}, "data": {"v": "1"}}


async def test_what_is_no_fault_passes(proxied: KubeClient, fault_proxy: FaultProxy, obj: dict[str, Any]) -> None:
    """Reads, writes, refusals and pages are the server's, and each request is counted by verb and path."""
    name = obj["metadata"]["name"]
    stored = await proxied.create(CONFIG_MAPS, obj)
    assert await proxied.get(CONFIG_MAPS, name, "default") == stored
    await proxied.merge_patch(CONFIG_MAPS, name, {"data": {"v": "2"}}, "default")
    listing = await proxied.list(CONFIG_MAPS, "default", page=1, field_selector=f"metadata.name={name}")
    assert [msgspec.json.decode(item)["data"] for item in listing.items] == [{"v": "2"}]
    await proxied.delete(CONFIG_MAPS, name, "default")
    with pytest.raises(NotFoundError):
        await proxied.get(CONFIG_MAPS, name, "default")
    one = f"/api/v1/namespaces/default/configmaps/{name}"
    counted = {"create": 1, "get": 2, "patch": 1, "list": 1, "delete": 1}
    assert {verb: fault_proxy.count(verbs={verb}) for verb in counted} == counted
    assert fault_proxy.requests["get", one] == 2


async def test_credentials_of_clients_are_left_out(fault_proxy: FaultProxy) -> None:
    """Everybody is the administrator: a token that the server does not know does no harm."""
    content = fault_proxy.kubeconfig.replace(b"user: {}", b"user: {token: nonsense}")
    async with KubeClient(config_from_kubeconfig(content)) as client:
        assert await client.raw("/api/v1/namespaces/default/secrets")


@pytest.mark.parametrize(
    ("fault", "error"),
    [(Refuse(410, "Expired"), GoneError), (Refuse(500), ServerError), (Refuse(429), TooManyRequestsError)],
)
async def test_refusals_are_typed(
    proxied: KubeClient, fault_proxy: FaultProxy, fault: Refuse, error: type[ApiError]
) -> None:
    """A refusal is understood as the server's own would be, and befalls as many requests as were asked for."""
    rule = fault_proxy.add(fault, verbs={"get"}, times=1)
    with pytest.raises(error):
        await proxied.raw("/version")
    await proxied.raw("/version")
    assert rule.hits == 1


async def test_retry_after_is_heeded(proxied: KubeClient, fault_proxy: FaultProxy) -> None:
    """A 429 with a time to wait is tried again after that time."""
    fault_proxy.add(Refuse(429, "TooManyRequests", retry_after=1), times=1)
    began = asyncio.get_running_loop().time()
    await proxied.raw("/version")
    assert asyncio.get_running_loop().time() - began >= 1


async def test_a_write_whose_answer_is_lost_is_done(
    proxied: KubeClient, straight: KubeClient, fault_proxy: FaultProxy, obj: dict[str, Any]
) -> None:
    """The client sees a broken connection; the object is there."""
    fault_proxy.add(LoseAnswer(), verbs={"create"})
    with pytest.raises(UnreachableError, match="cut"):
        await proxied.create(CONFIG_MAPS, obj)
    assert (await straight.get(CONFIG_MAPS, obj["metadata"]["name"], "default"))["data"] == {"v": "1"}


async def test_only_what_fits_is_befallen(proxied: KubeClient, fault_proxy: FaultProxy) -> None:
    """Verb and path both have to fit; the first rule that does wins; a removed one befalls nothing."""
    first = fault_proxy.add(Refuse(500), verbs={"list"}, path="*/configmaps")
    second = fault_proxy.add(Refuse(410), path="*/configmaps")
    await proxied.raw("/api/v1/secrets")
    with pytest.raises(ServerError):
        await proxied.list(CONFIG_MAPS, "default")
    assert (first.hits, second.hits) == (1, 0)
    fault_proxy.remove(first)
    fault_proxy.clear()
    await proxied.list(CONFIG_MAPS, "default")


async def test_a_delay_delays(proxied: KubeClient, fault_proxy: FaultProxy) -> None:
    """The answer comes, later."""
    fault_proxy.add(Delay(0.4))
    began = asyncio.get_running_loop().time()
    await proxied.raw("/version")
    assert asyncio.get_running_loop().time() - began >= 0.4


async def test_a_cut_is_a_reset(fault_proxy: FaultProxy) -> None:
    """Half of the body arrives, then the connection is reset, not ended."""
    fault_proxy.add(Cut())
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=False)) as session:
        response = await session.get(f"{fault_proxy.config.server}/version")
        with pytest.raises(aiohttp.ClientError) as caught:
            await response.read()
    assert "reset" in f"{caught.value} {caught.value.__cause__}".lower()


async def watched(client: KubeClient, position: str) -> list[str]:
    """The types of the events of a watch, until it ends, breaks or is silent for half a second."""
    types: list[str] = []
    async with contextlib.aclosing(client.watch(CONFIG_MAPS, "default", resource_version=position, idle=0.5)) as events:
        try:
            async for event in events:
                types.append(event.type)  # noqa: PERF401 - what came before the break is the answer
        except ApiError as error:
            types.append(type(error).__name__)
    return types


@pytest.mark.parametrize(
    ("fault", "seen"),
    [
        (CloseAtOnce(), []),
        (ErrorEvent(1), ["ADDED", "GoneError"]),
        (Cut(1), ["ADDED", "UnreachableError"]),
        (Stall(0), ["UnreachableError"]),
        (Stall(2), ["ADDED", "MODIFIED", "UnreachableError"]),
    ],
    ids=str,
)
async def test_faults_of_a_watch(
    proxied: KubeClient,
    straight: KubeClient,
    fault_proxy: FaultProxy,
    obj: dict[str, Any],
    fault: Any,
    seen: list[str],
) -> None:
    """Just so many of three events pass as the fault says."""
    position = (await straight.list(CONFIG_MAPS, "default")).resource_version
    name = obj["metadata"]["name"]
    await straight.create(CONFIG_MAPS, obj)
    await straight.merge_patch(CONFIG_MAPS, name, {"data": {"v": "2"}}, "default")
    await straight.delete(CONFIG_MAPS, name, "default")
    fault_proxy.add(fault, verbs={"watch"})
    assert await watched(proxied, position) == seen


async def test_a_server_that_is_away_cuts_the_connection(api_server: ApiServer) -> None:
    """A proxy whose server does not answer says nothing in its place."""
    nobody = api_server.kubeconfig.replace(api_server.url.encode(), b"https://127.0.0.1:1")
    async with FaultProxy(nobody) as proxy, KubeClient(proxy.config) as client:
        with pytest.raises(UnreachableError):
            await client.raw("/version")


async def test_leaving_ends_what_is_held(api_server: ApiServer) -> None:
    """Held requests and open watches do not outlive the proxy, and leaving takes no time."""
    async with FaultProxy(api_server.kubeconfig) as proxy, KubeClient(proxy.config) as client:
        proxy.add(Stall(0), verbs={"watch"})
        watching = asyncio.ensure_future(watched(client, "0"))
        await proxy.until(lambda: proxy.count(verbs={"watch"}) == 1)
        began = asyncio.get_running_loop().time()
        await proxy.__aexit__()
        assert asyncio.get_running_loop().time() - began < 2
        assert (await watching)[-1] == "UnreachableError"


async def test_a_condition_that_never_holds_ends_in_time(fault_proxy: FaultProxy) -> None:
    """Waiting for it raises."""
    with pytest.raises(TimeoutError):
        await fault_proxy.until(lambda: False, seconds=0.1)
