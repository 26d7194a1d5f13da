"""pytest fixtures of real servers: `pytest_plugins = ["kamaji_core.testing.fixtures"]` in a conftest.

The servers' are synchronous and live as long as the test session, so that tests with event loops of their own share one
server; a test that changes what others rely on starts its own with the context managers of `kamaji_core.testing`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from kamaji_core.testing.apiserver import ApiServer
from kamaji_core.testing.etcd import EtcdServer
from kamaji_core.testing.fault_proxy import FaultProxy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


@pytest.fixture(scope="session")
def api_server() -> Iterator[ApiServer]:
    """A kube-apiserver with its own etcd; `.kubeconfig` is an administrator's."""
    with ApiServer() as server:
        yield server


@pytest.fixture(scope="session")
def etcd_server() -> Iterator[EtcdServer]:
    """A tenants' store: an etcd with TLS, client certificates and authentication."""
    with EtcdServer(tls=True) as server:
        yield server


@pytest_asyncio.fixture
async def fault_proxy(api_server: ApiServer) -> AsyncIterator[FaultProxy]:
    """A proxy in front of `api_server`, new for each test, in the test's own event loop; see `FaultProxy.add`."""
    async with FaultProxy(api_server.kubeconfig) as proxy:
        yield proxy
