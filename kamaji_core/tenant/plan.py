"""What to write next: facts, judgement and new material in, a wave of changes out. Pure.

A wave holds everything that can be done at once. The usual ones of a new tenant: finalizer; Service, authorities,
service account key and the claim at the store; leaves, kubeconfigs and store credentials; the store's own set-up;
Deployment.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from kamaji_core.api import labels as wire
from kamaji_core.certificates import LeafWanted, rotation_requested
from kamaji_core.kube import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    PERSISTENT_VOLUME_CLAIMS,
    SECRETS,
    SERVICES,
    Resource,
    differences,
)
from kamaji_core.render import (
    DeploymentInputs,
    assigned_address,
    config_map,
    deployment,
    inputs_digest,
    kubeadm_config_map,
    object_name,
    secret,
    service,
    volume_claim,
)
from kamaji_core.tenant.facts import SECRET_SUFFIXES, STORE_CERTIFICATE, STORE_CONFIG
from kamaji_core.tenant.parts import many_replicas
from kamaji_core.tenant.rollout import is_rolled_out
from kamaji_core.tenant.strays import mounted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from kamaji_core.certificates import SecretFacts
    from kamaji_core.contracts import Claim, ControlPlaneParts, Credentials
    from kamaji_core.tenant.facts import Facts
    from kamaji_core.tenant.judge import Assessment
    from kamaji_core.tenant.material import Material
    from kamaji_core.tenant.strays import Stray


@dataclass(frozen=True, slots=True, kw_only=True)
class AddFinalizer:
    """Put our finalizer on the tenant, before anything exists that would have to be removed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateSecret:
    """Create generated material; one that exists already is adopted, never overwritten."""

    manifest: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaceSecret:
    """Replace generated material exactly as it was when it was judged.

    Args:
        manifest: the new content; `metadata.resourceVersion` is the precondition.
        dropped: keys of the present content that the new one lacks.
    """

    manifest: Mapping[str, Any] = field(repr=False)
    dropped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Apply:
    """Apply the fields that we own.

    Args:
        resource: what kind of object.
        manifest: exactly our fields.
        because: the differences that made it necessary; empty for a new object.
        starts_pods: it makes control plane pods start, which is done at the tenant's turn alone.
    """

    resource: Resource
    manifest: Mapping[str, Any]
    because: tuple[str, ...] = ()
    starts_pods: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Change the number of pods of a Deployment whose template is kept."""

    replicas: int
    starts_pods: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReserveClaim:
    """Have the store record the tenant as its claim's owner."""

    claim: Claim


@dataclass(frozen=True, slots=True, kw_only=True)
class EnsureStore:
    """Tell the store of the tenant."""

    claim: Claim
    credentials: Credentials = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SettleStore:
    """Have the store end the tenant's earlier login, and take note that it did.

    Args:
        claim: of the tenant.
        credentials: that its pods run with.
        config: the Secret whose note goes, exactly as it was when it was judged.
    """

    claim: Claim
    credentials: Credentials = field(repr=False)
    config: SecretFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class Remove:
    """Delete an object that no plan makes any more."""

    stray: Stray


Change = AddFinalizer | CreateSecret | ReplaceSecret | Apply | Scale | ReserveClaim | EnsureStore | SettleStore | Remove


def plan(facts: Facts, assessment: Assessment, material: Material) -> tuple[Change, ...]:
    """Plan one wave; an empty one means that nothing differs or that something must be waited for.

    Args:
        facts: what is.
        assessment: the judgement on it.
        material: new content for what was judged missing or due.
    """
    if assessment.blocked:
        return ()
    if wire.TENANT_FINALIZER not in facts.tenant.metadata.finalizers:
        return (AddFinalizer(),)
    changes: tuple[Change, ...] = (*_secrets(facts, assessment, material), *_store(facts, assessment, material))
    if assessment.held:
        return changes
    ports = [port for part in assessment.parts or () for port in part.service_ports]
    changes = (
        *_apply(SERVICES, service(facts.tenant, ports), facts.service),
        *changes,
        *_kubeadm_config(facts),
        *_config_maps(facts, assessment),
        *_volume_claims(facts, assessment),
        *_deployment(facts, assessment),
    )
    return changes or _settle(facts, assessment) or _strays(facts, assessment)


