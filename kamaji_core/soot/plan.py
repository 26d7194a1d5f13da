"""What a tenant's cluster should hold: kubeadm's objects and those of the add-ons that its specification turns on.

Pure. An add-on may be a stranger's, so whatever it raises becomes a sentence and touches no other's objects.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import structlog

from kamaji_core.contracts import ConfigurationError, IssuedCertificate, Material
from kamaji_core.soot import limits
from kamaji_core.soot.bootstrap import bootstrap_objects
from kamaji_core.soot.wanted import Wanted

if TYPE_CHECKING:
    from collections.abc import Mapping

    import msgspec

    from kamaji_core.api.tenant_control_plane import TenantControlPlane
    from kamaji_core.contracts import Addon, ControlPlaneParts, TenantView

log = structlog.get_logger()

EXTRA = "extra"
"""The key of `spec.addons` below which those of other plugins stand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AddonPlan:
    """What one add-on wants; `problem` says why it wants nothing though it is turned on.

    Args:
        key: its key in `spec.addons`, or below `spec.addons.extra`.
        addon: None where no plugin brings it.
        config: its settings.
        view: what it knows of the tenant.
        objects: what it wants.
        material: what was issued for its parts.
        problem: a sentence.
    """

    key: str
    addon: Addon | None = None
    config: msgspec.Struct | None = None
    view: TenantView | None = None
    objects: tuple[Wanted, ...] = ()
    material: Material = field(default_factory=Material)
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a tenant's cluster should hold.

    Args:
        bootstrap: kubeadm's objects.
        bootstrap_problem: why they cannot be planned, a sentence.
        limits: what keeps the tenant's users from writing.
        addons: those that are turned on.
        settled: names of the installed add-ons that want nothing else than what stands here; the objects of others are
            left alone.
        generation: of the specification.
    """

    bootstrap: tuple[Wanted, ...] = ()
    bootstrap_problem: str = ""
    limits: tuple[Wanted, ...] = ()
    addons: tuple[AddonPlan, ...] = ()
    settled: frozenset[str] = frozenset()
    generation: int = 0

    @property
    def objects(self) -> tuple[Wanted, ...]:
        """All of them."""
        return (*self.bootstrap, *(one for addon in self.addons for one in addon.objects), *self.limits)


Issued = Callable[[str], IssuedCertificate | None]
"""Gives what was issued for a suffix; None while it was not."""


def plan(
    tenant: TenantControlPlane,
    view: TenantView,
    *,
    endpoint: str,
    ca_cert: bytes,
    addons: Mapping[str, Addon],
    issued: Issued = lambda _: None,
) -> Plan:
    """Plan everything.

    Args:
        tenant: whose cluster.
        view: what add-ons may know of it.
        endpoint: `host:port` of its API server for nodes.
        ca_cert: of its authority, PEM.
        addons: those of the installed plugins by name.
        issued: the public halves of what add-ons' parts want signed.
    """
    objects: tuple[Wanted, ...] = ()
    problem = ""
    try:
        bootstrap = bootstrap_objects(tenant, endpoint=endpoint, ca_cert=ca_cert)
        objects = tuple(Wanted(owner="", object=one) for one in bootstrap)
    except ValueError as error:
        problem = str(error)
    planned = _plan_addons(view, addons, issued)
    troubled = {one.addon.NAME for one in planned if one.addon is not None and one.problem}
    settled = frozenset(addon.NAME for addon in addons.values()) - troubled | {limits.OWNER}
    return Plan(
        bootstrap=objects,
        bootstrap_problem=problem,
        limits=tuple(Wanted(owner=limits.OWNER, object=one) for one in limits.limit_objects(tenant)),
        addons=planned,
        settled=settled,
        generation=tenant.metadata.generation,
    )


def _plan_addons(view: TenantView, addons: Mapping[str, Addon], issued: Issued) -> tuple[AddonPlan, ...]:
    spec: Mapping[str, Any] = view.spec.get("addons") or {}
    planned = [one for addon in addons.values() if (one := _plan_addon(view, spec, addon, issued)) is not None]
    named = {key: value for key, value in spec.items() if key != EXTRA} | dict(spec.get(EXTRA) or {})
    asked = [key for key, value in named.items() if value is not None]
    brought = {addon.SPEC_KEY for addon in addons.values()}
    missing = [AddonPlan(key=key, problem=_missing(key, brought)) for key in asked if key not in brought]
    return (*planned, *missing)


def _plan_addon(view: TenantView, spec: Mapping[str, Any], addon: Addon, issued: Issued) -> AddonPlan | None:
    try:
        config = addon.config(spec)
        if config is None:
            return None
        material = _material(addon.parts(view, config), issued)
        objects = addon.tenant_objects(view, config, material)
        wanted = tuple(Wanted(owner=addon.NAME, object=one) for one in objects)
        for one in wanted:
            _check(one)
        return AddonPlan(key=addon.SPEC_KEY, addon=addon, config=config, view=view, objects=wanted, material=material)
    except ConfigurationError as error:
        return AddonPlan(key=addon.SPEC_KEY, addon=addon, problem=str(error))
    except Exception as error:  # noqa: BLE001 - a stranger's code may raise anything
        return AddonPlan(key=addon.SPEC_KEY, addon=addon, problem=failure_of(addon, error))


def _material(parts: ControlPlaneParts, issued: Issued) -> Material:
    """The public halves of what was issued for an add-on's parts; what is not there yet is left out."""
    certificates = {one.suffix: issued(one.suffix) for one in parts.certificates}
    kubeconfigs = {one.suffix: issued(one.suffix) for one in parts.kubeconfigs}
    return Material(
        certificates={suffix: one for suffix, one in certificates.items() if one is not None},
        kubeconfigs={suffix: one for suffix, one in kubeconfigs.items() if one is not None},
    )


def _check(one: Wanted) -> None:
    """Make sure that it says which object it is."""
    if not all(isinstance(part, str) for part in one.key):
        raise TypeError("an object's kind, name or namespace is no text")


def failure_of(addon: Addon, error: Exception) -> str:
    """Log what an add-on raised, and say in a sentence that it failed; its own words may quote anything."""
    log.error("an add-on failed", addon=addon.NAME, exc_info=error)
    return f"The add-on {addon.NAME!r} failed ({type(error).__name__}): report it to its authors."


def _missing(key: str, brought: set[str]) -> str:
    known = ", ".join(sorted(brought)) or "none"
    return (
        f"No installed plugin brings the add-on {key!r} (installed: {known}): install its package or remove it from "
        f"spec.addons."
    )
