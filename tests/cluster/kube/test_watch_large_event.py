"""An object near etcd's limit comes through a watch and a list whole, and through a cut connection too."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from kamaji_core.kube import DEPLOYMENTS, Informer
from kamaji_core.testing import Cut

if TYPE_CHECKING:
    from collections.abc import Callable

    from kamaji_core.kube import KubeClient
    from kamaji_core.testing import FaultProxy

pytestmark = pytest.mark.real

SIZE = 1_400_000


def deployment(namespace: str, name: str, size: int) -> dict[str, Any]:
    """A Deployment made large by a variable."""
    labels = {"app": name}
    container = {"name": "x", "image": "x", "env": [{"name": "LARGE", "value": "x" * size}]}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    spec = {"replicas": 0, "selector": {"matchLabels": labels}, "template": template}
    return {"metadata": {"namespace": namespace, "name": name}, "spec": spec}


def size_of(raw: msgspec.Raw) -> int:
    """How large it was made."""
    containers = msgspec.json.decode(raw)["spec"]["template"]["spec"]["containers"]
    return len(containers[0]["env"][0]["value"])


@pytest.mark.parametrize("is_cut", [False, True], ids=["whole", "cut"])
async def test_a_large_object_is_known(
    client: KubeClient,
    proxied: KubeClient,
    namespace: str,
    fault_proxy: FaultProxy,
    told: Callable[..., None],
    is_cut: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """1.4 MB arrive as one event; where the connection was cut in its middle, they arrive the second time."""
    rule = fault_proxy.add(Cut(0), verbs={"watch"}, times=1) if is_cut else None
    known: asyncio.Queue[tuple[str, int | None]] = asyncio.Queue()
    await client.create(DEPLOYMENTS, deployment(namespace, "listed", SIZE))
    informer = Informer[int](
        proxied,
        DEPLOYMENTS,
        decode=size_of,
        on_change=lambda key, _before, after: known.put_nowait((key[1], after)),
        namespace=namespace,
    )
    task = asyncio.ensure_future(informer.run())
    try:
        async with asyncio.timeout(30):
            assert await known.get() == ("listed", SIZE)
            await fault_proxy.until(lambda: fault_proxy.count(verbs={"watch"}) == 1)
            began = asyncio.get_running_loop().time()
            await client.create(DEPLOYMENTS, deployment(namespace, "watched", SIZE))
            assert await known.get() == ("watched", SIZE)
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    told(known_after_seconds=asyncio.get_running_loop().time() - began)
    assert rule is None or rule.hits == 1
    assert fault_proxy.count(verbs={"list"}) == 1
    for name in ("listed", "watched"):
        await client.delete(DEPLOYMENTS, name, namespace)
