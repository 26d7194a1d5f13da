"""Every verb does on a real server what it promises, and every refusal is its type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from kamaji_core.kube import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    NAMESPACES,
    PODS,
    SECRETS,
    AlreadyExistsError,
    ConflictError,
    ForbiddenError,
    InvalidError,
    KubeClient,
    NotFoundError,
    Resource,
    ServerError,
    UnauthorizedError,
    config_from_kubeconfig,
)
from kamaji_core.kube.config import ClusterConfig

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from kamaji_core.testing import ApiServer

pytestmark = pytest.mark.real


@pytest.fixture
async def client(config: ClusterConfig, connect: Any) -> AsyncIterator[KubeClient]:
    """An administrator's client, over each transport."""
    async with connect(config) as client:
        yield client


def config_map(namespace: str, name: str = "a", **data: str) -> dict[str, Any]:
    """A ConfigMap."""
    return {"metadata": {"namespace": namespace, "name": name}, "data": data}


class Metadata(msgspec.Struct):
    """The part of metadata that a typed read takes."""

    name: str
    uid: str


class Typed(msgspec.Struct):
    """A ConfigMap, as far as a test reads it."""

    metadata: Metadata
    data: dict[str, str]


async def test_create_and_get(client: KubeClient, namespace: str) -> None:
    """What was created is given back as stored, and read as a dict or as a type; its manager is ours."""
    created = await client.create(CONFIG_MAPS, config_map(namespace, k="v"))
    assert created["data"] == {"k": "v"}
    assert [entry["manager"] for entry in created["metadata"]["managedFields"]] == ["kamaji"]
    assert await client.get(CONFIG_MAPS, "a", namespace) == created
    typed = await client.get(CONFIG_MAPS, "a", namespace, type=Typed)
    assert (typed.metadata.uid, typed.data) == (created["metadata"]["uid"], {"k": "v"})


async def test_a_dry_run_stores_nothing(client: KubeClient, namespace: str) -> None:
    """Everything is checked and nothing is there afterwards."""
    await client.create(CONFIG_MAPS, config_map(namespace), dry_run=True)
    with pytest.raises(InvalidError):
        await client.create(CONFIG_MAPS, config_map(namespace, name="Not A Name"), dry_run=True)
    with pytest.raises(NotFoundError):
        await client.get(CONFIG_MAPS, "a", namespace)


async def test_a_generated_name(client: KubeClient, namespace: str) -> None:
    """The server completes a name."""
    obj = {"metadata": {"namespace": namespace, "generateName": "a-"}}
    created = await client.create(CONFIG_MAPS, obj)
    assert created["metadata"]["name"].startswith("a-")


async def test_create_twice(client: KubeClient, namespace: str) -> None:
    """The second creation is refused, in a sentence that names the object."""
    await client.create(CONFIG_MAPS, config_map(namespace))
    with pytest.raises(AlreadyExistsError, match=f"Could not create ConfigMap {namespace}/a: .*already exists"):
        await client.create(CONFIG_MAPS, config_map(namespace))


async def test_apply_owns_exactly_what_it_holds(client: KubeClient, namespace: str) -> None:
    """Applying creates, changes, takes away what is no longer held, and leaves others' fields."""
    await client.apply(CONFIG_MAPS, config_map(namespace, ours="1", dropped="1"))
    await client.merge_patch(CONFIG_MAPS, "a", {"data": {"theirs": "1"}}, namespace)
    applied = await client.apply(CONFIG_MAPS, config_map(namespace, ours="2"))
    assert applied["data"] == {"ours": "2", "theirs": "1"}


async def test_the_same_apply_changes_nothing(client: KubeClient, namespace: str) -> None:
    """The second apply of the same object leaves its resourceVersion."""
    versions = {
        (await client.apply(CONFIG_MAPS, config_map(namespace, k="v")))["metadata"]["resourceVersion"] for _ in range(2)
    }
    assert len(versions) == 1


async def test_apply_without_force_respects_others(client: KubeClient, namespace: str) -> None:
    """A field that another manager owns is a conflict which names it; with force it becomes ours."""
    await client.apply(CONFIG_MAPS, config_map(namespace, k="theirs"), field_manager="them")
    with pytest.raises(ConflictError) as caught:
        await client.apply(CONFIG_MAPS, config_map(namespace, k="ours"), force=False)
    assert [(cause.reason, cause.field) for cause in caught.value.causes] == [("FieldManagerConflict", ".data.k")]
    assert (await client.apply(CONFIG_MAPS, config_map(namespace, k="ours")))["data"] == {"k": "ours"}


async def test_apply_to_a_subresource(client: KubeClient, namespace: str) -> None:
    """The status of an object is applied through its own address and nowhere else."""
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    spec = {"selector": {"matchLabels": {"a": "b"}}, "template": template}
    metadata = {"namespace": namespace, "name": "a"}
    await client.create(DEPLOYMENTS, {"metadata": metadata, "spec": spec})
    status = {"metadata": metadata, "status": {"replicas": 3}}
    applied = await client.apply(DEPLOYMENTS, status, subresource="status")
    assert applied["status"]["replicas"] == 3


async def test_replace_holds_to_the_version(client: KubeClient, namespace: str) -> None:
    """A replacement of what was read is taken once; a second one from the same reading is a conflict."""
    read = await client.create(CONFIG_MAPS, config_map(namespace, k="1"))
    replaced = await client.replace(CONFIG_MAPS, {**read, "data": {"other": "2"}})
    assert replaced["data"] == {"other": "2"}
    with pytest.raises(ConflictError):
        await client.replace(CONFIG_MAPS, {**read, "data": {"lost": "3"}})


