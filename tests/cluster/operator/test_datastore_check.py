"""The tenant that checks a store goes the ordinary way, and is gone afterwards, however the check ends."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from typing import TYPE_CHECKING, Any

import pytest

from kamaji_core.check import CheckSettings, LoadSettings, StandSettings, check_store
from kamaji_core.check import stand as stand_module
from kamaji_core.kube import DEPLOYMENTS, KubeClient, config_from_kubeconfig
from kamaji_core.tenancy import DATA_STORES, TENANT_CONTROL_PLANES
from kamaji_core.testing import write_private

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from kamaji_core.testing import ApiServer

pytestmark = pytest.mark.real
LOAD = LoadSettings(seconds=1, writers=2, objects=10)


class Check:
    """A check under way, and what it told."""

    def __init__(
        self, cluster: Any, namespace: str, *, client: KubeClient | None = None, store: str = "default"
    ) -> None:
        self.cluster = cluster
        self.namespace = namespace
        self.told: list[str] = []
        self.settings = CheckSettings(
            stand=StandSettings(
                namespace=namespace, version="v1.37.1", ready_seconds=30, reached_seconds=1, gone_seconds=30
            ),
            load=LOAD,
        )
        self.task = asyncio.create_task(
            check_store(client or cluster.client, store, settings=self.settings, progress=self.told.append)
        )

    async def names(self) -> list[str]:
        """The tenants that there are."""
        listing = await self.cluster.client.list(TENANT_CONTROL_PLANES, self.namespace)
        return [self.cluster.decode(item)["metadata"]["name"] for item in listing.items]


@pytest.mark.parametrize(
    ("store", "words"), [("absent", "There is no DataStore 'absent'"), ("unseen", "No operator has looked at it yet")]
)
async def test_a_store_that_cannot_be_checked(cluster: Any, namespace: str, store: str, words: str) -> None:
    """It is said why, and nothing is made."""
    spec = (await cluster.client.get(DATA_STORES, "default"))["spec"]
    await cluster.client.apply(DATA_STORES, {"metadata": {"name": "unseen"}, "spec": spec}, field_manager="test")
    check = Check(cluster, namespace, store=store)
    measures = await check.task
    await cluster.client.delete(DATA_STORES, "unseen")
    assert words in measures.problem
    assert not measures.passed
    assert check.told == []


async def test_who_may_not_is_told_what_is_needed(cluster: Any, namespace: str, api_server: ApiServer) -> None:
    """The request that was refused and all rights of the check."""
    async with KubeClient(config_from_kubeconfig(api_server.issue_kubeconfig("somebody"))) as client:
        measures = await Check(cluster, namespace, client=client).task
    assert measures.problem.startswith("You may not read DataStore default. The check needs to read DataStores, ")
    assert f"in the namespace '{namespace}'" in measures.problem


async def test_without_an_operator_it_does_not_wait_for_ever(
    cluster: Any, namespace: str, monkeypatch: pytest.MonkeyPatch, until: Any
) -> None:
    """The store was ready once; nobody makes its tenant, which is removed."""
    monkeypatch.setattr(stand_module, "UNSEEN_SECONDS", 1.0)
    async with cluster.operator() as operator:
        await until(operator.idle, "the store to be looked at")
    check = Check(cluster, namespace)
    measures = await check.task
    assert "see whether 'kamaji manager' runs" in measures.problem
    assert await check.names() == []


@contextlib.asynccontextmanager
async def begun(cluster: Any, namespace: str, until: Any) -> AsyncIterator[tuple[Check, str]]:
    """A check whose tenant's pods are to start; gives it and the tenant's name."""
    async with cluster.operator() as operator:
        await until(operator.idle, "the store to be looked at")
        check = Check(cluster, namespace)
        await until(check.names, "the tenant", check.task)
        (name,) = await check.names()
        await until(lambda: cluster.has(DEPLOYMENTS, namespace, name), "its Deployment", check.task)
        yield check, name


@pytest.mark.usefixtures("controller_manager")
async def test_a_tenant_that_cannot_be_reached_is_told_and_removed(cluster: Any, namespace: str, until: Any) -> None:
    """Where no node is, it says Ready and does not answer; nothing of it stays, at the store neither."""
    async with begun(cluster, namespace, until) as (check, name):
        schema = (await cluster.tenant(namespace, name))["metadata"]["uid"].replace("-", "")
        await cluster.tell_ready(namespace, name)
        measures = await check.task
        assert "/readyz" in measures.problem
        assert await check.names() == []
    assert schema not in cluster.etcdctl("user", "list")
    assert any("ready after" in sentence for sentence in check.told)


@pytest.mark.usefixtures("controller_manager")
async def test_an_interrupted_check_removes_its_tenant(cluster: Any, namespace: str, until: Any) -> None:
    """As with Ctrl-C."""
    async with begun(cluster, namespace, until) as (check, _name):
        check.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await check.task
        assert await check.names() == []


@pytest.mark.usefixtures("controller_manager")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "term"])
async def test_an_interrupted_command_removes_its_tenant(
    cluster: Any, namespace: str, until: Any, tmp_path: Path, number: signal.Signals
) -> None:
    """It ends with a word instead of a traceback."""
    kubeconfig = write_private(tmp_path / "kubeconfig", cluster.kubeconfig)
    arguments = ("datastore", "check", "--kubeconfig", str(kubeconfig), "--namespace", namespace, "default")
    async with cluster.operator() as operator:
        await until(operator.idle, "the store to be looked at")
        # Whoever runs the tests in the background has Ctrl-C ignored, which all processes inherit.
        command = await asyncio.create_subprocess_exec(
            "env", "--default-signal", sys.executable, "-m", "kamaji_core", *arguments, stderr=asyncio.subprocess.PIPE
        )

        async def tenants() -> bool:
            return bool((await cluster.client.list(TENANT_CONTROL_PLANES, namespace)).items)

        await until(tenants, "the tenant")
        command.send_signal(number)
        _, said = await asyncio.wait_for(command.communicate(), 60)
        assert not await tenants()
    assert command.returncode == 1
    assert b"removing the tenant" in said
    assert said.endswith(b"Aborted!\n")
    assert b"Traceback" not in said
