"""The hooks that plugins implement beside their classes: asked in the order of names, each plugin for itself.

What one raises is its own trouble, with one exception: a plugin that cannot say what a tenant's pods need would take
away by its silence what it gave before, so its tenants are left as they run until it can.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import structlog

from kamaji_core.contracts import ConfigurationError, ControlPlaneParts
from kamaji_core.contracts.parts import Component

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kamaji_core.contracts import Addon, ManagerView, TenantEvent, TenantView, Volume
    from kamaji_core.plugins import LoadedPlugin

log = structlog.get_logger()


class PartsError(ValueError):
    """What a plugin wants in a tenant's pods cannot be made; the message says why, without an end."""


class ExtensionError(Exception):
    """A plugin failed where its answer cannot be done without; the message is a sentence that names it."""

    def __init__(self, plugin: str, what: str, error: BaseException) -> None:
        why = str(error) if isinstance(error, PartsError) else type(error).__name__
        super().__init__(f"The plugin {plugin!r} failed to {what} ({why}): repair or remove it.")


class Extensions:
    """The hooks of all usable plugins.

    Args:
        plugins: in the order of their names.
        addons: by name.
    """

    def __init__(self, plugins: Sequence[LoadedPlugin] = (), *, addons: Mapping[str, Addon] | None = None) -> None:
        self._plugins = tuple(plugins)
        self._addons = dict(sorted((addons or {}).items()))

    def addon_parts(self, tenant: TenantView) -> tuple[ControlPlaneParts, ...]:
        """Ask the add-ons that are turned on what they want in a tenant's pods; those that want nothing are left out.

        Args:
            tenant: whose pods.

        Raises:
            ConfigurationError: when the settings of one do not fit.
            ExtensionError: when one cannot tell.
        """
        wanted = []
        for name, addon in self._addons.items():
            try:
                config = addon.config(tenant.spec.get("addons") or {})
                if config is not None:
                    wanted.append(checked_parts(addon.parts(tenant, config)))
            except ConfigurationError:
                raise
            except Exception as error:
                raise ExtensionError(name, "say what the tenant's pods need", error) from error
        return tuple(parts for parts in wanted if parts != ControlPlaneParts())

    def render(self, tenant: TenantView, parts: Sequence[ControlPlaneParts]) -> tuple[ControlPlaneParts, ...]:
        """Ask what is wanted in a tenant's pods besides.

        Args:
            tenant: whose pods.
            parts: what its store's driver wants.

        Raises:
            ExtensionError: when a plugin cannot tell.
        """
        wanted: tuple[ControlPlaneParts, ...] = tuple(parts)
        for one in self._plugins:
            try:
                answers = one.hook.kamaji_render(tenant=tenant, parts=merged(wanted))
                wanted += tuple(checked_parts(answer) for answer in answers)
            except Exception as error:
                raise ExtensionError(one.plugin.name, "say what the tenant's pods need", error) from error
        return wanted[len(parts) :]

    def problems(self, tenant: TenantView) -> list[str]:
        """Ask what is wrong with a tenant; a plugin that cannot tell finds nothing.

        Args:
            tenant: as it is asked for.
        """
        found: list[str] = []
        for one in self._plugins:
            try:
                for answer in one.hook.kamaji_validate(tenant=tenant):
                    found.extend(str(sentence) for sentence in answer)
            except Exception as error:  # noqa: BLE001 - a stranger's code may raise anything
                log.warning("a plugin failed to judge a tenant", plugin=one.plugin.name, error=type(error).__name__)
        return found

    def tell(self, tenant: TenantView, what: TenantEvent) -> None:
        """Tell of a turn in a tenant's life."""
        for one in self._plugins:
            try:
                one.hook.kamaji_tenant_event(tenant=tenant, what=what)
            except Exception as error:  # noqa: BLE001 - as above
                log.warning("a plugin failed to hear of a tenant", plugin=one.plugin.name, error=type(error).__name__)

    def start(self, manager: ManagerView) -> None:
        """Let plugins take part in the operator's process."""
        for one in self._plugins:
            try:
                one.hook.kamaji_manager(manager=manager)
            except Exception as error:  # noqa: BLE001 - as above
                log.warning("a plugin failed to start", plugin=one.plugin.name, error=type(error).__name__)


def merged(parts: Sequence[ControlPlaneParts]) -> ControlPlaneParts:
    """All parts as one, in their order."""
    return ControlPlaneParts(
        flags=tuple(flag for one in parts for flag in one.flags),
        containers=tuple(container for one in parts for container in one.containers),
        certificates=tuple(certificate for one in parts for certificate in one.certificates),
        kubeconfigs=tuple(kubeconfig for one in parts for kubeconfig in one.kubeconfigs),
        config_maps=tuple(config_map for one in parts for config_map in one.config_maps),
        service_ports=tuple(port for one in parts for port in one.service_ports),
        routes=tuple(route for one in parts for route in one.routes),
        claims=tuple(claim for one in parts for claim in one.claims),
        volumes=tuple(volume for one in parts for volume in one.volumes),
        mounts=tuple(mount for one in parts for mount in one.mounts),
        restart_on=tuple(restart for one in parts for restart in one.restart_on),
    )


def checked_parts(answer: object) -> ControlPlaneParts:
    """Give back what a plugin answered, when a pod can be made of it.

    Raises:
        PartsError: when it is something else, or names what is not there.
    """
    if not isinstance(answer, ControlPlaneParts):
        raise PartsError(f"{type(answer).__name__} instead of ControlPlaneParts")
    containers = {*get_args(Component), *(container.name for container in answer.containers)}
    volumes = {volume.name for volume in answer.volumes}
    claims = {claim.suffix for claim in answer.claims}
    if len({claim.group for claim in answer.claims if claim.group is not None}) > 1:
        raise PartsError("its claims name several groups, of which a pod has but one")
    for mount in answer.mounts:
        if mount.component not in containers:
            raise PartsError(f"it mounts into the container {mount.component!r}, which is not there")
        if mount.volume not in volumes:
            raise PartsError(f"it mounts the volume {mount.volume!r}, which is not there")
    ports = {port.name for port in answer.service_ports}
    for route in answer.routes:
        if route.port_name not in ports:
            raise PartsError(f"its route leads to the port {route.port_name!r}, which is not there")
    for volume in answer.volumes:
        _check_volume(volume, claims)
    return answer


def _check_volume(volume: Volume, claims: set[str]) -> None:
    if volume.claim and volume.claim not in claims:
        raise PartsError(f"its volume {volume.name!r} claims {volume.claim!r}, which is not there")
    if sum(map(bool, (volume.secret, volume.config_map, volume.claim, volume.medium))) > 1:
        raise PartsError(f"its volume {volume.name!r} has more than one source")
