"""Write limits hold for the tenant's users alone, come back when somebody removes them, and go without a trace."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest

from kamaji_core.kube import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    LEASES,
    ApiError,
    KubeClient,
    NotFoundError,
    Resource,
    config_from_kubeconfig,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from kamaji_core.testing import ApiServer

pytestmark = pytest.mark.real

ADMISSION = "admissionregistration.k8s.io"
POLICIES = Resource(ADMISSION, "v1", "validatingadmissionpolicies", "ValidatingAdmissionPolicy", namespaced=False)
BINDINGS = Resource(
    ADMISSION, "v1", "validatingadmissionpolicybindings", "ValidatingAdmissionPolicyBinding", namespaced=False
)
REVIEWS = Resource("authentication.k8s.io", "v1", "tokenreviews", "TokenReview", namespaced=False)
NAME = "kamaji-write-permissions"
ALL = {"blockCreation": True, "blockUpdate": True, "blockDeletion": True}


@pytest.fixture
def as_user(tenant_server: ApiServer) -> Callable[..., KubeClient]:
    """A client of somebody, who may do everything as far as rules go."""

    def client(user: str, *groups: str) -> KubeClient:
        kubeconfig = tenant_server.issue_kubeconfig(user, *(groups or ("system:masters",)))
        return KubeClient(config_from_kubeconfig(kubeconfig), user_agent="somebody/1")

    return client


@pytest.fixture
async def limited(follow: Any, tenant_server: ApiServer, as_user: Any, until: Any) -> AsyncIterator[Callable[..., Any]]:
    """Run a session with the operator's own identity under limits; at their end nobody is limited."""
    config = config_from_kubeconfig(tenant_server.issue_kubeconfig("kubernetes-super-admin", "system:masters"))

    @contextlib.asynccontextmanager
    async def run(**limits: bool) -> AsyncIterator[Any]:
        async with follow(config=config, writePermissions=limits) as course:
            yield course
        async with follow(config=config), as_user("jane") as jane:

            async def is_free() -> bool:
                return not await refused(jane.apply(CONFIG_MAPS, config_map("free"), field_manager="jane"))

            await until(is_free, "the limits to be lifted")
            await until(is_gone_from(jane, "free"), "deletions to be free")

    return run


def is_gone_from(user: KubeClient, name: str) -> Callable[[], Awaitable[bool]]:
    """Whether a ConfigMap could be deleted."""

    async def ask() -> bool:
        return not await refused(user.delete(CONFIG_MAPS, name, "default"))

    return ask


async def refused(call: Awaitable[Any]) -> str:
    """The server's words when it refuses, nothing when it does not."""
    try:
        await call
    except ApiError as error:
        return str(error)
    return ""


def config_map(name: str) -> dict[str, Any]:
    """Something to write."""
    return {"metadata": {"name": name, "namespace": "default"}, "data": {"a": "b"}}


async def forbids(user: KubeClient, until: Any) -> str:
    """Wait until a new object is refused, and give the words: the server learns of a policy a moment later."""
    words: list[str] = []

    async def is_refused() -> bool:
        words.append(await refused(user.create(CONFIG_MAPS, config_map("anything"), dry_run=True)))
        return bool(words[-1])

    await until(is_refused, "the limit to hold")
    return words[-1]


async def test_a_user_is_told_who_limits_and_why(limited: Any, as_user: Any, until: Any) -> None:
    """In the words of the refusal, whoever administers the tenant."""
    async with limited(blockCreation=True), as_user("jane") as jane:
        words = await forbids(jane, until)
        assert "does not allow creating objects at present (spec.writePermissions" in words