async def test_merge_patch(client: KubeClient, namespace: str) -> None:
    """Fields are set and removed; a resourceVersion in the patch is a precondition."""
    created = await client.create(CONFIG_MAPS, config_map(namespace, a="1", b="1"))
    patched = await client.merge_patch(CONFIG_MAPS, "a", {"data": {"a": "2", "b": None}}, namespace)
    assert patched["data"] == {"a": "2"}
    stale = {"metadata": {"resourceVersion": created["metadata"]["resourceVersion"]}, "data": {"a": "3"}}
    with pytest.raises(ConflictError):
        await client.merge_patch(CONFIG_MAPS, "a", stale, namespace)


async def test_json_patch(client: KubeClient, namespace: str) -> None:
    """Operations are carried out together, or none of them when a test fails."""
    await client.create(CONFIG_MAPS, config_map(namespace, k="1"))
    test = {"op": "test", "path": "/data/k", "value": "1"}
    change = {"op": "replace", "path": "/data/k", "value": "2"}
    assert (await client.json_patch(CONFIG_MAPS, "a", [test, change], namespace))["data"] == {"k": "2"}
    with pytest.raises(InvalidError):
        await client.json_patch(CONFIG_MAPS, "a", [test, change], namespace)


async def test_delete(client: KubeClient, namespace: str) -> None:
    """A deletion for another incarnation is refused, one for this is carried out, one more finds nothing."""
    created = await client.create(CONFIG_MAPS, config_map(namespace))
    with pytest.raises(ConflictError):
        await client.delete(CONFIG_MAPS, "a", namespace, uid="another")
    await client.delete(CONFIG_MAPS, "a", namespace, uid=created["metadata"]["uid"])
    with pytest.raises(NotFoundError):
        await client.delete(CONFIG_MAPS, "a", namespace)


async def test_delete_in_the_foreground(client: KubeClient, namespace: str) -> None:
    """The way of deletion reaches the server: in the foreground the owner waits for what it owns."""
    await client.create(CONFIG_MAPS, config_map(namespace))
    await client.delete(CONFIG_MAPS, "a", namespace, propagation="Foreground")
    waiting = await client.get(CONFIG_MAPS, "a", namespace)
    assert waiting["metadata"]["finalizers"] == ["foregroundDeletion"]


async def test_cluster_scope(client: KubeClient, namespace: str) -> None:
    """Objects without a namespace are read at their own address."""
    assert (await client.get(NAMESPACES, namespace))["metadata"]["name"] == namespace


async def test_names_that_need_quoting(client: KubeClient) -> None:
    """A name with a colon, as RBAC has them, arrives as it is."""
    roles = Resource("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", namespaced=False)
    assert (await client.get(roles, "system:node"))["metadata"]["name"] == "system:node"


async def test_raw(client: KubeClient) -> None:
    """Addresses outside of any resource are read, with a query where there is one."""
    assert msgspec.json.decode(await client.raw("/version"))["major"] == "1"
    assert b"readyz check passed" in await client.raw("/readyz?verbose")
    with pytest.raises(NotFoundError):
        await client.raw("/nowhere")


async def test_an_unknown_kind(client: KubeClient, namespace: str) -> None:
    """A kind whose definition is not installed is not found, in a sentence that says where to look."""
    with pytest.raises(NotFoundError, match="CustomResourceDefinition"):
        await client.get(Resource("kamaji.example", "v1", "things", "Thing"), "a", namespace)


async def test_invalid_objects_name_their_fields(client: KubeClient, namespace: str) -> None:
    """A refusal by the server's rules carries the fields."""
    with pytest.raises(InvalidError) as caught:
        await client.create(PODS, {"metadata": {"namespace": namespace, "name": "a"}, "spec": {"containers": []}})
    assert "spec.containers" in [cause.field for cause in caught.value.causes]


async def test_a_refused_secret_is_not_quoted(client: KubeClient, namespace: str) -> None:
    """Whatever is wrong with a Secret, its data is not in the error; the server itself would quote it."""
    password = "hunter2-hunter2"
    wrong: list[dict[str, Any]] = [
        {"data": {"k": password}},
        {"data": {"k": {"nested": password}}},
        {"stringData": password},
    ]
    for content in wrong:
        for write in (client.create, client.apply):
            with pytest.raises((InvalidError, ServerError)) as caught:
                await write(SECRETS, {"metadata": {"namespace": namespace, "name": "a"}, **content})
            assert password not in f"{caught.value} {caught.value.message} {caught.value.causes}"


async def test_who_may_not_is_told_so(api_server: ApiServer, namespace: str) -> None:
    """A known user without rights is forbidden."""
    async with KubeClient(config_from_kubeconfig(api_server.issue_kubeconfig("nobody"))) as nobody:
        with pytest.raises(ForbiddenError, match="Grant this right"):
            await nobody.list(SECRETS, namespace)


async def test_who_is_unknown_is_told_so(config: ClusterConfig, namespace: str) -> None:
    """A wrong token is no identity."""
    async with KubeClient(ClusterConfig(server=config.server, ca=config.ca, token="wrong")) as stranger:
        with pytest.raises(UnauthorizedError, match="Renew the credentials"):
            await stranger.list(SECRETS, namespace)
