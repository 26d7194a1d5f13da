"""A tenant's cluster is made whole and kept so, at no cost while nothing changes, but for what users took over."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any

import pytest

from kamaji_addon_coredns import CoreDNS
from kamaji_core.kube import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    KubeClient,
    NotFoundError,
    Resource,
    ServerError,
    config_from_kubeconfig,
)
from kamaji_core.soot.kinds import CLUSTER_ROLE_BINDINGS
from kamaji_core.testing import Drop, FaultProxy, Refuse, free_port

if TYPE_CHECKING:
    from kamaji_core.testing import ApiServer

pytestmark = pytest.mark.real
ADDONS = {"coreDNS": {}, "kubeProxy": {}}
WEBHOOKS = Resource(
    "admissionregistration.k8s.io",
    "v1",
    "validatingwebhookconfigurations",
    "ValidatingWebhookConfiguration",
    namespaced=False,
)


async def exists(client: KubeClient, resource: Any, name: str, namespace: str | None = "kube-system") -> bool:
    """Whether an object is there."""
    try:
        await client.get(resource, name, namespace)
    except NotFoundError:
        return False
    return True


async def test_a_second_session_writes_nothing(follow: Any) -> None:
    """All is made by the first look; whoever comes later, after a restart, finds nothing to write."""
    async with follow(addons=ADDONS) as course:
        assert course.state.bootstrapped.ok
        assert course.state.addons.ok
        assert course.state.statuses == {"coreDNS": {"enabled": True}, "kubeProxy": {"enabled": True}}
    async with follow(addons=ADDONS) as course:
        assert course.state.addons.ok
        assert course.writes == []


@pytest.mark.parametrize(
    ("resource", "name"), [(CONFIG_MAPS, "coredns"), (CONFIG_MAPS, "kubelet-config"), (DEPLOYMENTS, "coredns")]
)
async def test_what_is_watched_comes_back_at_once(
    follow: Any, until: Any, client: KubeClient, resource: Any, name: str
) -> None:
    """Deleted by the tenant's administrator, it is there again within a second."""
    async with follow(addons=ADDONS):
        began = time.monotonic()
        await client.delete(resource, name, "kube-system")
        await until(lambda: exists(client, resource, name), f"{name} to be back")
        assert time.monotonic() - began < 1


async def test_an_edited_configuration_is_put_back(follow: Any, until: Any, client: KubeClient) -> None:
    """kube-proxy's settings are ours alone, and nothing else is written."""
    async with follow(addons=ADDONS) as course:
        before = await client.get(CONFIG_MAPS, "kube-proxy", "kube-system")
        writes = len(course.writes)
        await client.merge_patch(CONFIG_MAPS, "kube-proxy", {"data": {"config.conf": "mine"}}, "kube-system")

        async def is_back() -> bool:
            return bool((await client.get(CONFIG_MAPS, "kube-proxy", "kube-system"))["data"] == before["data"])

        await until(is_back, "the configuration to be put back")
        assert len(course.writes) == writes + 1


async def test_a_users_own_corefile_and_replicas_stay(follow: Any, until: Any, client: KubeClient) -> None:
    """What may be taken over is left to whoever took it, also by a session that comes later; the rest is not."""
    async with follow(addons=ADDONS) as course:
        await client.merge_patch(CONFIG_MAPS, "coredns", {"data": {"Corefile": "mine"}}, "kube-system")
        patch = {"spec": {"replicas": 3, "template": {"spec": {"dnsPolicy": "ClusterFirst"}}}}
        await client.merge_patch(DEPLOYMENTS, "coredns", patch, "kube-system")

        async def is_back() -> bool:
            deployment = await client.get(DEPLOYMENTS, "coredns", "kube-system")
            return bool(deployment["spec"]["template"]["spec"]["dnsPolicy"] == "Default")

        await until(is_back, "the pods' DNS policy to be put back")
        assert course.state.addons.ok
    async with follow(addons=ADDONS) as course:
        assert course.writes == []
    assert (await client.get(CONFIG_MAPS, "coredns", "kube-system"))["data"] == {"Corefile": "mine"}
    assert (await client.get(DEPLOYMENTS, "coredns", "kube-system"))["spec"]["replicas"] == 3
    await client.delete(CONFIG_MAPS, "coredns", "kube-system")
    await client.delete(DEPLOYMENTS, "coredns", "kube-system")


