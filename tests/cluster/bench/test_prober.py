"""The prober's figures are what a user sees: every call counted, failures with their sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench.rotation.prober import Prober
from kamaji_core.kube import CONFIG_MAPS, KubeClient, config_from_kubeconfig
from kamaji_core.testing import until

if TYPE_CHECKING:
    from kamaji_core.testing import ApiServer

pytestmark = pytest.mark.real


async def test_calls_on_both_kinds_of_connections_reach_the_store(api_server: ApiServer) -> None:
    """Half of each kind's calls write."""
    config = config_from_kubeconfig(api_server.kubeconfig)
    prober = Prober(config, rate=100)
    async with prober.running():
        await until(lambda: min(prober.kept.count, prober.new.count) >= 10, "some calls")
    kept, new = prober.take()
    assert (kept.failed, new.failed, kept.late, new.late) == ([], [], 0, 0)
    async with KubeClient(config) as client:
        for name in ("bench-kept", "bench-new"):
            assert (await client.get(CONFIG_MAPS, name, "default"))["data"]["number"] != "0"


async def test_what_was_taken_is_not_counted_again(api_server: ApiServer) -> None:
    """So that each change has its own calls."""
    prober = Prober(config_from_kubeconfig(api_server.kubeconfig), rate=100)
    async with prober.running():
        await until(lambda: prober.kept.count >= 1, "a call")
        taken, _ = prober.take()
        assert taken.count >= 1
        assert prober.kept.count == 0


async def test_a_call_that_is_refused_is_a_failure_with_its_sentence(api_server: ApiServer) -> None:
    """The object that it reads and writes is taken away under it."""
    config = config_from_kubeconfig(api_server.kubeconfig)
    prober = Prober(config, rate=100)
    async with prober.running(), KubeClient(config) as client:
        await client.delete(CONFIG_MAPS, "bench-kept", "default")
        await until(lambda: prober.kept.failed, "a failure")
    moment, sentence = prober.kept.failed[0]
    assert moment >= 0
    assert "bench-kept" in sentence
