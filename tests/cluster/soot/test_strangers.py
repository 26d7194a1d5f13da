"""What a stranger's add-on wants and the server cannot make sense of is that add-on's trouble alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kamaji_core.contracts import TenantObject
from kamaji_core.testing import FaultProxy, Refuse

from .strangers import ON, Stranger, definition, named

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kamaji_core.testing import ApiServer

pytestmark = pytest.mark.real


class Restarting(Stranger):
    """Its pods restart with a digest."""

    def tenant_objects(self, *_: object) -> Sequence[TenantObject]:
        """All of them."""
        return [TenantObject(manifest=one, restart_on_digest="d") for one in self.manifests]


class Watching(Stranger):
    """Its objects are put back at once."""

    def tenant_objects(self, *_: object) -> Sequence[TenantObject]:
        """All of them."""
        return [TenantObject(manifest=one, watch=True) for one in self.manifests]


@pytest.mark.parametrize(
    ("manifest", "reason"),
    [
        (named("apps/v1", "Deployment", spec={"template": None}), "ObjectsRefused"),
        (named("apps/v1", "Deployment", spec={"template": {}, "replicas": 1 << 70}), "ObjectsRefused"),
        (named("v1 ?", "Deployment", spec={"template": {}}), "ObjectsRefused"),
        (named("../v1", "Deployment", spec={"template": {}}), "ObjectsRefused"),
        ({**named("v1", "ConfigMap"), "apiVersion": 1}, "AddonFailed"),
        ({**named("v1", "ConfigMap"), "metadata": {"name": 1, "namespace": "kube-system"}}, "AddonFailed"),
    ],
    ids=["template", "number", "version", "path", "no-version", "no-name"],
)
async def test_a_manifest_that_makes_no_sense(follow: Any, manifest: dict[str, Any], reason: str) -> None:
    """All that others want is made."""
    async with follow(brought={"stranger": Restarting(manifest)}, **ON) as course:
        assert course.state.bootstrapped.ok
        assert course.state.addons.reason == reason


async def test_kinds_of_one_plural_are_watched_both(follow: Any, until: Any) -> None:
    """Such as the Services of Kubernetes and those of somebody else's group."""
    mine = named("example.org/v1", "Service", spec={})
    service = named("v1", "Service", spec={"ports": [{"port": 80}]})
    stranger = Watching(definition("Service", "v1"), mine, service)
    async with follow(brought={"stranger": stranger}, **ON) as course:
        await until(lambda: course.state.addons.ok, "all to be made")
        assert course.session.standing
    stranger = Stranger()
    async with follow(brought={"stranger": stranger}):
        pass
    async with follow(brought={"stranger": stranger}):
        pass


async def test_a_group_that_is_not_served_for_now(follow: Any, until: Any, tenant_server: ApiServer) -> None:
    """Its objects wait, watched or not, and all else is looked after."""
    budget = named("policy/v1", "PodDisruptionBudget", spec={"minAvailable": 1})
    async with FaultProxy(tenant_server.kubeconfig) as proxy:
        proxy.add(Refuse(503, "ServiceUnavailable"), path="/apis/policy/v1")
        async with follow(proxy.config, brought={"stranger": Watching(budget)}, **ON) as course:
            assert course.state.bootstrapped.ok
            assert course.state.addons.reason == "ObjectsRefused"
            proxy.clear()
            await until(lambda: course.state.addons.ok, "it to heal")
    async with follow(brought={"stranger": Stranger()}):
        pass


async def test_a_session_whose_plan_fails_goes_on(follow: Any, until: Any) -> None:
    """A mistake of ours costs a tenant time, not its session."""
    async with follow() as course:
        planned = course.session._plan
        failures = 0

        def fails() -> Any:
            nonlocal failures
            failures += 1
            raise KeyError("a mistake")

        course.session._plan = fails
        course.session.poke()
        await until(lambda: failures >= 3, "it to be tried again")
        course.session._plan = planned
        course.change()
        await until(lambda: course.state.generation == course.generation, "it to heal")