async def test_each_operation_by_itself(limited: Any, as_user: Any, until: Any, client: KubeClient) -> None:
    """What is not blocked goes on; scaling is an update, an eviction a deletion."""
    await client.apply(CONFIG_MAPS, config_map("old"), field_manager="administrator")
    deployment = {
        "metadata": {"name": "old", "namespace": "default"},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"a": "b"}},
            "template": {
                "metadata": {"labels": {"a": "b"}},
                "spec": {"containers": [{"name": "a", "image": "a"}]},
            },
        },
    }
    await client.apply(DEPLOYMENTS, deployment, field_manager="administrator")
    async with limited(blockUpdate=True), as_user("jane") as jane:

        async def update_refused() -> bool:
            return bool(await refused(jane.merge_patch(CONFIG_MAPS, "old", {"data": {"a": "c"}}, "default")))

        await until(update_refused, "updates to be refused")
        scaled = jane.merge_patch(DEPLOYMENTS, "old", {"spec": {"replicas": 2}}, "default", subresource="scale")
        assert "does not allow updating" in await refused(scaled)
        assert await refused(jane.create(CONFIG_MAPS, config_map("new"))) == ""
        assert await refused(jane.delete(CONFIG_MAPS, "new", "default")) == ""
    async with limited(blockDeletion=True), as_user("jane") as jane:

        async def deletion_refused() -> bool:
            with contextlib.suppress(NotFoundError):
                await jane.create(CONFIG_MAPS, config_map("doomed"))
            return bool(await refused(jane.delete(CONFIG_MAPS, "doomed", "default")))

        await until(deletion_refused, "deletions to be refused")
        assert await refused(jane.merge_patch(CONFIG_MAPS, "old", {"data": {"a": "d"}}, "default")) == ""


async def test_the_cluster_goes_on(limited: Any, as_user: Any, until: Any) -> None:
    """Nodes, the control plane, its controllers and the operator write; questions and Leases are everybody's."""
    async with limited(**ALL) as course, as_user("jane") as jane:
        await forbids(jane, until)
        for user in ("system:kube-controller-manager", "system:serviceaccount:kube-system:job-controller"):
            async with as_user(user) as one:
                assert await refused(one.create(CONFIG_MAPS, config_map("theirs"), dry_run=True)) == ""
        async with as_user("system:node:n", "system:masters", "system:nodes") as node:
            assert await refused(node.create(CONFIG_MAPS, config_map("theirs"), dry_run=True)) == ""
        review = {"metadata": {}, "spec": {"token": "nothing"}}
        assert await refused(jane.create(REVIEWS, review)) == ""
        lease = {"metadata": {"name": "theirs", "namespace": "default"}, "spec": {"holderIdentity": "a"}}
        assert await refused(jane.create(LEASES, lease, dry_run=True)) == ""
        assert course.state.bootstrapped.ok


async def test_it_comes_back_when_the_administrator_removes_it(
    limited: Any, as_user: Any, until: Any, client: KubeClient
) -> None:
    """Whichever of the two objects."""
    async with limited(**ALL), as_user("jane") as jane:
        await forbids(jane, until)
        for resource in (POLICIES, BINDINGS):
            uid = (await client.get(resource, NAME))["metadata"]["uid"]
            await client.delete(resource, NAME)

            async def is_back(resource: Resource = resource, uid: str = uid) -> bool:
                with contextlib.suppress(NotFoundError):
                    return bool((await client.get(resource, NAME))["metadata"]["uid"] != uid)
                return False

            await until(is_back, f"the {resource.kind}")
        await forbids(jane, until)


async def test_lifted_limits_leave_nothing(limited: Any, until: Any, client: KubeClient) -> None:
    """Neither the policy nor what puts it into force nor a note of their kinds; and nothing is written twice."""
    async with limited(**ALL) as course:
        before = len(course.writes)
        course.session.poke()
        await until(lambda: len(course.states) > 1, "another look")
        assert len(course.writes) == before
        course.change(writePermissions={})

        async def are_gone() -> bool:
            left = [await client.list(resource) for resource in (POLICIES, BINDINGS)]
            record = await client.list(CONFIG_MAPS, "kube-system", field_selector="metadata.name=kamaji-addon-kinds")
            return not any(listing.items for listing in (*left, record))

        await until(are_gone, "all of it to be gone")
