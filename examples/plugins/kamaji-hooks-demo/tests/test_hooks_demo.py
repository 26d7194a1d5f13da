"""Each hook does what the README says, called as the operator calls it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import click
import pytest
from click.testing import CliRunner

import kamaji_hooks_demo as demo
from kamaji_core.contracts import ControlPlaneParts, ManagerView, TenantEvent, TenantView
from kamaji_core.plugins import load_plugins

TENANT = TenantView(namespace="prod-shop", name="shop", uid="1", version="v1.37.1", replicas=1)


@pytest.fixture(scope="module")
def hook() -> Any:
    """The plugin's hooks as the operator has them, found by the entry point."""
    (found,) = [one for one in load_plugins().loaded if one.plugin.name == "hooks-demo"]
    return found.hook


def test_production_has_two_replicas(hook: Any) -> None:
    """Or none, asleep."""
    ((sentence,),) = hook.kamaji_validate(tenant=TENANT)
    assert "spec.controlPlane.deployment.replicas is 1" in sentence
    for fine in (replace(TENANT, replicas=2), replace(TENANT, replicas=0), replace(TENANT, namespace="dev")):
        assert hook.kamaji_validate(tenant=fine) == [[]]


def test_no_profiler_is_served(hook: Any) -> None:
    """By any component, unless the tenant asks for it."""
    (parts,) = hook.kamaji_render(tenant=TENANT, parts=ControlPlaneParts())
    assert {flag.component for flag in parts.flags} == {"kube-apiserver", "kube-controller-manager", "kube-scheduler"}
    assert all((flag.name, flag.value, flag.managed) == ("--profiling", "false", False) for flag in parts.flags)


def test_turns_are_counted(hook: Any) -> None:
    """By their name."""
    before = demo.turns[TenantEvent.READY]
    hook.kamaji_tenant_event(tenant=TENANT, what=TenantEvent.READY)
    assert demo.turns[TenantEvent.READY] == before + 1


async def test_it_tells_for_as_long_as_the_operator_leads(hook: Any) -> None:
    """And ends when it is cancelled."""
    supervised = {}
    view = ManagerView(version="1", supervise=lambda name, work: supervised.update({name: work}))
    hook.kamaji_manager(manager=view)
    task = asyncio.ensure_future(supervised["house-rules"]())
    await asyncio.sleep(0)
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_the_rules_are_printed(hook: Any) -> None:
    """One a line."""
    group = click.Group("kamaji")
    hook.kamaji_cli(group=group)
    result = CliRunner().invoke(group, ["house-rules"])
    assert result.exit_code == 0
    assert result.output.splitlines() == list(demo.RULES)
