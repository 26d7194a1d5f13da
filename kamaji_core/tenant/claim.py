"""A tenant's share of its store: the names it has there, and when its credentials or the store's knowledge are old.

Names come from the status (where the data is), then from the Secret of an earlier run or a restore, then from the
specification, then from the UID without dashes, which is short enough and lower-case enough for every store.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

from kamaji_core.api import labels as wire
from kamaji_core.certificates import rotation_requested
from kamaji_core.certificates.judge import RENEWAL_FRACTION
from kamaji_core.contracts import Claim
from kamaji_core.pki import CertificateError, is_signed_by, read_certificate
from kamaji_core.tenant.facts import STORE_CERTIFICATE, STORE_CONFIG

if TYPE_CHECKING:
    from datetime import datetime

    from kamaji_core.certificates import SecretFacts
    from kamaji_core.tenant.facts import Facts


def claim_of(facts: Facts) -> Claim:
    """Name the tenant's schema and user."""
    tenant = facts.tenant
    setup = tenant.status.storage.setup
    stored = facts.secrets[STORE_CONFIG].plain if STORE_CONFIG in facts.secrets else {}
    uid = tenant.metadata.uid.replace("-", "")
    schema = setup.schema or stored.get("DB_SCHEMA") or tenant.spec.data_store_schema or uid
    user = setup.user or stored.get("DB_USER") or tenant.spec.data_store_username or uid
    return Claim(
        tenant_uid=tenant.metadata.uid,
        namespace=tenant.metadata.namespace,
        name=tenant.metadata.name,
        schema=schema,
        user=user,
        recorded=(setup.schema, setup.user) == (schema, user) or _has_credentials_of(facts, user),
    )


def _has_credentials_of(facts: Facts, user: str) -> bool:
    """Whether the tenant holds a certificate of the store's own authority for this user, as after a restore.

    Only who was once given the user has one, so it proves as much as the status does.
    """
    files = facts.secrets.get(STORE_CERTIFICATE)
    authority = (
        facts.store.view.tls.ca_certificate if facts.store and facts.store.view and facts.store.view.tls else b""
    )
    if files is None or not authority:
        return False
    for name, pem in files.certificates.items():
        private_half = files.keys.get(f"{name.removesuffix('.crt')}.key", "")
        try:
            certificate = read_certificate(pem)
        except CertificateError:
            continue
        held = bool(private_half) and private_half == certificate.public_key
        if held and certificate.common_name == user and is_signed_by(pem, authority):
            return True
    return False


def credentials_due(facts: Facts, now: datetime) -> bool:
    """Whether the driver must be asked for credentials: none yet, for another state of the store, or ending."""
    config, files = facts.secrets.get(STORE_CONFIG), facts.secrets.get(STORE_CERTIFICATE)
    if config is None or files is None:
        return True
    if renewal_requested(facts):
        return True
    view = facts.store.view if facts.store else None
    if view and files.annotations.get(wire.STORE_DIGEST_ANNOTATION) != view.content_digest:
        return True
    renew_at = credentials_renew_at(files)
    return renew_at is not None and renew_at <= now


def renewal_requested(facts: Facts) -> bool:
    """Whether somebody asked for new store credentials, by either of their Secrets.

    While pods may still run with the earlier login, the request waits: a third one would end what they use.
    """
    asked = [facts.secrets[name] for name in (STORE_CONFIG, STORE_CERTIFICATE) if name in facts.secrets]
    return any(rotation_requested(secret) for secret in asked) and not unsettled(facts)


def unsettled(facts: Facts) -> bool:
    """Whether the store keeps an earlier login for pods that may still run with it."""
    config = facts.secrets.get(STORE_CONFIG)
    return config is not None and wire.UNSETTLED_ANNOTATION in config.annotations


def credentials_renew_at(files: SecretFacts) -> datetime | None:
    """When the first leaf certificate among a tenant's store credentials is due; None when none ends."""
    due = []
    for pem in files.certificates.values():
        try:
            certificate = read_certificate(pem)
        except CertificateError:
            continue
        if not certificate.is_ca:
            due.append(certificate.not_before + (certificate.not_after - certificate.not_before) * RENEWAL_FRACTION)
    return min(due, default=None)


def ensure_checksum(facts: Facts, claim: Claim) -> str:
    """Digest of what the store must know of the tenant; when it is recorded in the status, nothing is asked.

    Args:
        facts: with the Secret of the store's configuration.
        claim: the tenant's names at the store.
    """
    content = [
        facts.store_name,
        claim.tenant_uid,
        claim.schema,
        claim.user,
        facts.secrets[STORE_CONFIG].checksum,
    ]
    if facts.store and facts.store.view and facts.store.view.config:
        # A share may depend on the driver's settings, such as a limit of connections.
        content.append(msgspec.json.encode(facts.store.view.config, order="deterministic").decode())
    return hashlib.sha256("\0".join(content).encode()).hexdigest()[:32]
