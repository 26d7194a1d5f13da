"""Each hook does what the README says, called as the operator calls it."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import click
from click.testing import CliRunner

import kamaji_hooks_demo as demo
from kamaji_core.contracts import ManagerView, TenantEvent, TenantView
from kamaji_core.plugins import load_plugins

TENANT = TenantView(namespace="prod-shop", name="shop", uid="1", version="v1.37.1", replicas=1)


def test_the_operator_finds_it() -> None:
    """By its entry point, every hook of it well formed."""
    (found,) = [one for one in load_plugins().loaded if one.plugin.name == "hooks-demo"]
    hooks = {name for name in vars(demo) if name.startswith("kamaji_")}
    assert hooks == {"kamaji_cli", "kamaji_manager", "kamaji_render", "kamaji_tenant_event", "kamaji_validate"}
    for hook in hooks:
        assert getattr(found.hook, hook).get_hookimpls()


def test_production_has_two_replicas() -> None:
    """Or none, asleep."""
    (sentence,) = demo.kamaji_validate(TENANT)
    assert "spec.controlPlane.deployment.replicas is 1" in sentence
    for fine in (replace(TENANT, replicas=2), replace(TENANT, replicas=0), replace(TENANT, namespace="dev")):
        assert demo.kamaji_validate(fine) == []


def test_no_profiler_is_served() -> None:
    """By any component, unless the tenant asks for it."""
    flags = demo.kamaji_render().flags
    assert {flag.component for flag in flags} == {"kube-apiserver", "kube-controller-manager", "kube-scheduler"}
    assert all((flag.name, flag.value, flag.managed) == ("--profiling", "false", False) for flag in flags)


def test_turns_are_counted() -> None:
    """By their name."""
    before = demo.turns[TenantEvent.READY]
    demo.kamaji_tenant_event(TENANT, TenantEvent.READY)
    assert demo.turns[TenantEvent.READY] == before + 1


async def test_it_tells_for_as_long_as_the_operator_leads() -> None:
    """And ends when it is cancelled."""
    supervised = {}
    demo.kamaji_manager(ManagerView(version="1", supervise=lambda name, work: supervised.update({name: work})))
    task = asyncio.ensure_future(supervised["house-rules"]())
    await asyncio.sleep(0)
    assert not task.done()
    task.cancel()
    assert await asyncio.gather(task, return_exceptions=True)


def test_the_rules_are_printed() -> None:
    """One a line."""
    group = click.Group("kamaji")
    demo.kamaji_cli(group)
    result = CliRunner().invoke(group, ["house-rules"])
    assert result.exit_code == 0
    assert result.output.splitlines() == list(demo.RULES)
