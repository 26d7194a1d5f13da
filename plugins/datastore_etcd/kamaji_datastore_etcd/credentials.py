"""A tenant's credentials at etcd: a client certificate whose common name is the user, signed by the store's authority.

etcd knows users by their certificate alone; there is no password anywhere. File names are Kamaji's, so that a tenant
taken over from it keeps its Secret.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from kamaji_core.contracts import Credentials, ProbeKind, StoreError, TlsMaterial
from kamaji_core.pki import (
    CertificateError,
    CertificateFacts,
    CertificateRequest,
    KeyPair,
    Usage,
    decode_key,
    is_signed_by,
    issue_certificate,
    public_key_digest,
    read_certificate,
)

if TYPE_CHECKING:
    from datetime import datetime

CA_FILE = "ca.crt"
CERTIFICATE_FILE = "server.crt"
KEY_FILE = "server.key"

LIFETIME = timedelta(days=365)

RENEWAL_SHARE = 2 / 3
"""The part of its lifetime after which a certificate is renewed; kube-apiserver picks the new one up by itself."""


class AuthorityUnusableError(StoreError):
    """The store's authority cannot sign."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"The authority of spec.tlsConfig.certificateAuthority cannot sign tenants' certificates, {reason}: renew "
            f"it at etcd and in its Secret.",
            kind=ProbeKind.TLS,
            retry=False,
        )


def issue_credentials(tls: TlsMaterial, *, user: str, now: datetime) -> Credentials:
    """Make a new key and certificate, valid for a year but never longer than the authority.

    Args:
        tls: of the store, with the authority's certificate and key.
        user: the common name.
        now: present time, UTC.

    Raises:
        AuthorityUnusableError: when the authority has ended or its key does not fit.
    """
    request = CertificateRequest(common_name=user, usages=frozenset({Usage.CLIENT}))
    authority = KeyPair(certificate=tls.ca_certificate, key=tls.ca_key)
    try:
        ends = read_certificate(tls.ca_certificate).not_after
        if ends <= now:
            raise AuthorityUnusableError(f"it ended on {ends:%Y-%m-%d %H:%M} UTC")
        pair = issue_certificate(request, ca=authority, now=now, lifetime=LIFETIME)
    except CertificateError as error:
        raise AuthorityUnusableError(str(error)) from error
    files = {CA_FILE: tls.ca_certificate, CERTIFICATE_FILE: pair.certificate, KEY_FILE: pair.key}
    return Credentials(user=user, files=files, not_after=min(now + LIFETIME, ends))


def are_good(current: Credentials, tls: TlsMaterial, *, user: str, now: datetime) -> bool:
    """Whether credentials still log the user in and need no renewal yet; told by their content alone."""
    certificate = current.files.get(CERTIFICATE_FILE, b"")
    try:
        facts = read_certificate(certificate)
        key = decode_key(current.files.get(KEY_FILE, b""))
    except ValueError:
        return False
    return (
        current.user == user == facts.common_name
        and current.files.get(CA_FILE) == tls.ca_certificate
        and Usage.CLIENT in facts.usages
        and public_key_digest(key) == facts.public_key
        and facts.not_before <= now < renewal_of(facts)
        and is_signed_by(certificate, tls.ca_certificate)
    )


def renewal_of(facts: CertificateFacts) -> datetime:
    """Tell when a certificate is to be renewed."""
    return facts.not_before + (facts.not_after - facts.not_before) * RENEWAL_SHARE
