"""Is this material good, due or foreign? A chain of named checks, each giving a reason and a sentence.

Existing Secrets are judged by meaning: key, chain, names and time, not by a checksum. What cannot be made again
without breaking a running cluster (authorities, the service account key) is never replaced: when it is gone or
broken on a provisioned tenant, the verdict is to stop.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kamaji_core.api import labels as wire
from kamaji_core.certificates.material import (
    AUTHORITIES,
    REFERENCE_CERTIFICATE,
    REFERENCE_KEY,
    REFERENCE_PRIVATE_KEY,
    AuthorityWanted,
    KubeconfigWanted,
    LeafWanted,
    ServiceAccountKeyWanted,
)
from kamaji_core.pki import CertificateError, CertificateFacts, is_signed_by, read_certificate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from datetime import datetime

    from kamaji_core.certificates.facts import SecretFacts
    from kamaji_core.certificates.material import KubeconfigUser, MaterialSpec
    from kamaji_core.pki import CertificateRequest

RENEWAL_FRACTION = 2 / 3
"""Share of a leaf's lifetime after which it is renewed."""


class Action(enum.Enum):
    """What a verdict asks for."""

    KEEP = "keep"
    ISSUE = "issue"
    WAIT = "wait"
    STOP = "stop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The judgement on one Secret.

    Args:
        wanted: what was judged.
        action: keep it, issue it, wait for its authority, or stop the tenant.
        reason: constant in CamelCase.
        message: one sentence for the user.
        renew_at: when it will be due, for material that is kept and ends.
    """

    wanted: MaterialSpec
    action: Action
    reason: str = "Good"
    message: str = ""
    renew_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The verdicts on all material of one tenant, by suffix."""

    verdicts: Mapping[str, Verdict]

    def to_issue(self) -> tuple[Verdict, ...]:
        """The verdicts that ask for something new."""
        return tuple(verdict for verdict in self.verdicts.values() if verdict.action is Action.ISSUE)

    def stops(self) -> tuple[Verdict, ...]:
        """The verdicts that stop the tenant."""
        return tuple(verdict for verdict in self.verdicts.values() if verdict.action is Action.STOP)

    def complete(self) -> bool:
        """Whether everything that was judged is good as it is."""
        return all(verdict.action is Action.KEEP for verdict in self.verdicts.values())

    def renew_at(self) -> datetime | None:
        """When the next certificate is due."""
        return min((verdict.renew_at for verdict in self.verdicts.values() if verdict.renew_at), default=None)


def judge(
    wanted: Iterable[MaterialSpec],
    *,
    secrets: Mapping[str, SecretFacts],
    provisioned: bool,
    now: datetime,
) -> Judgement:
    """Judge all material of a tenant.

    Args:
        wanted: what the tenant needs.
        secrets: the existing Secrets by suffix.
        provisioned: whether the tenant's control plane has run, so that lost authorities may not be made anew.
        now: present time, UTC.
    """
    verdicts: dict[str, Verdict] = {}
    for item in wanted:
        secret = secrets.get(item.suffix)
        if isinstance(item, AuthorityWanted):
            verdict = _judge_authority(item, secret, provisioned=provisioned, now=now)
        elif isinstance(item, ServiceAccountKeyWanted):
            verdict = _judge_service_account(item, secret, provisioned=provisioned)
        else:
            verdict = _judge_signed(item, secret, secrets.get(item.authority), now=now)
        verdicts[item.suffix] = verdict
    return Judgement(verdicts=verdicts)


def _judge_authority(
    wanted: AuthorityWanted, secret: SecretFacts | None, *, provisioned: bool, now: datetime
) -> Verdict:
    if secret is None:
        return _missing(wanted, "certificate authority", provisioned=provisioned)
    certificate, key = f"{wanted.file}.crt", f"{wanted.file}.key"
    try:
        facts = read_certificate(secret.certificates.get(certificate, b""))
    except CertificateError as error:
        return _stop(wanted, "Unreadable", f"{certificate} of Secret {secret.name}: {error}; restore it.")
    where = f"of Secret {secret.name}"
    if not facts.is_ca:
        return _stop(wanted, "NotAnAuthority", f"{certificate} {where} may not sign certificates.")
    if facts.public_key != secret.keys.get(key):
        return _stop(wanted, "KeyMismatch", f"{key} {where} does not belong to {certificate}; restore both.")
    return _judge_usable_authority(wanted, secret, facts, now)


