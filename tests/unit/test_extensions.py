"""Plugins' hooks are asked each for itself: what one raises is its own trouble, but where silence would take away."""

from __future__ import annotations

import importlib.metadata
import sys
import types
from typing import TYPE_CHECKING, Any

import pytest

from kamaji_core.contracts import ControlPlaneParts, Flag, ManagerView, TenantEvent, TenantView, hookimpl
from kamaji_core.extensions import ExtensionError, Extensions
from kamaji_core.plugins import load_plugins

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TENANT = TenantView(namespace="team-a", name="shop", uid="u-1", version="v1.37.0", replicas=2)
NAMES = ("first_extension", "second_extension")


@pytest.fixture(autouse=True)
def modules() -> Iterator[None]:
    """Two plugins' entry modules."""
    for name in NAMES:
        sys.modules[name] = types.ModuleType(name)
    yield
    for name in NAMES:
        del sys.modules[name]


def extensions(*implementations: Callable[..., Any]) -> Extensions:
    """One plugin for each implementation, in the order given."""
    entry_points = []
    for name, implementation in zip(NAMES, implementations, strict=False):
        setattr(sys.modules[name], implementation.__name__, hookimpl(implementation))
        entry_points.append(importlib.metadata.EntryPoint(name=name, value=name, group="kamaji"))
    return Extensions(load_plugins(entry_points, disabled=()).loaded)


def flag(name: str) -> ControlPlaneParts:
    """Parts that are one flag."""
    return ControlPlaneParts(flags=(Flag(component="kube-apiserver", name=name),))


def failing(name: str, error: Exception) -> Callable[..., Any]:
    """A hook that raises."""

    def kamaji_render(tenant: TenantView, parts: ControlPlaneParts) -> None:
        raise error

    def kamaji_validate(tenant: TenantView) -> None:
        raise error

    def kamaji_tenant_event(tenant: TenantView, what: TenantEvent) -> None:
        raise error

    def kamaji_manager(manager: ManagerView) -> None:
        raise error

    return {hook.__name__: hook for hook in (kamaji_render, kamaji_validate, kamaji_tenant_event, kamaji_manager)}[name]


def test_parts_are_added_in_the_order_of_names_and_each_sees_those_before() -> None:
    """None adds nothing; what the driver gave is not given back."""

    def kamaji_render(tenant: TenantView, parts: ControlPlaneParts) -> ControlPlaneParts:
        return flag(f"--{tenant.name}-{len(parts.flags)}")

    found = extensions(kamaji_render, kamaji_render).render(TENANT, (flag("--driver"),))
    assert [one.flags[0].name for one in found] == ["--shop-1", "--shop-2"]
    assert extensions(lambda: None).render(TENANT, (flag("--driver"),)) == ()


@pytest.mark.parametrize("error", [KeyError("password=hunter2"), StopIteration()])
def test_a_plugin_that_cannot_render_is_named(error: Exception) -> None:
    """Its words may hold anything and are not told."""
    with pytest.raises(ExtensionError, match="'first_extension' failed") as caught:
        extensions(failing("kamaji_render", error)).render(TENANT, ())
    assert "hunter2" not in str(caught.value)


def test_parts_of_another_type_are_refused() -> None:
    """A manifest instead of parts would go into the pods unread."""

    def kamaji_render(tenant: TenantView, parts: ControlPlaneParts) -> dict[str, str]:
        return {"image": "something"}

    with pytest.raises(ExtensionError, match="dict instead of ControlPlaneParts"):
        extensions(kamaji_render).render(TENANT, ())


def test_problems_are_gathered_past_a_plugin_that_fails() -> None:
    """One that fails finds nothing; the next is asked all the same."""

    def kamaji_validate(tenant: TenantView) -> list[str]:
        return [f"spec.kubernetes: {tenant.version} is not for us: choose another."]

    found = extensions(failing("kamaji_validate", ValueError()), kamaji_validate).problems(TENANT)
    assert found == ["spec.kubernetes: v1.37.0 is not for us: choose another."]


def test_turns_are_told_past_a_plugin_that_fails() -> None:
    """The next one hears all the same."""
    heard = []

    def kamaji_tenant_event(tenant: TenantView, what: TenantEvent) -> None:
        heard.append((tenant.name, what))

    extensions(failing("kamaji_tenant_event", OSError()), kamaji_tenant_event).tell(TENANT, TenantEvent.READY)
    assert heard == [("shop", TenantEvent.READY)]


def test_plugins_take_part_past_one_that_fails() -> None:
    """The next one starts what it wants."""
    started = []

    def kamaji_manager(manager: ManagerView) -> None:
        manager.supervise("paper", lambda: None)  # type: ignore[arg-type,return-value]  # never run here

    view = ManagerView(version="1", supervise=lambda name, _run: started.append(name))
    extensions(failing("kamaji_manager", OSError()), kamaji_manager).start(view)
    assert started == ["paper"]
