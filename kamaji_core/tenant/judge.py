"""What a tenant lacks, judged from facts alone: verdicts on its material, its store, its endpoint.

Its result says everything that planning needs and carries the sentences that users will read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kamaji_core.api.conditions import TenantCondition, TenantReason
from kamaji_core.api.rules import tenant_problems
from kamaji_core.api.versions import VersionError, check_change
from kamaji_core.certificates import ControlPlaneNames, Judgement, judge, plugin_material, wanted_material
from kamaji_core.contracts import ConfigurationError
from kamaji_core.extensions import ExtensionError, Extensions
from kamaji_core.render import control_plane_names
from kamaji_core.tenant.claim import claim_of, credentials_due, credentials_renew_at, ensure_checksum, unsettled
from kamaji_core.tenant.facts import STORE_CERTIFICATE, STORE_CONFIG
from kamaji_core.tenant.parts import many_replicas, plugin_parts, view_of
from kamaji_core.tenant.rollout import earlier_pods_end

if TYPE_CHECKING:
    from datetime import datetime

    from kamaji_core.contracts import Claim, ControlPlaneParts
    from kamaji_core.tenant.facts import Facts

NO_EXTENSIONS = Extensions()


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something that stops or delays a tenant.

    Args:
        condition: type of the condition that tells it.
        reason: constant in CamelCase.
        message: what is wrong and what to do.
        blocks: nothing at all is made for the tenant while this stands.
        holds: what runs is left as it is; keys and certificates are still renewed.
    """

    condition: str
    reason: str
    message: str
    blocks: bool = False
    holds: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """The judgement on one tenant.

    Args:
        names: names and addresses that material depends on.
        claim: the tenant's share of its store.
        material: verdicts on keys, certificates and kubeconfigs.
        owns_claim: the store has recorded the tenant as its claim's owner, in this pass or when it was set up.
        credentials_due: the driver must be asked for store credentials.
        ensure_due: the store must be told of the tenant.
        settle_due: no pod runs with an earlier login any more, and the store still keeps it.
        parts: what plugins add to its pods; None while that is not known.
        problems: what stops or delays it.
        renew_at: when the next certificate is due, or an earlier login may be ended.
        now: the moment of judging, UTC.
    """

    names: ControlPlaneNames
    claim: Claim
    material: Judgement
    owns_claim: bool
    credentials_due: bool
    ensure_due: bool
    settle_due: bool
    parts: tuple[ControlPlaneParts, ...] | None
    problems: tuple[Problem, ...]
    renew_at: datetime | None
    now: datetime

    @property
    def blocked(self) -> bool:
        """Whether nothing may be made."""
        return any(problem.blocks for problem in self.problems)

    @property
    def held(self) -> bool:
        """Whether Service, configuration and Deployment must be left as they are."""
        return any(problem.holds for problem in self.problems)

    def problem_of(self, condition: str) -> Problem | None:
        """The first problem that a condition must tell."""
        return next((problem for problem in self.problems if problem.condition == condition), None)


def assess(facts: Facts, *, now: datetime, extensions: Extensions = NO_EXTENSIONS) -> Assessment:
    """Judge a tenant.

    Args:
        facts: what is.
        now: present time, UTC.
        extensions: the plugins' hooks.
    """
    wrong = _specification(facts, extensions)
    names = _names(facts)
    claim = claim_of(facts)
    parts, failed = (None, []) if wrong else _parts(facts, claim, extensions)
    wanted = (*wanted_material(names), *plugin_material(parts or (), names))
    material = judge(wanted, secrets=facts.secrets, provisioned=facts.provisioned, now=now)
    config, files = facts.secrets.get(STORE_CONFIG), facts.secrets.get(STORE_CERTIFICATE)
    ensured = config is not None and ensure_checksum(facts, claim) == facts.ensured
    settle_at = _settle_at(facts)
    due = [material.renew_at(), credentials_renew_at(files) if files else None, settle_at]
    return Assessment(
        names=names,
        claim=claim,
        material=material,
        owns_claim=facts.reserved or ensured,
        credentials_due=credentials_due(facts, now),
        ensure_due=not ensured,
        settle_due=settle_at is not None and settle_at <= now,
        parts=parts,
        problems=(*wrong, *failed, *_store(facts), *_material(material), *_endpoint(facts, names)),
        renew_at=min((moment for moment in due if moment), default=None),
        now=now,
    )


def _settle_at(facts: Facts) -> datetime | None:
    """When an earlier login may be ended; None while there is none or an event must be waited for."""
    if not unsettled(facts) or facts.deployment is None:
        return None
    return earlier_pods_end(facts.deployment)


