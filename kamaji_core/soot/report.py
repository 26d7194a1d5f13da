"""What a look at a tenant's cluster means in the words of the tenant's conditions: pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kamaji_core.api.conditions import TenantReason
from kamaji_core.api.model import manifest
from kamaji_core.contracts import Applied
from kamaji_core.soot.plan import failure_of
from kamaji_core.tenancy import TenantState, Verdict

if TYPE_CHECKING:
    from kamaji_core.soot.apply import Look
    from kamaji_core.soot.plan import AddonPlan, Plan
    from kamaji_core.soot.wanted import Wanted

TOLD = 3
"""Sentences of one kind of trouble in one message."""


def state_of(plan: Plan, look: Look) -> TenantState:
    """Tell what is known after a look.

    Args:
        plan: what was wanted.
        look: what became of it.
    """
    statuses = {}
    verdicts = []
    for addon in plan.addons:
        status, verdict = _addon(addon, look)
        statuses[addon.key] = status
        verdicts.append(verdict)
    if look.left:
        sentence = f"What is not wanted any more could not be removed. {' '.join(look.left[:TOLD])}"
        verdicts.append(Verdict(TenantReason.OBJECTS_REFUSED, sentence))
    return TenantState(
        bootstrapped=_bootstrapped(plan, look),
        addons=_united(verdicts),
        statuses=statuses,
        generation=plan.generation,
    )


def unreachable(sentence: str, plan: Plan) -> TenantState:
    """Tell that the cluster cannot be worked in.

    Args:
        sentence: why.
        plan: what is wanted there.
    """
    verdict = Verdict(TenantReason.TENANT_UNREACHABLE, sentence)
    return TenantState(
        bootstrapped=verdict, addons=verdict if plan.addons else None, statuses=None, generation=plan.generation
    )


def _bootstrapped(plan: Plan, look: Look) -> Verdict:
    if plan.bootstrap_problem:
        return Verdict(TenantReason.SPECIFICATION_INVALID, plan.bootstrap_problem)
    waiting = _reasons((*plan.bootstrap, *plan.limits), look)
    if waiting:
        return Verdict(TenantReason.OBJECTS_REFUSED, " ".join(waiting[:TOLD]))
    sentence = "Machines find in the tenant's cluster what kubeadm needs to join them."
    return Verdict(TenantReason.BOOTSTRAPPED, sentence, ok=True)


def _addon(addon: AddonPlan, look: Look) -> tuple[dict[str, Any], Verdict]:
    if addon.addon is None:
        return {}, Verdict(TenantReason.ADDON_MISSING, addon.problem)
    if addon.problem or addon.config is None or addon.view is None:
        return {}, Verdict(TenantReason.ADDON_FAILED, addon.problem)
    objects = tuple(look.objects[one.key] for one in addon.objects if one.key in look.objects)
    try:
        applied = Applied(objects=objects, material=addon.material)
        status: dict[str, Any] = manifest(addon.addon.status(addon.view, addon.config, applied))
    except Exception as error:  # noqa: BLE001 - a stranger's code may raise anything
        return {}, Verdict(TenantReason.ADDON_FAILED, failure_of(addon.addon, error))
    waiting = _reasons(addon.objects, look)
    if waiting:
        sentence = f"{addon.key}: {' '.join(waiting[:TOLD])}"
        return status, Verdict(TenantReason.OBJECTS_REFUSED, sentence)
    # Without a word of its pods: that would be as old as the look, and be news whenever a node comes or goes.
    return status, Verdict(TenantReason.ADDONS_APPLIED, f"{addon.key} is applied.", ok=True)


def _reasons(wanted: tuple[Wanted, ...], look: Look) -> list[str]:
    return [reason for one in wanted if one.key in look.objects and (reason := look.objects[one.key].reason)]


def _united(verdicts: list[Verdict]) -> Verdict | None:
    if not verdicts:
        return None
    bad = [one for one in verdicts if not one.ok]
    if bad:
        return Verdict(bad[0].reason, " ".join(one.sentence for one in bad))
    return Verdict(TenantReason.ADDONS_APPLIED, " ".join(one.sentence for one in verdicts), ok=True)
