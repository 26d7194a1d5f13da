"""The bare client: it writes what the operator would, as soon as the API server is ready, and does nothing else.

No listing, no comparison, no status: what the writing takes by itself on this machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any

from bench.concurrency import at_most
from kamaji_core.api.labels import FIELD_OWNER
from kamaji_core.kube import ApiError
from kamaji_core.soot.kinds import Kinds
from kamaji_core.soot.wanted import Wanted, intent, key_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kamaji_core.kube import KubeClient

PROBE_PAUSE = 0.1
"""Seconds between two questions whether an API server is ready; what is measured from the answer is as uncertain."""

_PROBE_LIMIT = 1.0
_AT_ONCE = 8
_REFUSING_LIMIT = 30.0


async def until_ready(client: KubeClient) -> None:
    """Ask an API server until it says that it is ready, without end."""
    while True:
        with contextlib.suppress(ApiError):
            await client.raw("/readyz", _PROBE_LIMIT)
            return
        await asyncio.sleep(PROBE_PAUSE)


async def write(client: KubeClient, wanted: Iterable[Wanted]) -> None:
    """Apply all objects, in the form and under the field manager of the operator.

    What a server that just started refuses is sent again: it may be ready before it has made its namespaces.

    Raises:
        ExceptionGroup: of what it goes on refusing.
    """
    kinds = Kinds(client)

    async def apply(manifest: dict[str, Any]) -> None:
        key = key_of(manifest)
        resource = await kinds.resource(key.api_version, key.kind)
        deadline = time.monotonic() + _REFUSING_LIMIT
        while True:
            try:
                await client.apply(resource, manifest, field_manager=FIELD_OWNER)
            except ApiError:
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(PROBE_PAUSE)
            else:
                return

    await at_most(_AT_ONCE, apply, [intent(one, None).manifest for one in wanted])
