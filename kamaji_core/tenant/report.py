"""What users see: one status patch, with Kamaji's fields at Kamaji's paths and standard conditions beside them.

The wanted status is built whole and compared with the present one; only what differs is sent, so that a pass that
changed nothing writes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from kamaji_core.api.conditions import TenantCondition, TenantReason, set_condition
from kamaji_core.api.model import manifest
from kamaji_core.api.tenant_status import TenantControlPlaneStatus, VersionStatus
from kamaji_core.certificates import checksum
from kamaji_core.contracts import ProbeKind, StoreError
from kamaji_core.render import assigned_address, endpoint, object_name
from kamaji_core.render.kubeadm import COMPONENT as KUBEADM_CONFIG
from kamaji_core.tenancy import Verdict
from kamaji_core.tenant.facts import STORE_CERTIFICATE, STORE_CONFIG
from kamaji_core.tenant.plan import EnsureStore, ReserveClaim, SettleStore

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from kamaji_core.api.conditions import Condition
    from kamaji_core.api.tenant_control_plane import TenantControlPlane
    from kamaji_core.tenant.act import Failure
    from kamaji_core.tenant.facts import Facts
    from kamaji_core.tenant.judge import Assessment

SETTLED = frozenset({VersionStatus.READY, VersionStatus.WRITE_LIMITED, VersionStatus.SLEEPING})
"""States in which all pods are of the wanted version."""

STORE_CHANGES = (ReserveClaim, EnsureStore, SettleStore)
CERTIFICATES = {
    "ca": "ca",
    "apiServer": "api-server-certificate",
    "apiServerKubeletClient": "api-server-kubelet-client-certificate",
    "frontProxyCA": "front-proxy-ca-certificate",
    "frontProxyClient": "front-proxy-client-certificate",
    "sa": "sa-certificate",
}
KUBECONFIGS = {
    "admin": "admin-kubeconfig",
    "controllerManager": "controller-manager-kubeconfig",
    "scheduler": "scheduler-kubeconfig",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The end of a pass.

    Args:
        facts: as they are now.
        assessment: the last judgement.
        failures: what could not be written.
        store_error: why no store credentials could be made.
        queued: its place among those that wait to start, as it was when it came; 0 when it does not wait.
    """

    facts: Facts
    assessment: Assessment
    failures: tuple[Failure, ...] = ()
    store_error: StoreError | None = None
    queued: int = 0

    @property
    def carried_out(self) -> bool:
        """Whether the specification is written out in full; pods may still be starting."""
        return not (self.failures or self.queued or self.assessment.held or self.assessment.blocked)


def status_patch(outcome: Outcome, *, now: datetime) -> dict[str, Any] | None:
    """Build the merge patch of the status subresource; None when nothing differs.

    Args:
        outcome: what the pass came to.
        now: present time, UTC.
    """
    present = manifest(outcome.facts.tenant.status)
    wanted = msgspec.convert(wanted_status(outcome, present=present, now=now), TenantControlPlaneStatus)
    # Through the model and back: what the schema would prune must not count as a difference for ever.
    patch = difference(present, manifest(wanted))
    return {"status": patch} if patch else None


def condition_patch(
    tenant: TenantControlPlane, kind: TenantCondition, *, reason: str, message: str, now: datetime
) -> dict[str, Any] | None:
    """Build the merge patch that sets one condition to true and leaves the rest of the status alone.

    Args:
        tenant: as it is.
        kind: of the condition.
        reason: constant in CamelCase.
        message: one sentence.
        now: present time, UTC.
    """
    result = set_condition(
        tenant.status.conditions,
        type=kind,
        status="True",
        reason=reason,
        message=message,
        observed_generation=tenant.metadata.generation,
        now=now,
    )
    if result == tenant.status.conditions:
        return None
    return {"status": {"conditions": [manifest(condition) for condition in result]}}