async def test_an_addon_that_is_turned_off_goes_whole(follow: Any, until: Any, client: KubeClient) -> None:
    """Everything of it is removed, and nothing of the other one; the tenant's own objects stay."""
    mine = {"metadata": {"name": "mine", "namespace": "kube-system"}, "data": {"a": "b"}}
    if not await exists(client, CONFIG_MAPS, "mine"):
        await client.create(CONFIG_MAPS, mine)
    async with follow(addons=ADDONS) as course:
        course.change(addons={"kubeProxy": {}})
        await until(lambda: "coreDNS" not in course.state.statuses, "the add-on to go")
        assert not await exists(client, DEPLOYMENTS, "coredns")
        assert not await exists(client, CLUSTER_ROLE_BINDINGS, "system:coredns", None)
        assert await exists(client, CONFIG_MAPS, "kube-proxy")
        assert await exists(client, CONFIG_MAPS, "mine")
        course.change(addons={})
        await until(lambda: course.state.addons is None, "all add-ons to go")
        assert not await exists(client, CONFIG_MAPS, "kube-proxy")
        assert await exists(client, CONFIG_MAPS, "kubelet-config")


async def test_what_a_restarted_operator_finds_turned_off_goes_too(follow: Any, client: KubeClient) -> None:
    """An add-on that was turned off while nobody looked."""
    async with follow(addons=ADDONS):
        pass
    async with follow() as course:
        assert course.state.addons is None
    assert not await exists(client, DEPLOYMENTS, "coredns")


async def test_another_role_in_a_binding_is_put_right(follow: Any, client: KubeClient) -> None:
    """A binding's role cannot be changed, so the binding is made anew."""
    async with follow():
        pass
    name = "kubeadm:get-nodes"
    live = await client.get(CLUSTER_ROLE_BINDINGS, name)
    await client.delete(CLUSTER_ROLE_BINDINGS, name)
    wrong = {"metadata": {"name": name}, "roleRef": {**live["roleRef"], "name": "view"}, "subjects": live["subjects"]}
    await client.create(CLUSTER_ROLE_BINDINGS, wrong)
    async with follow() as course:
        assert course.state.bootstrapped.ok
    assert (await client.get(CLUSTER_ROLE_BINDINGS, name))["roleRef"]["name"] == name


