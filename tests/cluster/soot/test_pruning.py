"""What add-ons do not want any more goes, of whatever kind, whoever was stopped when, and at no cost meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kamaji_core.kube import (
    CONFIG_MAPS,
    CUSTOM_RESOURCE_DEFINITIONS,
    SECRETS,
    KubeClient,
    NotFoundError,
    Resource,
)
from kamaji_core.testing import FaultProxy, Refuse

from .strangers import ON, Stranger, definition, named

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from kamaji_core.testing import ApiServer

pytestmark = pytest.mark.real

BUDGETS = Resource("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget")
POLICIES = Resource("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy")
WIDGETS = Resource("example.org", "v1", "widgets", "Widget")
RECORD = "kamaji-addon-kinds"
METADATA = "PartialObjectMetadataList"


SECRET = named("v1", "Secret", data={"password": "c2VjcmV0"})
BUDGET = named("policy/v1", "PodDisruptionBudget", spec={"minAvailable": 1, "selector": {"matchLabels": {"a": "b"}}})
POLICY = named("networking.k8s.io/v1", "NetworkPolicy", spec={"podSelector": {}, "policyTypes": ["Ingress"]})
WIDGET = named("example.org/v1", "Widget", spec={"size": 1})


async def exists(client: KubeClient, resource: Resource, name: str = "stranger") -> bool:
    """Whether an object is there."""
    try:
        await client.get(resource, name, "kube-system" if resource.namespaced else None)
    except NotFoundError:
        return False
    return True


async def kinds(client: KubeClient) -> set[str]:
    """What stands in the record; nothing where there is none."""
    try:
        record = await client.get(CONFIG_MAPS, RECORD, "kube-system")
    except NotFoundError:
        return set()
    return set(record["data"])


@pytest.fixture(autouse=True)
async def clean(follow: Any) -> AsyncIterator[None]:
    """Have the add-on off, and all of it gone, whatever a test left."""
    yield
    stranger = Stranger()
    for _ in range(2):
        async with follow(brought={"stranger": stranger}):
            pass


async def test_an_addon_that_is_turned_off_goes_whole(follow: Any, until: Any, client: KubeClient) -> None:
    """Of every kind, and the note of its kinds with it."""
    stranger = Stranger(definition("Widget", "v1"), SECRET, BUDGET, POLICY, WIDGET)
    async with follow(brought={"stranger": stranger}, **ON) as course:
        await until(lambda: course.state.addons.ok, "the definition to be served and all to be made")
        assert await exists(client, WIDGETS)
        assert await kinds(client) == {
            "CustomResourceDefinition.apiextensions.k8s.io",
            "NetworkPolicy.networking.k8s.io",
            "PodDisruptionBudget.policy",
            "Secret",
            "Widget.example.org",
        }
        course.change(addons={})
        await until(lambda: course.state.addons is None, "the add-on to go")
        for resource in (SECRETS, BUDGETS, POLICIES):
            assert not await exists(client, resource), resource
        await until(lambda: is_gone(client), "the definition to be gone")
        course.change()
        await until(lambda: course.state.generation == course.generation, "the next look")
        assert not await exists(client, CONFIG_MAPS, RECORD)
        writes = len(course.writes)
        course.change()
        await until(lambda: course.state.generation == course.generation, "one more look")
        assert len(course.writes) == writes


async def is_gone(client: KubeClient) -> bool:
    """Whether widgets are not defined any more."""
    return not await exists(client, CUSTOM_RESOURCE_DEFINITIONS, "widgets.example.org")


async def test_what_was_turned_off_while_nobody_looked_goes(follow: Any, client: KubeClient) -> None:
    """A new session knows nothing but what the cluster tells it; of a Secret it reads the metadata alone."""
    stranger = Stranger(SECRET, BUDGET)
    async with follow(brought={"stranger": stranger}, **ON):
        assert await exists(client, SECRETS)
    async with follow(brought={"stranger": stranger}) as course:
        assert not await exists(client, SECRETS)
        assert not await exists(client, BUDGETS)
        assert all(METADATA in one.accept for one in course.reads if "/secrets" in one.path)
        assert await kinds(client) == {"Secret", "PodDisruptionBudget.policy"}  # until they are seen to be gone


async def test_what_a_newer_version_does_not_want_goes(follow: Any, client: KubeClient) -> None:
    """An add-on that is on and stopped wanting a kind."""
    async with follow(brought={"stranger": Stranger(SECRET, BUDGET)}, **ON):
        pass
    async with follow(brought={"stranger": Stranger(SECRET)}, **ON):
        assert await exists(client, SECRETS)
        assert not await exists(client, BUDGETS)


async def test_nothing_is_written_or_asked_besides(follow: Any) -> None:
    """While nothing changes, the record costs no request."""
    async with follow(brought={"stranger": Stranger(SECRET)}, **ON):
        pass
    async with follow(brought={"stranger": Stranger(SECRET)}, **ON) as course:
        asked = [one.path for one in course.reads if not one.is_watch]
        assert course.writes == []
        assert not [path for path in asked if RECORD in path]
        assert len(set(asked)) == 11  # readiness, nine usual kinds, Secrets
        assert len(asked) <= 12  # the watch of ConfigMaps begins with a listing of its own


async def test_what_is_left_by_an_addon_that_fails_or_that_nobody_brings_stays(follow: Any, client: KubeClient) -> None:
    """And stays noted, so that it goes when the add-on says so."""
    stranger = Stranger(SECRET)
    async with follow(brought={"stranger": stranger}, **ON):
        pass
    async with follow() as course:
        assert course.state.addons is None
    stranger.manifests = [{}]
    async with follow(brought={"stranger": stranger}, **ON) as course:
        assert course.state.addons.reason == "AddonFailed"
    assert await exists(client, SECRETS)
    async with follow(brought={"stranger": stranger}):
        assert not await exists(client, SECRETS)


async def test_nothing_is_made_that_could_not_be_found_again(
    follow: Any, until: Any, client: KubeClient, tenant_server: ApiServer
) -> None:
    """While the record is refused, objects of unusual kinds wait for it, and say so."""
    async with FaultProxy(tenant_server.kubeconfig) as proxy:
        proxy.add(Refuse(403, "Forbidden"), verbs={"create"}, path="*/configmaps")
        async with follow(proxy.config, brought={"stranger": Stranger(SECRET)}, **ON) as course:
            assert (course.state.addons.ok, course.state.addons.reason) == (False, "ObjectsRefused")
            assert RECORD in course.state.addons.sentence
            assert course.state.bootstrapped.ok
            assert not await exists(client, SECRETS)
            proxy.clear()
            await until(lambda: course.state.addons.ok, "it to heal")
        assert await exists(client, SECRETS)


async def test_a_record_that_somebody_removed_comes_back(follow: Any, until: Any, client: KubeClient) -> None:
    """At once, so that it is there when an add-on is turned off; also where only our label was taken off."""
    stranger = Stranger(SECRET)
    async with follow(brought={"stranger": stranger}, **ON) as course:
        await client.delete(CONFIG_MAPS, RECORD, "kube-system")
        await until(lambda: exists(client, CONFIG_MAPS, RECORD), "it to be back")
        label = {"metadata": {"labels": {"kamaji.clastix.io/project": None}}}
        await client.merge_patch(CONFIG_MAPS, RECORD, label, "kube-system")

        async def is_back() -> bool:
            return bool((await client.get(CONFIG_MAPS, RECORD, "kube-system"))["metadata"].get("labels"))

        await until(is_back, "its label to be back")
        assert course.state.addons.ok


async def test_a_kind_that_is_served_in_another_version_is_found(follow: Any, client: KubeClient) -> None:
    """The record may be older than the server."""
    async with follow(brought={"stranger": Stranger(BUDGET)}, **ON):
        pass
    old = {"data": {"PodDisruptionBudget.policy": "v1beta1"}}
    await client.merge_patch(CONFIG_MAPS, RECORD, old, "kube-system")
    async with follow(brought={"stranger": Stranger()}):
        assert not await exists(client, BUDGETS)


async def test_one_kind_in_two_versions_is_no_stray(follow: Any, until: Any, client: KubeClient) -> None:
    """An object that is wanted in one version shows up in the listing of the other one too."""
    other = named("example.org/v2", "Widget", "other")
    stranger = Stranger(definition("Widget", "v1", "v2"), WIDGET, other)
    async with follow(brought={"stranger": stranger}, **ON) as course:
        await until(lambda: course.state.addons.ok, "all to be made")
        made = await client.get(WIDGETS, "stranger", "kube-system")
    async with follow(brought={"stranger": stranger}, **ON) as course:
        assert course.writes == []
    assert (await client.get(WIDGETS, "stranger", "kube-system"))["metadata"]["uid"] == made["metadata"]["uid"]


async def test_a_kind_that_cannot_be_listed_is_its_own_trouble(
    follow: Any, until: Any, client: KubeClient, tenant_server: ApiServer
) -> None:
    """As those of a server behind the tenant's that is down: wanted or left, all else is looked after."""
    stranger = Stranger(SECRET, BUDGET)
    async with FaultProxy(tenant_server.kubeconfig) as proxy:
        proxy.add(Refuse(503, "ServiceUnavailable"), path="*/poddisruptionbudgets*")
        async with follow(proxy.config, brought={"stranger": stranger}, **ON) as course:
            assert course.state.bootstrapped.ok
            assert course.state.addons.reason == "ObjectsRefused"
            assert await exists(client, SECRETS)
            course.change(addons={})
            await until(lambda: course.state.generation == course.generation, "the add-on to be turned off")
            assert not await exists(client, SECRETS)
            assert "poddisruptionbudgets" in course.state.addons.sentence
            proxy.clear()
            await until(lambda: course.state.addons is None, "it to heal")


@pytest.mark.parametrize(
    "data",
    [
        {"Nothing.example.com": "v1", "Gone.policy": "v1", "Nothing": "v1"},
        {"PodDisruptionBudget.policy": "../..", "x": "?", "x..y": "v1"},
        {f"Kind{number}.example.com": "v1" for number in range(1000)},
    ],
    ids=["unknown", "garbage", "many"],
)
async def test_what_somebody_wrote_into_the_record_is_cleared_away(
    follow: Any, client: KubeClient, data: dict[str, str]
) -> None:
    """Few requests are made of it, and none but for kinds."""
    labels = {"kamaji.clastix.io/project": "kamaji"}
    await client.create(
        CONFIG_MAPS,
        named("v1", "ConfigMap", RECORD, data=data)
        | {"metadata": {"name": RECORD, "namespace": "kube-system", "labels": labels}},
    )
    async with follow() as course:
        assert course.state.bootstrapped.ok
        assert all(".." not in one.path and "?" not in one.path for one in course.reads)
        assert len(course.reads) < 160
    assert not await exists(client, CONFIG_MAPS, RECORD)