def _apply(resource: Resource, intent: Mapping[str, Any], live: Mapping[str, Any] | None) -> tuple[Apply, ...]:
    if live is None:
        return (Apply(resource=resource, manifest=intent),)
    because = differences(dict(intent), dict(live), manager=wire.FIELD_OWNER)
    return (Apply(resource=resource, manifest=intent, because=tuple(because)),) if because else ()


def _strays(facts: Facts, assessment: Assessment) -> tuple[Remove, ...]:
    """What may go: pods of the present template run, and neither it nor a plugin needs any of it."""
    if not facts.strays or facts.deployment is None or not is_rolled_out(facts.deployment) or assessment.parts is None:
        return ()
    needed = mounted(facts.deployment) | _named_by_plugins(facts, assessment.parts)
    return tuple(Remove(stray=stray) for stray in facts.strays if (stray.resource.kind, stray.name) not in needed)


def _named_by_plugins(facts: Facts, parts: Iterable[ControlPlaneParts]) -> set[tuple[str, str]]:
    suffixes: dict[str, list[str]] = {SECRETS.kind: [], CONFIG_MAPS.kind: []}
    for part in parts:
        suffixes[SECRETS.kind] += [one.suffix for one in part.certificates] + [one.suffix for one in part.kubeconfigs]
        suffixes[CONFIG_MAPS.kind] += [one.suffix for one in part.config_maps]
    return {(kind, object_name(facts.tenant, suffix)) for kind, found in suffixes.items() for suffix in found}


def _secrets(facts: Facts, assessment: Assessment, material: Material) -> list[CreateSecret | ReplaceSecret]:
    changes: list[CreateSecret | ReplaceSecret] = []
    for suffix, data in material.data.items():
        annotations = rotation_record(facts.secrets.get(suffix), assessment.now)
        if suffix == STORE_CERTIFICATE and facts.store and facts.store.view:
            annotations[wire.STORE_DIGEST_ANNOTATION] = facts.store.view.content_digest
        manifest = secret(facts.tenant, suffix=suffix, data=data, annotations=annotations, **_form(suffix, assessment))
        existing = facts.secrets.get(suffix)
        if existing is None:
            changes.append(CreateSecret(manifest=manifest))
        else:
            if suffix == STORE_CONFIG and facts.deployment is not None:
                annotations = manifest["metadata"]["annotations"]
                annotations[wire.UNSETTLED_ANNOTATION] = assessment.now.strftime("%Y-%m-%dT%H:%M:%SZ")
            manifest["metadata"]["resourceVersion"] = existing.resource_version
            dropped = tuple(sorted(existing.digests.keys() - data.keys()))
            changes.append(ReplaceSecret(manifest=manifest, dropped=dropped))
    return changes


def _form(suffix: str, assessment: Assessment) -> dict[str, str]:
    """Type and lifecycle of a Secret that a plugin wants; those of the core's own follow from their suffix."""
    verdict = assessment.material.verdicts.get(suffix)
    if suffix in SECRET_SUFFIXES or verdict is None:
        return {}
    if isinstance(verdict.wanted, LeafWanted):
        return {"kind": "kubernetes.io/tls", "lifecycle": "x509"}
    return {"lifecycle": "kubeconfig"}


def rotation_record(existing: SecretFacts | None, now: datetime) -> dict[str, str]:
    """The annotation that tells when a requested rotation was done, for a Secret that asked for one."""
    if existing is None or not rotation_requested(existing):
        return {}
    return {wire.ROTATE_ANNOTATION: now.strftime("%Y-%m-%dT%H:%M:%SZ")}


def _kubeadm_config(facts: Facts) -> tuple[Apply, ...]:
    address = assigned_address(facts.tenant, facts.service)
    if address is None:
        return ()
    return _apply(CONFIG_MAPS, kubeadm_config_map(facts.tenant, address=address), facts.kubeadm_config)


