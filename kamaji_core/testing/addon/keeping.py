"""What the operator does with an add-on's objects in a real cluster: made, kept, left to users, and gone with it."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from kamaji_core.kube import CONFIG_MAPS, ConflictError, KubeClient, NotFoundError, config_from_kubeconfig
from kamaji_core.soot.kinds import Kinds
from kamaji_core.soot.wanted import ObjectKey, key_of, parts_of_path
from kamaji_core.testing.cluster_course import ClusterCourse
from kamaji_core.testing.waiting import until

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractAsyncContextManager

    from kamaji_core.contracts import TenantObject
    from kamaji_core.testing.addon.bench import Bench
    from kamaji_core.testing.addon.under_test import AddonUnderTest, Settings
    from kamaji_core.testing.apiserver import ApiServer

WATCHED_SECONDS = 5.0
"""Within this time what is watched is back; on a machine that does nothing else it takes less than one."""

TENANTS_OWN = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "kit-tenants-own", "namespace": "kube-system"},
    "data": {"a": "b"},
}


@dataclass
class Cluster:
    """A tenant's cluster, and its administrator.

    Args:
        server: its API server.
        client: the administrator's.
        bench: the add-on.
    """

    server: ApiServer
    client: KubeClient
    bench: Bench

    def __post_init__(self) -> None:
        self.kinds = Kinds(self.client)

    def follow(self, settings: Settings | None) -> AbstractAsyncContextManager[ClusterCourse]:
        """Keep the cluster with the add-on alone: with these settings, or with the add-on off."""
        under_test = self.bench.under_test
        spec = under_test.off if settings is None else under_test.spec(settings)
        config = config_from_kubeconfig(self.server.kubeconfig)
        addons = {self.bench.addon.NAME: self.bench.addon}
        return ClusterCourse(config, {"addons": spec}, addons).followed()

    async def get(self, key: ObjectKey) -> dict[str, Any] | None:
        """An object as it is; None when it is not there."""
        resource = await self.kinds.resource(key.api_version, key.kind)
        try:
            return await self.client.get(resource, key.name, key.namespace or None)
        except NotFoundError:
            return None

    async def there(self, key: ObjectKey) -> bool:
        """Whether an object is there."""
        return await self.get(key) is not None

    async def delete(self, key: ObjectKey) -> None:
        """Delete an object, as the administrator may."""
        await self.client.delete(await self.kinds.resource(key.api_version, key.kind), key.name, key.namespace or None)

    async def take_over(self, key: ObjectKey, path: str) -> Any:
        """Set something else at a path, as the administrator may who writes the object whole; gives what was set."""
        while True:
            live = await self.get(key)
            assert live is not None, f"{key} is not there"
            value = _users_value(self.bench.under_test, live, path)
            try:
                await self.client.replace(
                    await self.kinds.resource(key.api_version, key.kind), _with(live, path, value)
                )
            except ConflictError:
                continue  # the session wrote in between
            return value

    def planned(self, course: ClusterCourse) -> list[TenantObject]:
        """What the add-on wants of the tenant that is followed."""
        return [one.object for addon in course.plan().addons for one in addon.objects]


class Keeping:
    """What becomes of the objects, in a real API server."""

    async def test_all_is_there_after_one_look(self, cluster: Cluster) -> None:
        """Each object in each set of settings, and the condition says so."""
        for settings in cluster.bench.all_settings:
            async with cluster.follow(settings) as course:
                assert course.state.addons is not None
                assert course.state.addons.ok, course.state.addons.sentence
                for one in cluster.planned(course):
                    assert await cluster.there(key_of(one.manifest)), f"{key_of(one.manifest)} is not there"

    async def test_a_second_look_writes_nothing(self, cluster: Cluster) -> None:
        """What the API server adds to an object is no difference, and the plan is the same."""
        for settings in cluster.bench.all_settings:
            async with cluster.follow(settings):
                pass
            async with cluster.follow(settings) as course:
                assert course.writes == []

    async def test_it_stands_in_the_status(self, cluster: Cluster) -> None:
        """Under its key."""
        async with cluster.follow(cluster.bench.under_test.ON) as course:
            assert set(course.state.statuses or {}) == {cluster.bench.under_test.key}

    async def test_what_is_watched_comes_back(self, cluster: Cluster) -> None:
        """Deleted by the tenant's administrator, it is there again at once."""
        async with cluster.follow(cluster.bench.under_test.ON) as course:
            for one in cluster.planned(course):
                if one.watch:
                    key = key_of(one.manifest)
                    await cluster.delete(key)
                    await until(partial(cluster.there, key), f"{key} to be back", seconds=WATCHED_SECONDS)

    async def test_what_users_take_over_stays(self, cluster: Cluster) -> None:
        """Each of the fields that may be theirs, also when the operator starts anew."""
        taken: dict[tuple[ObjectKey, str], Any] = {}
        async with cluster.follow(cluster.bench.under_test.ON) as course:
            for one in cluster.planned(course):
                for path in one.yield_fields:
                    key = key_of(one.manifest)
                    taken[key, path] = await cluster.take_over(key, path)
        async with cluster.follow(cluster.bench.under_test.ON) as course:
            assert course.state.addons is not None
            assert course.state.addons.ok, course.state.addons.sentence
        for (key, path), value in taken.items():
            live = await cluster.get(key)
            assert live is not None
            assert _at(live, path) == value, f"{key}: {path} was taken back from its user"
        for key in {key for key, _ in taken}:
            await cluster.delete(key)

    async def test_what_other_settings_want_goes_with_them(self, cluster: Cluster) -> None:
        """Nothing stays of what is not wanted any more."""
        for settings in cluster.bench.under_test.OTHER:
            async with cluster.follow(settings) as course:
                before = {key_of(one.manifest) for one in cluster.planned(course)}
            async with cluster.follow(cluster.bench.under_test.ON) as course:
                left = before - {key_of(one.manifest) for one in cluster.planned(course)}
                for key in left:
                    assert not await cluster.there(key), f"{key} stays though nobody wants it"

    async def test_turned_off_it_leaves_nothing(self, cluster: Cluster) -> None:
        """And takes nothing with it that is somebody else's."""
        own = key_of(TENANTS_OWN)
        if not await cluster.there(own):
            await cluster.client.create(CONFIG_MAPS, copy.deepcopy(TENANTS_OWN))
        for settings in cluster.bench.all_settings:
            async with cluster.follow(settings) as course:
                keys = [key_of(one.manifest) for one in cluster.planned(course)]
            async with cluster.follow(None) as course:
                assert course.state.addons is None, "it is still told of"
                for key in keys:
                    await until(partial(_gone, cluster, key), f"{key} to be gone")
            assert await cluster.there(own), "it took with it what the tenant has made"

    async def test_it_needs_no_other_addon(self, cluster: Cluster) -> None:
        """All of its objects are taken by a cluster in which it is alone."""
        async with cluster.follow(None):
            pass
        async with cluster.follow(cluster.bench.under_test.ON) as course:
            (addon,) = course.plan().addons
            assert addon.problem == ""
            assert course.state.addons is not None
            assert course.state.addons.ok, course.state.addons.sentence