def _names(facts: Facts) -> ControlPlaneNames:
    try:
        return control_plane_names(facts.tenant, facts.service)
    except ValueError:  # they are made from the specification's networks, and these cannot be read
        return _no_names(facts)


def _no_names(facts: Facts) -> ControlPlaneNames:
    metadata, profile = facts.tenant.metadata, facts.tenant.spec.network_profile
    return ControlPlaneNames(
        tenant=metadata.name,
        namespace=metadata.namespace,
        endpoint=None,
        port=profile.port,
        server_names=frozenset(),
    )


def _specification(facts: Facts, extensions: Extensions) -> list[Problem]:
    found = [f"{problem.field}: {problem.sentence}" for problem in tenant_problems(facts.tenant)]
    installed = facts.tenant.status.kubernetes_resources.version.version
    if installed and not found:
        try:
            check_change(installed, facts.tenant.spec.kubernetes.version)
        except VersionError as error:
            found.append(f"spec.kubernetes.version: {error}")
    found = found or _too_many_replicas(facts) or extensions.problems(view_of(facts))
    return [_held(facts, TenantReason.SPECIFICATION_INVALID, message) for message in found]


def _too_many_replicas(facts: Facts) -> list[str]:
    replicas = facts.tenant.spec.control_plane.deployment.replicas
    if replicas <= 1 or many_replicas(facts):
        return []
    sentence = f"{replicas} API servers cannot work on one share of the DataStore {facts.store_name!r}: set 1."
    return [f"spec.controlPlane.deployment.replicas: {sentence}"]


def _parts(
    facts: Facts, claim: Claim, extensions: Extensions
) -> tuple[tuple[ControlPlaneParts, ...] | None, list[Problem]]:
    try:
        return plugin_parts(facts, claim, extensions), []
    except ConfigurationError as error:
        return None, [_held(facts, TenantReason.SPECIFICATION_INVALID, str(error))]
    except ExtensionError as error:
        return None, [_held(facts, TenantReason.PLUGIN_FAILED, str(error))]


def _held(facts: Facts, reason: str, message: str) -> Problem:
    """A problem for which nothing is begun, and what runs is left as it is."""
    return Problem(
        condition=TenantCondition.CONTROL_PLANE_AVAILABLE,
        reason=reason,
        message=message,
        blocks=not facts.provisioned,
        holds=facts.provisioned,
    )


def _store(facts: Facts) -> list[Problem]:
    condition = TenantCondition.DATA_STORE_READY
    lacking = not facts.provisioned  # what runs goes on, and its certificates are renewed
    if not facts.store_name:
        message = "spec.dataStore names no DataStore and the operator has no default: name one."
        return [Problem(condition=condition, reason=TenantReason.DATA_STORE_MISSING, message=message, blocks=lacking)]
    if facts.store is None:
        message = f"The DataStore {facts.store_name!r} does not exist: create it or correct spec.dataStore."
        return [Problem(condition=condition, reason=TenantReason.DATA_STORE_MISSING, message=message, blocks=lacking)]
    wanted = facts.tenant.spec.data_store
    if wanted and wanted != facts.store_name:
        message = (
            f"The data is in the DataStore {facts.store_name!r}; moving it to {wanted!r} is not supported: "
            f"set spec.dataStore back."
        )
        return [Problem(condition=condition, reason=TenantReason.DATA_STORE_CHANGED, message=message)]
    if facts.store.is_full:
        message = f"The DataStore {facts.store_name!r} is full: {facts.store.sentence}"
        return [Problem(condition=condition, reason=TenantReason.DATA_STORE_FULL, message=message)]
    if not facts.store.ready:
        message = f"The DataStore {facts.store_name!r} is not ready: {facts.store.sentence}"
        return [Problem(condition=condition, reason=TenantReason.DATA_STORE_NOT_READY, message=message)]
    return []


def _material(material: Judgement) -> list[Problem]:
    return [
        Problem(
            condition=TenantCondition.MATERIAL_READY,
            reason=verdict.reason,
            message=verdict.message,
            blocks=True,
        )
        for verdict in material.stops()
    ]


def _endpoint(facts: Facts, names: ControlPlaneNames) -> list[Problem]:
    if names.endpoint is not None or facts.service is None:
        return []
    kind = facts.tenant.spec.control_plane.service.service_type
    message = {
        "NodePort": "A Service of type NodePort needs spec.networkProfile.address: set the nodes' address.",
        "LoadBalancer": "The load balancer has assigned no IP address to the Service yet.",
    }.get(kind, "The Service has no cluster IP yet.")
    return [Problem(condition=TenantCondition.ENDPOINT_READY, reason=TenantReason.ENDPOINT_PENDING, message=message)]