def _store(facts: Facts, assessment: Assessment, material: Material) -> tuple[ReserveClaim | EnsureStore, ...]:
    if facts.store is None or not facts.store.ready:
        return ()
    if assessment.credentials_due and not assessment.owns_claim:
        return (ReserveClaim(claim=assessment.claim),)
    persisted = {STORE_CONFIG, STORE_CERTIFICATE} <= facts.secrets.keys() and material.credentials is None
    if assessment.ensure_due and persisted and facts.credentials:
        return (EnsureStore(claim=assessment.claim, credentials=facts.credentials),)
    return ()


def _settle(facts: Facts, assessment: Assessment) -> tuple[SettleStore, ...]:
    """The last of all, when nothing else differs: what the pods run with is then what the Secrets hold."""
    ready = facts.store is not None and facts.store.ready
    if not assessment.settle_due or not ready or assessment.ensure_due or facts.credentials is None:
        return ()
    config = facts.secrets[STORE_CONFIG]
    return (SettleStore(claim=assessment.claim, credentials=facts.credentials, config=config),)


def _config_maps(facts: Facts, assessment: Assessment) -> list[Apply]:
    wanted = [config_map(facts.tenant, one) for part in assessment.parts or () for one in part.config_maps]
    changes: list[Apply] = []
    for manifest in wanted:
        metadata = manifest["metadata"]
        changes += _apply(CONFIG_MAPS, manifest, facts.config_maps.get((metadata["namespace"], metadata["name"])))
    return changes


def _volume_claims(facts: Facts, assessment: Assessment) -> list[Apply]:
    wanted = [volume_claim(facts.tenant, claim) for part in assessment.parts or () for claim in part.claims]
    return [
        Apply(resource=PERSISTENT_VOLUME_CLAIMS, manifest=manifest)
        for manifest in wanted
        if (manifest["metadata"]["namespace"], manifest["metadata"]["name"]) not in facts.volume_claims
    ]


def _deployment(facts: Facts, assessment: Assessment) -> tuple[Apply | Scale, ...]:
    address = assigned_address(facts.tenant, facts.service)
    complete = assessment.material.complete() and {STORE_CONFIG, STORE_CERTIFICATE} <= facts.secrets.keys()
    if address is None or assessment.parts is None or not complete or assessment.ensure_due:
        return ()
    inputs = DeploymentInputs(
        tenant=facts.tenant,
        address=address,
        secrets=facts.secrets,
        parts=assessment.parts,
        many_replicas=many_replicas(facts),
        native_sidecars=facts.native_sidecars,
    )
    if facts.deployment is not None and _is_kept(inputs, facts.deployment):
        return _scale(facts, facts.deployment)
    changes = _apply(DEPLOYMENTS, deployment(inputs), facts.deployment)
    return tuple(replace(change, starts_pods=_starts_pods(change, facts.deployment)) for change in changes)


def _is_kept(inputs: DeploymentInputs, live: Mapping[str, Any]) -> bool:
    """Whether another revision of the renderer made it from the same inputs: then it is left as it is."""
    annotations = live["metadata"].get("annotations") or {}
    if annotations.get(wire.RENDERER_ANNOTATION, inputs.renderer) == inputs.renderer:
        return False
    return bool(annotations.get(wire.INPUTS_ANNOTATION) == inputs_digest(inputs))


def _scale(facts: Facts, live: Mapping[str, Any]) -> tuple[Scale, ...]:
    wanted, present = facts.tenant.spec.control_plane.deployment.replicas, live["spec"].get("replicas", 1)
    return () if wanted == present else (Scale(replicas=wanted, starts_pods=wanted > present),)


def _starts_pods(change: Apply, live: Mapping[str, Any] | None) -> bool:
    wanted = change.manifest["spec"]["replicas"]
    present = live["spec"].get("replicas", 1) if live else 0
    template = any(path.startswith("spec.template") for path in change.because)
    return wanted > 0 and (wanted > present or template)
