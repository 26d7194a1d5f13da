"""Both CustomResourceDefinitions, installed once into the session's kube-apiserver."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from kamaji_core.api.crds import crd_manifests
from kamaji_core.kube import CUSTOM_RESOURCE_DEFINITIONS, KubeClient, NotFoundError, Resource, config_from_kubeconfig
from kamaji_core.testing import ApiServer

INSTALL_LIMIT_SECONDS = 30.0
LOOK_AGAIN_SECONDS = 0.05


@pytest.fixture(scope="session")
def definitions(api_server: ApiServer) -> ApiServer:
    """The API server once it serves our resources."""
    asyncio.run(_install(api_server.kubeconfig))
    return api_server


@pytest.fixture
async def client(definitions: ApiServer) -> AsyncIterator[KubeClient]:
    """An administrator's client of an API server that serves our resources."""
    async with KubeClient(config_from_kubeconfig(definitions.kubeconfig)) as client:
        yield client


async def _install(kubeconfig: bytes) -> None:
    async with asyncio.timeout(INSTALL_LIMIT_SECONDS), KubeClient(config_from_kubeconfig(kubeconfig)) as client:
        for definition in crd_manifests():
            await client.apply(CUSTOM_RESOURCE_DEFINITIONS, definition)
        for definition in crd_manifests():
            await _served(client, definition["spec"]["group"], definition["spec"]["names"])


async def _served(client: KubeClient, group: str, names: dict[str, str]) -> None:
    """Wait until the resource can be listed, which is a moment after its definition is established."""
    resource = Resource(group, "v1alpha1", names["plural"], names["kind"])
    while True:
        try:
            await client.list(resource)
        except NotFoundError:
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
        else:
            return
