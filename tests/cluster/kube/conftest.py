"""A client of the real API server, and a namespace of its own for each test."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from kamaji_core.kube import NAMESPACES, ClusterConfig, KubeClient, config_from_kubeconfig

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from kamaji_core.testing import ApiServer


@pytest.fixture
def config(api_server: ApiServer) -> ClusterConfig:
    """How to reach the server as its administrator."""
    return config_from_kubeconfig(api_server.kubeconfig)


@pytest.fixture
async def client(config: ClusterConfig) -> AsyncIterator[KubeClient]:
    """An administrator's client."""
    async with KubeClient(config) as client:
        yield client


@pytest.fixture
async def namespace(client: KubeClient) -> str:
    """A new namespace; without controllers nothing would empty a deleted one, so it stays."""
    name = f"test-{uuid.uuid4().hex[:10]}"
    await client.create(NAMESPACES, {"metadata": {"name": name}})
    return name