async def test_an_addon_that_fails_is_told_and_nothing_of_it_is_removed(
    follow: Any, until: Any, client: KubeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stranger's code may raise anything: what it made before stays, and the others' objects are looked after."""
    async with follow(addons=ADDONS) as course:
        monkeypatch.setattr(CoreDNS, "tenant_objects", lambda *_: 1 / 0)
        await client.delete(CONFIG_MAPS, "kube-proxy", "kube-system")
        course.change(addons=ADDONS)
        await until(lambda: not course.state.addons.ok, "the trouble to be told")
        assert course.state.addons.reason == "AddonFailed"
        assert "The add-on 'coredns' failed (ZeroDivisionError)" in course.state.addons.sentence
        assert await exists(client, DEPLOYMENTS, "coredns")
        await until(lambda: exists(client, CONFIG_MAPS, "kube-proxy"), "the other add-on's object to be back")


async def test_an_addon_that_nobody_brings_is_told(follow: Any) -> None:
    """With what is installed, and what to do."""
    async with follow(addons={"extra": {"nobodys": {}}}) as course:
        assert course.state.bootstrapped.ok
        assert course.state.addons.reason == "AddonMissing"
        assert "'nobodys' (installed: coreDNS, " in course.state.addons.sentence


async def test_a_patch_that_cannot_be_applied_is_told(follow: Any) -> None:
    """The kubelets' configuration cannot be planned, which is no reason to leave out add-ons."""
    kubelet = {"configurationJSONPatches": [{"op": "test", "path": "/clusterDomain", "value": "x"}]}
    kubernetes = {"version": "v1.37.1", "kubelet": kubelet}
    async with follow(kubernetes=kubernetes, addons=ADDONS) as course:
        assert course.state.bootstrapped.reason == "SpecificationInvalid"
        assert "configurationJSONPatches[0]" in course.state.bootstrapped.sentence
        assert course.state.addons.ok


async def test_a_new_way_is_taken(follow: Any, until: Any) -> None:
    """Other credentials or another address mean another connection."""
    async with follow() as course:
        course.way = "two"
        course.session.poke()
        await until(lambda: len(course.transports) == 2 and course.transports[1].requests > 5, "another connection")
        assert course.transports[1].writes == []


async def test_a_server_that_is_not_there_is_told_and_heals(
    follow: Any, until: Any, tenant_server: ApiServer, client: KubeClient
) -> None:
    """The reason stands in the state, and goes as soon as the server is back."""
    config = config_from_kubeconfig(tenant_server.kubeconfig)
    tenant_server.stop()
    try:
        async with follow(config) as course:
            assert course.state.bootstrapped.reason == "TenantUnreachable"
            tenant_server.start()
            await until(lambda: course.state.bootstrapped.ok, "it to heal")
    finally:
        if tenant_server.process.pid is None:
            tenant_server.start()


@pytest.mark.parametrize("fault", [Refuse(500, "InternalError"), Refuse(403, "Forbidden"), Drop()], ids=str)
async def test_a_server_that_does_not_serve_is_told_and_heals(
    follow: Any, until: Any, tenant_server: ApiServer, fault: Any
) -> None:
    """One that refuses, or answers nothing at all; the reason stands in the state until it does serve."""
    async with FaultProxy(tenant_server.kubeconfig) as proxy:
        proxy.add(fault)
        async with follow(proxy.config) as course:
            assert (course.state.bootstrapped.ok, course.state.bootstrapped.reason) == (False, "TenantUnreachable")
            proxy.clear()
            await until(lambda: course.state.bootstrapped.ok, "it to heal")


async def test_watches_that_were_cut_still_see(
    follow: Any, until: Any, tenant_server: ApiServer, client: KubeClient
) -> None:
    """What was changed while they were down is put back as well."""
    async with FaultProxy(tenant_server.kubeconfig) as proxy, follow(proxy.config, addons=ADDONS):
        await proxy.until(lambda: proxy.count(verbs={"watch"}) >= 3)
        rule = proxy.add(Refuse(503, "ServiceUnavailable"), verbs={"watch"})
        proxy.cut(verbs={"watch"})
        await proxy.until(lambda: rule.hits >= 1)
        await client.delete(CONFIG_MAPS, "kubelet-config", "kube-system")
        proxy.clear()
        await until(lambda: exists(client, CONFIG_MAPS, "kubelet-config"), "it to be back")


async def test_a_part_that_was_taken_over_takes_nothing_else_along(follow: Any, until: Any, client: KubeClient) -> None:
    """Whoever raises the memory's limit keeps that, and what we asked for beside it stays."""
    async with follow(addons=ADDONS):
        container = {"name": "coredns", "resources": {"limits": {"memory": "300Mi"}}}
        patch = {"spec": {"template": {"spec": {"containers": [container]}}}}
        await client.apply(
            DEPLOYMENTS,
            {"metadata": {"name": "coredns", "namespace": "kube-system"}, **patch},
            field_manager="administrator",
        )
        await client.merge_patch(DEPLOYMENTS, "coredns", {"metadata": {"labels": {"k8s-app": None}}}, "kube-system")

        async def is_back() -> bool:
            return "k8s-app" in (await client.get(DEPLOYMENTS, "coredns", "kube-system"))["metadata"]["labels"]

        await client.merge_patch(DEPLOYMENTS, "coredns", {"spec": {"minReadySeconds": 1}}, "kube-system")
        await until(is_back, "our label to be back")
    async with follow(addons=ADDONS) as course:
        assert course.writes == []
    live = await client.get(DEPLOYMENTS, "coredns", "kube-system")
    resources = live["spec"]["template"]["spec"]["containers"][0]["resources"]
    assert resources == {"limits": {"memory": "300Mi"}, "requests": {"cpu": "100m", "memory": "70Mi"}}
    await client.delete(DEPLOYMENTS, "coredns", "kube-system")


async def test_what_the_tenants_own_webhook_refuses_is_that_objects_trouble(
    follow: Any, until: Any, client: KubeClient
) -> None:
    """All else is made, the condition says what is refused, and it heals without a restart."""
    webhook = {
        "metadata": {"name": "nobody-home"},
        "webhooks": [
            {
                "name": "nobody.home.example",
                "admissionReviewVersions": ["v1"],
                "sideEffects": "None",
                "failurePolicy": "Fail",
                "timeoutSeconds": 1,
                "clientConfig": {"url": f"https://127.0.0.1:{free_port()}/"},
                "rules": [
                    {"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["*"], "resources": ["deployments"]}
                ],
            }
        ],
    }
    async with follow() as course:
        await client.create(WEBHOOKS, webhook)
        try:
            # The server takes a moment to ask it.
            await until(lambda: refuses(client), "the webhook to be asked")
            course.change(addons=ADDONS)
            await until(lambda: course.state.addons is not None, "the add-ons to be looked at")
            assert course.state.bootstrapped.ok
            assert (course.state.addons.ok, course.state.addons.reason) == (False, "ObjectsRefused")
            assert "nobody.home.example" in course.state.addons.sentence
            assert await exists(client, CONFIG_MAPS, "kube-proxy")
            assert not await exists(client, DEPLOYMENTS, "coredns")
        finally:
            await client.delete(WEBHOOKS, "nobody-home")
        await until(lambda: course.state.addons.ok, "it to heal")


async def refuses(client: KubeClient) -> bool:
    """Whether a Deployment cannot be made."""
    pods = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "a", "image": "a"}]}}
    spec = {"selector": {"matchLabels": {"a": "b"}}, "template": pods}
    try:
        await client.create(
            DEPLOYMENTS, {"metadata": {"name": "probe", "namespace": "kube-system"}, "spec": spec}, dry_run=True
        )
    except ServerError:
        return True
    return False