def wanted_status(outcome: Outcome, *, present: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """Build the whole status.

    Args:
        outcome: what the pass came to.
        present: the status as it is, whose times are kept where nothing changed.
        now: present time, UTC.
    """
    writer = _StatusWriter(outcome, present=present, now=now)
    status = dict(present)
    status |= {
        "storage": writer.storage(),
        "certificates": {name: writer.secret(f"certificates.{name}", suffix) for name, suffix in CERTIFICATES.items()},
        "kubeconfig": {name: writer.secret(f"kubeconfig.{name}", suffix) for name, suffix in KUBECONFIGS.items()},
        "kubeadmconfig": writer.kubeadm_config(),
        "kubernetesResources": writer.kubernetes_resources(),
        "conditions": [manifest(condition) for condition in conditions(outcome, now=now)],
        "addons": writer.addons(),
    }
    address = assigned_address(outcome.facts.tenant, outcome.facts.service)
    if address:
        status["controlPlaneEndpoint"] = endpoint(address, outcome.facts.tenant.spec.network_profile.port)
    if outcome.facts.deployment is not None and outcome.carried_out:
        status["observedGeneration"] = outcome.facts.tenant.metadata.generation
    return status


def version_status(outcome: Outcome) -> VersionStatus | None:
    """Kamaji's state of a tenant, derived from its Deployment as there; None before there is one."""
    deployment = outcome.facts.deployment
    if deployment is None:
        return None
    status, tenant = deployment.get("status", {}), outcome.facts.tenant
    wanted = tenant.spec.control_plane.deployment.replicas
    installed = tenant.status.kubernetes_resources.version.version
    if wanted == 0:
        return VersionStatus.SLEEPING
    if not status.get("readyReplicas"):
        return VersionStatus.PROVISIONING if not installed else VersionStatus.NOT_READY
    counts = {status.get(name, 0) for name in ("replicas", "updatedReplicas", "readyReplicas")}
    observed = deployment["metadata"].get("generation") == status.get("observedGeneration")
    if observed and counts == {wanted} and not status.get("unavailableReplicas"):
        return VersionStatus.WRITE_LIMITED if tenant.spec.write_permissions.any else VersionStatus.READY
    if not installed:
        return VersionStatus.PROVISIONING
    return VersionStatus.UPGRADING if installed != tenant.spec.kubernetes.version else VersionStatus.UNKNOWN


def conditions(outcome: Outcome, *, now: datetime) -> tuple[Condition, ...]:
    """The tenant's conditions; `Ready` stands for the four others together."""
    tenant = outcome.facts.tenant
    passing = {TenantCondition.PAUSED, TenantCondition.DELETING}
    result = tuple(condition for condition in tenant.status.conditions if condition.type not in passing)
    verdicts = {
        TenantCondition.DATA_STORE_READY: _data_store(outcome),
        TenantCondition.MATERIAL_READY: _material(outcome),
        TenantCondition.ENDPOINT_READY: _endpoint(outcome),
        TenantCondition.CONTROL_PLANE_AVAILABLE: _available(outcome),
    }
    false = [verdict for verdict in verdicts.values() if not verdict.ok]
    told = [verdict for verdict in false if _is_problem(verdict)] or false
    ready = next(iter(told), None) or _ready(verdicts[TenantCondition.CONTROL_PLANE_AVAILABLE])
    result = _with(result, {**verdicts, TenantCondition.READY: ready}, generation=tenant.metadata.generation, now=now)
    inside = outcome.facts.inside
    if inside is None:  # while nothing is known, the last word stands
        return result
    found = {TenantCondition.BOOTSTRAPPED: inside.bootstrapped, TenantCondition.ADDONS_READY: inside.addons}
    return _with(result, found, generation=inside.generation, now=now)


def _with(
    present: tuple[Condition, ...],
    verdicts: Mapping[TenantCondition, Verdict | None],
    *,
    generation: int,
    now: datetime,
) -> tuple[Condition, ...]:
    """Set conditions to what is found, and take away those of which nothing is to be said."""
    gone = {kind for kind, verdict in verdicts.items() if verdict is None}
    result = tuple(one for one in present if one.type not in gone)
    for kind, verdict in verdicts.items():
        if verdict is not None:
            result = set_condition(
                result,
                type=kind,
                status="True" if verdict.ok else "False",
                reason=verdict.reason,
                message=verdict.sentence,
                observed_generation=generation,
                now=now,
            )
    return result


def _is_problem(verdict: Verdict) -> bool:
    """Whether something is wrong; otherwise it is only on its way."""
    return verdict.reason not in {TenantReason.PENDING, TenantReason.READY}


def _ready(available: Verdict) -> Verdict:
    if available.reason == TenantReason.READY:
        return Verdict(TenantReason.READY, "The control plane serves.", ok=True)
    return available


def _data_store(outcome: Outcome) -> Verdict:
    facts = outcome.facts
    problem = outcome.assessment.problem_of(TenantCondition.DATA_STORE_READY)
    if problem:
        return Verdict(problem.reason, problem.message)
    refused = [failure.error for failure in outcome.failures if isinstance(failure.change, STORE_CHANGES)]
    error = outcome.store_error or (refused[0] if refused else None)
    if error:
        full = isinstance(error, StoreError) and error.kind is ProbeKind.FULL
        reason = TenantReason.DATA_STORE_FULL if full else TenantReason.DATA_STORE_REFUSED
        return Verdict(reason, f"The DataStore {facts.store_name!r}: {error}")
    if outcome.assessment.ensure_due:
        return Verdict(TenantReason.PENDING, f"The tenant's share of {facts.store_name!r} is not set up yet.")
    message = f"Schema {outcome.assessment.claim.schema!r} in DataStore {facts.store_name!r}."
    return Verdict(TenantReason.READY, message, ok=True)


def _material(outcome: Outcome) -> Verdict:
    problem = outcome.assessment.problem_of(TenantCondition.MATERIAL_READY)
    if problem:
        return Verdict(problem.reason, problem.message)
    failed = [failure for failure in outcome.failures if not isinstance(failure.change, STORE_CHANGES)]
    if failed:
        return Verdict(TenantReason.WRITE_FAILED, str(failed[0].error))
    if not outcome.assessment.material.complete() or outcome.assessment.names.endpoint is None:
        return Verdict(TenantReason.PENDING, "Keys and certificates are being made.")
    return Verdict(TenantReason.READY, "All keys, certificates and kubeconfigs are in place.", ok=True)


def _endpoint(outcome: Outcome) -> Verdict:
    problem = outcome.assessment.problem_of(TenantCondition.ENDPOINT_READY)
    if problem:
        return Verdict(problem.reason, problem.message)
    reached_at = outcome.assessment.names.endpoint
    if reached_at is None:
        return Verdict(TenantReason.PENDING, "The Service does not exist yet.")
    return Verdict(TenantReason.READY, f"The API server is reached at {reached_at}.", ok=True)


def _available(outcome: Outcome) -> Verdict:
    problem = outcome.assessment.problem_of(TenantCondition.CONTROL_PLANE_AVAILABLE)
    deployment = outcome.facts.deployment
    if problem:
        # What runs goes on running: only the change is not carried out, and that must be seen.
        return Verdict(problem.reason, problem.message, ok=_serves(deployment))
    if outcome.queued and not _serves(deployment):
        message = f"It waits for its turn to start; it came as number {outcome.queued} of those that wait."
        return Verdict(TenantReason.QUEUED, message)
    if deployment is None:
        return Verdict(TenantReason.PENDING, "The Deployment does not exist yet.")
    wanted = outcome.facts.tenant.spec.control_plane.deployment.replicas
    ready = deployment.get("status", {}).get("availableReplicas", 0)
    if wanted == 0:
        return Verdict(TenantReason.SLEEPING, "Scaled to no replicas: set spec.controlPlane.deployment.replicas.")
    message = f"{ready} of {wanted} control plane pods are available."
    return Verdict(TenantReason.READY if ready else TenantReason.PENDING, message, ok=bool(ready))


def _serves(deployment: Mapping[str, Any] | None) -> bool:
    return bool(deployment and deployment.get("status", {}).get("availableReplicas"))


class _StatusWriter:
    """Builds the parts of a status, keeping the times of what did not change."""

    def __init__(self, outcome: Outcome, *, present: Mapping[str, Any], now: datetime) -> None:
        self._facts = outcome.facts
        self._outcome = outcome
        self._present = present
        self._now = now.strftime("%Y-%m-%dT%H:%M:%SZ")

    def storage(self) -> dict[str, Any]:
        """`status.storage`."""
        facts, claim = self._facts, self._outcome.assessment.claim
        config = facts.secrets.get(STORE_CONFIG)
        storage: dict[str, Any] = dict(self._present.get("storage", {}))
        if config is None or facts.store is None or facts.store.driver is None:
            return storage
        storage |= {
            "driver": facts.store.driver.NAME,
            "dataStoreName": facts.store_name,
            "config": {"secretName": config.name, "checksum": config.checksum},
            "certificate": self.secret("storage.certificate", STORE_CERTIFICATE),
        }
        if facts.ensured:
            setup = {"schema": claim.schema, "user": claim.user, "checksum": facts.ensured}
            storage["setup"] = self._dated("storage.setup", setup)
        return storage

    def secret(self, path: str, suffix: str) -> dict[str, Any]:
        """The reference to one Secret."""
        facts = self._facts.secrets.get(suffix)
        if facts is None:
            return self._at(path)
        return self._dated(path, {"secretName": facts.name, "checksum": facts.checksum})

    def kubeadm_config(self) -> dict[str, Any]:
        """`status.kubeadmconfig`."""
        live = self._facts.kubeadm_config
        if live is None:
            return self._at("kubeadmconfig")
        values = {key: value.encode() for key, value in (live.get("data") or {}).items()}
        name = object_name(self._facts.tenant, KUBEADM_CONFIG)
        return self._dated("kubeadmconfig", {"configmapName": name, "checksum": checksum(values)})

    def kubernetes_resources(self) -> dict[str, Any]:
        """`status.kubernetesResources`."""
        facts, tenant = self._facts, self._facts.tenant
        resources: dict[str, Any] = dict(self._at("kubernetesResources"))
        where = {"name": tenant.metadata.name, "namespace": tenant.metadata.namespace}
        if facts.service is not None:
            balancer = facts.service.get("status", {}).get("loadBalancer", {})
            port = tenant.spec.network_profile.port
            resources["service"] = {**where, "port": port, "loadBalancer": balancer}
        if facts.deployment is not None:
            selector = ",".join(
                f"{key}={value}" for key, value in facts.deployment["spec"]["selector"]["matchLabels"].items()
            )
            live = {**facts.deployment.get("status", {}), **where, "selector": selector}
            resources["deployment"] = self._dated("kubernetesResources.deployment", live)
        state = version_status(self._outcome)
        if state is not None:
            version: dict[str, Any] = {**resources.get("version", {}), "status": str(state)}
            # What is refused, or waits for its turn, is not installed: the old pods are those that are ready.
            if self._outcome.carried_out and state in SETTLED:
                version["version"] = tenant.spec.kubernetes.version
            resources["version"] = version
        return resources

    def addons(self) -> dict[str, Any]:
        """`status.addons`: one that was turned off says so, those of other plugins go, one that tells nothing stays."""
        present, inside = self._at("addons"), self._facts.inside
        if inside is None or inside.statuses is None:
            return present
        others = dict(present.pop("extra", {}))
        extra = self._facts.tenant.spec.addons.extra
        written = {name: self._dated(f"addons.{name}", {"enabled": False}) for name in present}
        for name, status in inside.statuses.items():
            if name not in extra:
                told = self._dated(f"addons.{name}", dict(status)) if status else present.get(name)
                written |= {name: told} if told else {}
        kept = {name: dict(status) or others.get(name) for name, status in inside.statuses.items() if name in extra}
        kept = {name: status for name, status in kept.items() if status}
        return {**written, **({"extra": kept} if kept else {})}

    def _dated(self, path: str, content: dict[str, Any]) -> dict[str, Any]:
        present = self._at(path)
        unchanged = {key: value for key, value in present.items() if key != "lastUpdate"} == content
        last_update = present.get("lastUpdate", self._now) if unchanged else self._now
        return {**content, "lastUpdate": last_update}

    def _at(self, path: str) -> dict[str, Any]:
        found: Any = self._present
        for name in path.split("."):
            found = found.get(name, {})
        return dict(found)


def difference(present: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The merge patch (RFC 7396) that turns one object into the other; empty when they are equal."""
    patch: dict[str, Any] = {name: None for name in present if name not in wanted}
    for name, value in wanted.items():
        before = present.get(name)
        if isinstance(value, dict) and isinstance(before, dict):
            if inner := difference(before, value):
                patch[name] = inner
        elif before != value:
            patch[name] = value
    return patch
