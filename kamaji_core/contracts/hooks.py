"""The hooks of the entry-point group `kamaji`.

Hooks are few and only register: what they return does the work. A plugin implements them as module functions or
methods marked with `hookimpl` and names the module in its distribution's entry points:

    [project.entry-points.kamaji]
    datastore-example = "kamaji_datastore_example"

The entry module is imported at every start of the operator and by every command that looks at plugins, so it must not
import a network library.

Besides the two hooks that register classes, only those of a plugin whose state is ok are called.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import click

    from kamaji_core.contracts.addon import Addon
    from kamaji_core.contracts.datastore import DatastoreDriver, TenantView
    from kamaji_core.contracts.parts import ControlPlaneParts

GROUP = "kamaji"

hookspec = pluggy.HookspecMarker(GROUP)
hookimpl = pluggy.HookimplMarker(GROUP)


class TenantEvent(enum.StrEnum):
    """A turn in a tenant's life that plugins are told of."""

    CREATED = "created"
    READY = "ready"
    NOT_READY = "not_ready"
    UPGRADED = "upgraded"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagerView:
    """What a plugin may know of the operator's process and ask of it.

    Args:
        version: of the operator.
        supervise: runs a function, named for the log, for as long as the operator leads: started again with backoff
            when it fails, cancelled when the operator stops or loses the lead.
    """

    version: str
    supervise: Callable[[str, Callable[[], Awaitable[None]]], None]


@hookspec
def kamaji_datastores() -> list[type[DatastoreDriver]]:
    """Hand over the datastore drivers of this plugin.

    Returns:
        Driver classes; each is instantiated once, without arguments.
    """
    raise NotImplementedError


@hookspec
def kamaji_addons() -> list[type[Addon]]:
    """Hand over the add-ons of this plugin.

    Returns:
        Add-on classes; each is instantiated once, without arguments. What they want inside tenants' clusters and
        in tenants' pods is kept there.
    """
    raise NotImplementedError


@hookspec
def kamaji_render(tenant: TenantView, parts: ControlPlaneParts) -> ControlPlaneParts | None:
    """Add to a tenant's control plane pods.

    Asked in the order of plugins' names, several times in each look at a tenant; the answer is part of what the pod
    template's digest covers, so the same specification must always get the same answer. Where it raises, the tenant is
    left as it runs and its condition names the plugin.

    Args:
        tenant: whose pods.
        parts: what the store's driver and the add-ons want.

    Returns:
        What is wanted besides, None for nothing; nothing of `parts` can be taken away.
    """
    raise NotImplementedError


@hookspec
def kamaji_validate(tenant: TenantView) -> list[str]:
    """Judge a tenant: of what it finds wrong, nothing is made, and what runs is left as it is.

    Args:
        tenant: as it would be.

    Returns:
        What is wrong with it, a sentence each that names the field and the remedy.
    """
    raise NotImplementedError


@hookspec
def kamaji_tenant_event(tenant: TenantView, what: TenantEvent) -> None:
    """Hear of a turn in a tenant's life; must return at once, and what it raises is logged.

    Args:
        tenant: as it is now.
        what: the turn.
    """


@hookspec
def kamaji_manager(manager: ManagerView) -> None:
    """Take part in the operator's process, from when it begins to lead until it ceases to.

    Args:
        manager: through which long-lived work is started.
    """


@hookspec
def kamaji_cli(group: click.Group) -> None:
    """Add commands to `kamaji`.

    Called when somebody asks for a command that is not the core's own and by `kamaji plugins`; not by `kamaji --help`,
    which answers before plugins could be imported. A name that the core or an earlier plugin has is left to it, with a
    warning. When this raises, none of the plugin's commands is there.

    Args:
        group: takes the plugin's commands; empty, and of no other effect on `kamaji`.
    """
