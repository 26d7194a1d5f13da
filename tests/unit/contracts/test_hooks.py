"""Each hook, implemented by a plugin, is called with the arguments that it documents and hands on what it answers.

There is a test for every hook, `test_<hook>` or `test_<hook>_...`; `test_hooks_documented.py` sees to that.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import sys
import types
from typing import TYPE_CHECKING, Any, ClassVar

import click
import msgspec
import pytest

from kamaji_core.contracts import (
    API_VERSION,
    Addon,
    ControlPlaneParts,
    DatastoreDriver,
    Flag,
    ManagerView,
    TenantEvent,
    TenantView,
    hookimpl,
)
from kamaji_core.plugins import load_plugins

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping

    import pluggy

    from kamaji_core.contracts import Applied, Material, StoreView, TenantObject

MODULE = "plugin_with_hooks"

TENANT = TenantView(namespace="team-a", name="shop", uid="u-1", version="v1.37.0", replicas=2)


class _Driver(DatastoreDriver):
    NAME: ClassVar[str] = "oracle"
    API_VERSION: ClassVar[tuple[int, int]] = API_VERSION

    def validate(self, store: StoreView) -> list[str]:
        return []

    def issue(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError

    open = parts = issue


class _Settings(msgspec.Struct):
    pass


class _Addon(Addon):
    NAME: ClassVar[str] = "extra"
    SPEC_KEY: ClassVar[str] = "extra"
    API_VERSION: ClassVar[tuple[int, int]] = API_VERSION
    CONFIG: ClassVar[type[msgspec.Struct]] = _Settings
    STATUS: ClassVar[type[msgspec.Struct]] = _Settings

    def config(self, spec: Mapping[str, Any]) -> msgspec.Struct | None:
        return None

    def tenant_objects(self, tenant: TenantView, config: msgspec.Struct, material: Material) -> list[TenantObject]:
        return []

    def status(self, tenant: TenantView, config: msgspec.Struct, applied: Applied) -> msgspec.Struct:
        return _Settings()


@pytest.fixture(autouse=True)
def module() -> Iterator[types.ModuleType]:
    """The plugin's entry module."""
    sys.modules[MODULE] = types.ModuleType(MODULE)
    yield sys.modules[MODULE]
    del sys.modules[MODULE]


def hook_of(*implementations: Callable[..., Any]) -> pluggy.HookRelay:
    """Load a plugin with these hooks as the operator does, and take its hooks from what was loaded."""
    for implementation in implementations:
        setattr(sys.modules[MODULE], implementation.__name__, implementation)
    plugins = load_plugins([importlib.metadata.EntryPoint(name="hooks", value=MODULE, group="kamaji")], disabled=())
    assert plugins.failures == ()
    return plugins.loaded[0].hook


def test_kamaji_datastores() -> None:
    """The classes that it hands over are instantiated and found by NAME."""

    @hookimpl
    def kamaji_datastores() -> list[type[DatastoreDriver]]:
        return [_Driver]

    assert hook_of(kamaji_datastores).kamaji_datastores() == [[_Driver]]
    plugins = load_plugins([importlib.metadata.EntryPoint(name="hooks", value=MODULE, group="kamaji")])
    assert type(plugins.datastores["oracle"]) is _Driver


def test_kamaji_addons() -> None:
    """The same of add-ons."""

    @hookimpl
    def kamaji_addons() -> list[type[Addon]]:
        return [_Addon]

    assert hook_of(kamaji_addons).kamaji_addons() == [[_Addon]]
    plugins = load_plugins([importlib.metadata.EntryPoint(name="hooks", value=MODULE, group="kamaji")])
    assert type(plugins.addons["extra"]) is _Addon


def test_kamaji_render() -> None:
    """It sees the tenant and what is wanted already, and answers what is wanted besides."""
    wanted = ControlPlaneParts(flags=(Flag(component="kube-apiserver", name="--etcd-prefix", value="/a"),))
    besides = ControlPlaneParts(flags=(Flag(component="kube-scheduler", name="--v", value="2", managed=False),))
    seen: list[Any] = []

    @hookimpl
    def kamaji_render(tenant: TenantView, parts: ControlPlaneParts) -> ControlPlaneParts | None:
        seen.append((tenant, parts))
        return besides

    assert hook_of(kamaji_render).kamaji_render(tenant=TENANT, parts=wanted) == [besides]
    assert seen == [(TENANT, wanted)]


