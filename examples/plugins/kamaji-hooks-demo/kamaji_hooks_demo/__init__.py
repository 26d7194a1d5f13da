"""A platform's house rules, as a plugin: each hook that is neither for drivers nor for add-ons, once.

The entry module is imported at every start of the operator, so what a hook needs is imported where it is needed.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from typing import TYPE_CHECKING

from kamaji_core.contracts import ControlPlaneParts, Flag, hookimpl

if TYPE_CHECKING:
    import click

    from kamaji_core.contracts import ManagerView, TenantEvent, TenantView
    from kamaji_core.contracts.parts import Component

__all__ = [
    "RULES",
    "kamaji_cli",
    "kamaji_manager",
    "kamaji_render",
    "kamaji_tenant_event",
    "kamaji_validate",
    "turns",
]

PRODUCTION = "prod-"
FEWEST = 2
RULES = (
    f"Tenants in namespaces that begin with {PRODUCTION!r} have {FEWEST} replicas or more, or sleep.",
    "No component of a control plane serves its profiler, unless the tenant asks for it.",
)
TOLD_EVERY_SECONDS = 3600.0
COMPONENTS: tuple[Component, ...] = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")

log = logging.getLogger(__name__)
turns: Counter[str] = Counter()
"""How often each turn in a tenant's life was heard of."""


@hookimpl
def kamaji_validate(tenant: TenantView) -> list[str]:
    """Judge: the first rule."""
    if tenant.namespace.startswith(PRODUCTION) and 0 < tenant.replicas < FEWEST:
        found = f"spec.controlPlane.deployment.replicas is {tenant.replicas}, but {tenant.namespace} is for production"
        return [f"{found}: set {FEWEST} or more."]
    return []


@hookimpl
def kamaji_render() -> ControlPlaneParts:
    """Add to the pods: the second rule. A flag that is not managed gives way to the tenant's own."""
    flags = tuple(Flag(component=one, name="--profiling", value="false", managed=False) for one in COMPONENTS)
    return ControlPlaneParts(flags=flags)


@hookimpl
def kamaji_tenant_event(tenant: TenantView, what: TenantEvent) -> None:
    """Hear of a turn in a tenant's life."""
    turns[what] += 1
    log.info("%s/%s: %s", tenant.namespace, tenant.name, what)


@hookimpl
def kamaji_manager(manager: ManagerView) -> None:
    """Take part in the operator's process: tell now and then what was heard."""
    manager.supervise("house-rules", _tell)


async def _tell() -> None:
    while True:
        log.info("turns in tenants' lives so far: %s", dict(turns))
        await asyncio.sleep(TOLD_EVERY_SECONDS)


@hookimpl
def kamaji_cli(group: click.Group) -> None:
    """Add a command to `kamaji`."""
    import click  # noqa: PLC0415 - commands only: the operator's process needs none

    @group.command("house-rules")
    def house_rules() -> None:
        """Print the rules that tenants are held to here."""
        for rule in RULES:
            click.echo(rule)