async def _gone(cluster: Cluster, key: ObjectKey) -> bool:
    return not await cluster.there(key)


def _users_value(under_test: AddonUnderTest, live: Mapping[str, Any], path: str) -> Any:
    """What a user sets at a path: another number, another text, less of a list."""
    if path in under_test.TAKEN_OVER:
        return under_test.TAKEN_OVER[path]
    there = _at(live, path)
    if isinstance(there, bool):
        return not there
    if isinstance(there, int):
        return there + 1
    if isinstance(there, str):
        return f"{there}\n# a user's own\n"
    if isinstance(there, list) and len(there) > 1:
        return there[:-1]  # an empty one would be nobody's
    pytest.fail(f"say in TAKEN_OVER what a user sets at {path}")


def _at(live: Any, path: str) -> Any:
    for part in parts_of_path(path):
        live = _inner(live, part)
    return {} if live is None else live


def _with(live: Mapping[str, Any], path: str, value: Any) -> dict[str, Any]:
    """An object with another value at a path."""
    changed = copy.deepcopy(dict(live))
    *way, last = parts_of_path(path)
    place: Any = changed
    for part in way:
        place = _inner(place, part)
    assert isinstance(last, str)
    place[last] = value
    return changed


def _inner(place: Any, part: str | dict[str, str]) -> Any:
    if isinstance(part, str):
        return (place or {}).get(part)
    return next((one for one in place or () if part.items() <= one.items()), None)
