"""One store's check from beginning to end: make the tenant, load its API server, take it away again."""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kamaji_core.check.load import LoadSettings, run_load
from kamaji_core.check.report import Measures
from kamaji_core.check.stand import CheckError, StandSettings, stand
from kamaji_core.kube import ApiError, ConfigError, KubeClient

if TYPE_CHECKING:
    from collections.abc import Callable

    from kamaji_core.check.load import Figures
    from kamaji_core.kube import ClusterConfig

AGENT = "kamaji-datastore-check/1"

WRITERS_EACH = 8
"""Writers that share a client, which sends no more requests at once."""

REQUEST_SECONDS = 60.0
"""For one request to the tenant: a list of all objects in one answer takes its time, and that is measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckSettings:
    """What is done to a store.

    Args:
        stand: the tenant that is made for it.
        load: what its API server is asked for.
    """

    stand: StandSettings
    load: LoadSettings


async def check_store(
    client: KubeClient, name: str, *, settings: CheckSettings, progress: Callable[[str], None]
) -> Measures:
    """Check one store; everything made for it is removed, whatever happens.

    Args:
        client: of the management cluster.
        name: of the DataStore.
        settings: what is done.
        progress: told what is going on, a sentence at a time.

    Returns:
        The figures; where there are none, the sentence that says why.
    """
    try:
        async with stand(client, name, settings=settings.stand, progress=progress) as made:
            figures = await _load(made.config, settings.load, lambda sentence: progress(f"{name}: {sentence}"))
            return Measures(datastore=name, driver=made.driver, seconds_to_ready=made.seconds_to_ready, load=figures)
    except (CheckError, ApiError, ConfigError) as error:
        return Measures(datastore=name, problem=str(error))


async def _load(config: ClusterConfig, settings: LoadSettings, progress: Callable[[str], None]) -> Figures:
    async with contextlib.AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(KubeClient(config, user_agent=AGENT, timeout=REQUEST_SECONDS))
            for _ in range(math.ceil(settings.writers / WRITERS_EACH))
        ]
        return await run_load(clients, settings, progress=progress)