def _judge_usable_authority(
    wanted: AuthorityWanted, secret: SecretFacts, facts: CertificateFacts, now: datetime
) -> Verdict:
    certificate = secret.certificates[f"{wanted.file}.crt"]
    what = f"{wanted.file}.crt of Secret {secret.name}"
    if keeps_its_key(secret) and not is_signed_by(certificate, certificate):
        remedy = f"have it renewed there, or remove the annotation {wire.ROTATE_ANNOTATION}"
        return _stop(wanted, "SignedElsewhere", f"{what} was signed by another authority: {remedy}.")
    if rotation_requested(secret):
        return _issue(wanted, "RotationRequested", "Its rotation was asked for.")
    if facts.not_after <= now:
        return _stop(wanted, "Expired", f"{what} ended at {facts.not_after:%F %T}Z.")
    return Verdict(wanted=wanted, action=Action.KEEP)


def _judge_service_account(
    wanted: ServiceAccountKeyWanted, secret: SecretFacts | None, *, provisioned: bool
) -> Verdict:
    if secret is None:
        return _missing(wanted, "service account key", provisioned=provisioned)
    if not secret.keys.get("sa.key"):
        return _stop(wanted, "Unreadable", f"sa.key of Secret {secret.name} is no private key in PEM; restore it.")
    if not secret.certificates.get("sa.pub"):
        return _stop(wanted, "Unreadable", f"sa.pub is missing in Secret {secret.name}; restore it.")
    return Verdict(wanted=wanted, action=Action.KEEP)


def _judge_signed(
    wanted: LeafWanted | KubeconfigWanted,
    secret: SecretFacts | None,
    authority: SecretFacts | None,
    *,
    now: datetime,
) -> Verdict:
    ca = authority.certificates.get(f"{AUTHORITIES[wanted.authority].file}.crt") if authority else None
    if not ca:
        message = f"It waits for its authority {wanted.authority}."
        return Verdict(wanted=wanted, action=Action.WAIT, reason="NoAuthority", message=message)
    if secret is None:
        return _issue(wanted, "Missing", "It does not exist yet.")
    if rotation_requested(secret):
        return _issue(wanted, "RotationRequested", "Its rotation was asked for.")
    renewals: list[datetime] = []
    for held in _held(wanted, secret):
        try:
            facts = read_certificate(held.certificate)
        except CertificateError as error:
            return _issue(wanted, "Unreadable", f"{held.what}: {error}.")
        renew_at = facts.not_before + (facts.not_after - facts.not_before) * RENEWAL_FRACTION
        case = _Case(facts=facts, held=held, ca=ca, renew_at=renew_at, now=now)
        for reason, check in _CHECKS:
            if message := check(case):
                return _issue(wanted, reason, f"{held.what} {message}.")
        renewals.append(renew_at)
    return Verdict(wanted=wanted, action=Action.KEEP, renew_at=min(renewals))


def rotation_requested(secret: SecretFacts) -> bool:
    """Whether somebody asked for new content."""
    return secret.annotations.get(wire.ROTATE_ANNOTATION) in {"", wire.NEW_KEY}


def keeps_its_key(secret: SecretFacts | None) -> bool:
    """Whether an authority is asked to be made anew with the key that it has."""
    return secret is not None and secret.annotations.get(wire.ROTATE_ANNOTATION) == ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """One certificate that a Secret holds, beside what it should be."""

    what: str
    request: CertificateRequest
    certificate: bytes
    key: str
    ca: bytes | None = None
    server: str = ""
    wanted_server: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    facts: CertificateFacts
    held: _Held
    ca: bytes
    renew_at: datetime
    now: datetime


