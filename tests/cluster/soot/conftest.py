"""A session in a real API server that plays a tenant's, with every request counted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kamaji_core.kube import ClusterConfig, KubeClient, config_from_kubeconfig
from kamaji_core.plugins import load_plugins
from kamaji_core.testing import ApiServer, until
from kamaji_core.testing.cluster_course import ClusterCourse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

    from kamaji_core.contracts import Addon


@pytest.fixture(scope="session")
def tenant_server() -> Any:
    """An API server of the session's own; nobody else's objects are in it."""
    with ApiServer() as server:
        yield server


@pytest.fixture
async def client(tenant_server: ApiServer) -> AsyncIterator[KubeClient]:
    """The tenant's administrator."""
    async with KubeClient(config_from_kubeconfig(tenant_server.kubeconfig), user_agent="administrator/1") as client:
        yield client


@pytest.fixture
def follow(tenant_server: ApiServer) -> Callable[..., AbstractAsyncContextManager[ClusterCourse]]:
    """Run a session with these settings; gives its course once it told for the first time."""

    def run(
        config: ClusterConfig | None = None, brought: dict[str, Addon] | None = None, **spec: Any
    ) -> AbstractAsyncContextManager[ClusterCourse]:
        addons = {**load_plugins().addons, **(brought or {})}
        course = ClusterCourse(config or config_from_kubeconfig(tenant_server.kubeconfig), spec, addons)
        return course.followed()

    return run


@pytest.fixture(name="until")
def until_fixture() -> Callable[..., Awaitable[None]]:
    """Wait for a condition, but not for ever."""
    return until