async def test_a_server_that_goes_bad_is_told_without_anything_to_do(
    follow: Any, until: Any, tenant_server: ApiServer
) -> None:
    """Its watches only fall silent; that it does not answer any more is found by asking, and heals."""
    async with FaultProxy(tenant_server.kubeconfig) as proxy, follow(proxy.config) as course:
        assert course.state.bootstrapped.ok
        proxy.add(Refuse(500, "InternalError"))
        await until(lambda: not course.state.bootstrapped.ok, "it to be told")
        assert course.state.bootstrapped.reason == "TenantUnreachable"
        proxy.clear()
        await until(lambda: course.state.bootstrapped.ok, "it to heal")


async def test_a_tenant_that_labels_a_lot_as_ours_costs_no_memory(follow: Any, until: Any, client: KubeClient) -> None:
    """All of it would be read in each look, for all such tenants; it is that tenant's trouble, told and healed."""
    labels = {"kamaji.clastix.io/project": "kamaji"}
    names = [f"large-{number}" for number in range(10)]
    for name in names:
        metadata = {"name": name, "namespace": "default", "labels": labels}
        await client.create(CONFIG_MAPS, {"metadata": metadata, "data": {"a": "x" * 1_000_000}})
    try:
        async with follow() as course:
            assert course.state.bootstrapped.reason == "TenantUnreachable"
            assert "larger than 8388608 bytes" in course.state.bootstrapped.sentence
            for name in names:
                await client.delete(CONFIG_MAPS, name, "default")
            await until(lambda: course.state.bootstrapped.ok, "it to heal")
    finally:
        for name in names:
            with contextlib.suppress(NotFoundError):
                await client.delete(CONFIG_MAPS, name, "default")
