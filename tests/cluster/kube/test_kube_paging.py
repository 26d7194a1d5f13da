"""Lists are complete, of one moment and as they were selected, in any number of pages."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from kamaji_core.kube import CONFIG_MAPS, KubeClient, Listing

pytestmark = pytest.mark.real


def names(listing: Listing) -> list[str]:
    """The names of a list's items."""
    return [msgspec.json.decode(item)["metadata"]["name"] for item in listing.items]


@pytest.fixture
async def seven(client: KubeClient, namespace: str) -> list[str]:
    """Seven ConfigMaps, every second one of them labelled."""
    wanted = [f"c{number}" for number in range(7)]
    for number, name in enumerate(wanted):
        labels = {"parity": "odd" if number % 2 else "even"}
        await client.create(CONFIG_MAPS, {"metadata": {"namespace": namespace, "name": name, "labels": labels}})
    return wanted


@pytest.mark.parametrize("page", [0, 1, 3, 7, 500])
async def test_every_page_size_gives_all(client: KubeClient, namespace: str, seven: list[str], page: int) -> None:
    """However many pages it takes, everything is there once."""
    assert names(await client.list(CONFIG_MAPS, namespace, page=page)) == seven


async def test_selectors(client: KubeClient, namespace: str, seven: list[str]) -> None:
    """Labels, expressions over them, and fields select."""
    assert names(await client.list(CONFIG_MAPS, namespace, label_selector="parity=odd", page=2)) == ["c1", "c3", "c5"]
    assert names(await client.list(CONFIG_MAPS, namespace, label_selector="parity notin (odd,x)")) == seven[::2]
    assert names(await client.list(CONFIG_MAPS, namespace, field_selector="metadata.name=c4")) == ["c4"]


async def test_all_namespaces(client: KubeClient, namespace: str, seven: list[str]) -> None:
    """Without a namespace the list is over all of them."""
    assert set(seven) <= set(names(await client.list(CONFIG_MAPS)))


async def test_nothing_is_an_empty_list(client: KubeClient, namespace: str) -> None:
    """An empty collection has a version to watch from all the same."""
    listing = await client.list(CONFIG_MAPS, namespace)
    assert listing.items == []
    assert int(listing.resource_version) > 0


async def test_pages_are_of_one_moment(client: KubeClient, namespace: str, seven: list[str]) -> None:
    """What changes between two pages is not in the second, and a watch from the list's version tells of it."""
    pages = client.pages(CONFIG_MAPS, namespace, page=4)
    first = await anext(pages)
    await client.delete(CONFIG_MAPS, "c6", namespace)
    await client.create(CONFIG_MAPS, {"metadata": {"namespace": namespace, "name": "c9"}})
    second = await anext(pages)
    assert names(first) + names(second) == seven
    assert first.resource_version == second.resource_version
    watch = client.watch(CONFIG_MAPS, namespace, resource_version=second.resource_version)
    async with asyncio.timeout(10):
        events = [(event := await anext(watch)).type + names(Listing([event.object], ""))[0] for _ in range(2)]
    assert events == ["DELETEDc6", "ADDEDc9"]
    await watch.aclose()
    await pages.aclose()