def _trusts_authority(case: _Case) -> str:
    embedded = case.held.ca
    return "" if embedded is None or embedded.strip() == case.ca.strip() else "trusts another authority"


def _server(case: _Case) -> str:
    held = case.held
    return "" if held.server == held.wanted_server else f"names the server {held.server}, not {held.wanted_server}"


def _key_matches(case: _Case) -> str:
    return "" if case.facts.public_key == case.held.key else "has a key that does not belong to its certificate"


def _signed_by_authority(case: _Case) -> str:
    return "" if is_signed_by(case.held.certificate, case.ca) else "is not signed by the tenant's authority"


def _subject(case: _Case) -> str:
    wanted = case.held.request
    same = (case.facts.common_name, case.facts.organizations) == (
        wanted.common_name,
        tuple(sorted(wanted.organizations)),
    )
    return "" if same else f"is issued to {case.facts.common_name}, not to {wanted.common_name}"


def _usages(case: _Case) -> str:
    return "" if case.held.request.usages <= case.facts.usages else "lacks a key usage"


def _names(case: _Case) -> str:
    lacking = sorted(case.held.request.names - case.facts.names)
    return f"lacks the names {', '.join(lacking)}" if lacking else ""


def _time(case: _Case) -> str:
    return "" if case.now < case.renew_at else f"ends at {case.facts.not_after:%F %T}Z and is due for renewal"


_CHECKS: tuple[tuple[str, Callable[[_Case], str]], ...] = (
    ("ForeignAuthority", _trusts_authority),
    ("OtherServer", _server),
    ("KeyMismatch", _key_matches),
    ("ForeignAuthority", _signed_by_authority),
    ("OtherSubject", _subject),
    ("OtherUsage", _usages),
    ("NamesMissing", _names),
    ("Due", _time),
)


def _held(wanted: LeafWanted | KubeconfigWanted, secret: SecretFacts) -> Iterator[_Held]:
    if isinstance(wanted, LeafWanted):
        yield _Held(
            what=f"{wanted.file}.crt",
            request=wanted.request,
            certificate=secret.certificates.get(f"{wanted.file}.crt", b""),
            key=secret.keys.get(f"{wanted.file}.key", ""),
        )
        return
    for user in wanted.users:
        yield from _held_by_user(user, secret)


def _held_by_user(user: KubeconfigUser, secret: SecretFacts) -> Iterator[_Held]:
    for key, server in user.servers.items():
        found = secret.kubeconfigs.get(key)
        yield _Held(
            what=key,
            request=user.request,
            certificate=found.certificate if found else b"",
            key=found.key if found else "",
            ca=found.ca if found else None,
            server=found.server if found else server,
            wanted_server=server,
        )
    if user.files:
        present = REFERENCE_KEY in secret.digests
        yield _Held(
            what=REFERENCE_CERTIFICATE,
            request=user.request,
            certificate=secret.certificates.get(REFERENCE_CERTIFICATE, b"") if present else b"",
            key=secret.keys.get(REFERENCE_PRIVATE_KEY, ""),
        )


def _missing(wanted: AuthorityWanted | ServiceAccountKeyWanted, what: str, *, provisioned: bool) -> Verdict:
    if provisioned:
        return _stop(
            wanted,
            "Vanished",
            f"The {what} (Secret suffix {wanted.suffix}) of this running control plane is gone: restore the Secret "
            f"from a backup; a new one would lock out every node and client.",
        )
    return Verdict(wanted=wanted, action=Action.ISSUE, reason="Missing", message="It does not exist yet.")


def _stop(wanted: MaterialSpec, reason: str, message: str) -> Verdict:
    return Verdict(wanted=wanted, action=Action.STOP, reason=reason, message=message)


def _issue(wanted: MaterialSpec, reason: str, message: str) -> Verdict:
    return Verdict(wanted=wanted, action=Action.ISSUE, reason=reason, message=message)