def test_kamaji_render_may_want_nothing() -> None:
    """None is no answer."""

    @hookimpl
    def kamaji_render(tenant: TenantView, parts: ControlPlaneParts) -> ControlPlaneParts | None:
        return None

    assert hook_of(kamaji_render).kamaji_render(tenant=TENANT, parts=ControlPlaneParts()) == []


def test_kamaji_validate() -> None:
    """Its sentences come back unchanged."""

    @hookimpl
    def kamaji_validate(tenant: TenantView) -> list[str]:
        return [f"metadata.name {tenant.name!r} is not sold here: choose another."]

    assert hook_of(kamaji_validate).kamaji_validate(tenant=TENANT) == [
        ["metadata.name 'shop' is not sold here: choose another."]
    ]


@pytest.mark.parametrize("what", TenantEvent)
def test_kamaji_tenant_event(what: TenantEvent) -> None:
    """It hears every turn of a tenant's life."""
    heard: list[Any] = []

    @hookimpl
    def kamaji_tenant_event(tenant: TenantView, what: TenantEvent) -> None:
        heard.append((tenant, what))

    hook_of(kamaji_tenant_event).kamaji_tenant_event(tenant=TENANT, what=what)
    assert heard == [(TENANT, what)]


async def test_kamaji_manager() -> None:
    """What it hands to `supervise` is a function that can be awaited, named for the log."""
    done: list[str] = []
    started: list[tuple[str, Callable[[], Awaitable[None]]]] = []

    @hookimpl
    def kamaji_manager(manager: ManagerView) -> None:
        async def work() -> None:
            await asyncio.sleep(0)
            done.append(manager.version)

        manager.supervise("bookkeeping", work)

    view = ManagerView(version="1.2", supervise=lambda name, work: started.append((name, work)))
    hook_of(kamaji_manager).kamaji_manager(manager=view)
    ((name, work),) = started
    await work()
    assert (name, done) == ("bookkeeping", ["1.2"])


def test_kamaji_cli() -> None:
    """It adds a command to the group that it is given; `tests/unit/cli/test_plugin_commands.py` runs some."""

    @hookimpl
    def kamaji_cli(group: click.Group) -> None:
        group.add_command(click.Command("greet"))

    group = click.Group("kamaji")
    hook_of(kamaji_cli).kamaji_cli(group=group)
    assert list(group.commands) == ["greet"]


def test_an_implementation_may_take_fewer_arguments() -> None:
    """So that a hook can be given another argument without breaking plugins: pluggy passes what is asked for."""

    @hookimpl
    def kamaji_render(tenant: TenantView) -> ControlPlaneParts | None:
        return ControlPlaneParts()

    assert hook_of(kamaji_render).kamaji_render(tenant=TENANT, parts=ControlPlaneParts()) == [ControlPlaneParts()]


def test_a_plugin_may_implement_all_hooks_as_methods(module: types.ModuleType) -> None:
    """An entry point may name an object instead of a module, for plugins with a state of their own."""

    class Plugin:
        def __init__(self) -> None:
            self.heard: list[TenantEvent] = []

        @hookimpl
        def kamaji_datastores(self) -> list[type[DatastoreDriver]]:
            return [_Driver]

        @hookimpl
        def kamaji_tenant_event(self, tenant: TenantView, what: TenantEvent) -> None:
            self.heard.append(what)

    module.plugin = Plugin()  # type: ignore[attr-defined]  # modules take any attribute
    entry_point = importlib.metadata.EntryPoint(name="hooks", value=f"{MODULE}:plugin", group="kamaji")
    plugins = load_plugins([entry_point])
    assert list(plugins.datastores) == ["oracle"]
    plugins.loaded[0].hook.kamaji_tenant_event(tenant=TENANT, what=TenantEvent.READY)
    assert module.plugin.heard == [TenantEvent.READY]  # type: ignore[attr-defined]  # as above
