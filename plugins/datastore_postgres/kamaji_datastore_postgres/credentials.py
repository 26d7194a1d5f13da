"""A tenant's credentials at PostgreSQL: one of two logins, its password, and all of it as one connection string.

A login's password cannot be changed while pods run with it: they read it once, and every new connection with the old
one would fail until the last of them is replaced. So the owner role has two logins, and a renewal is the other login
with a password of its own.
"""

from __future__ import annotations

import re
import secrets
from datetime import timedelta
from typing import TYPE_CHECKING

from kamaji_core.contracts import Credentials, ProbeKind, StoreError, TlsMaterial
from kamaji_core.pki import (
    CertificateError,
    CertificateRequest,
    KeyPair,
    Usage,
    decode_key,
    is_signed_by,
    issue_certificate,
    public_key_digest,
    read_certificate,
)
from kamaji_datastore_postgres.names import logins_of
from kamaji_datastore_postgres.settings import config_of
from kamaji_kine import ENDPOINT, TlsFiles, connection_url

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from kamaji_core.contracts import Claim, StoreView
    from kamaji_datastore_postgres.settings import PostgresConfig

CA_FILE = "ca.crt"
CERTIFICATE_FILE = "server.crt"
KEY_FILE = "server.key"
"""Kamaji's names, so that a tenant taken over from it keeps its Secret."""

LIFETIME = timedelta(days=365)
RENEWAL_SHARE = 2 / 3
"""The part of its lifetime after which a client certificate is renewed; that rolls the tenant's pods."""

CONNECT_SECONDS = 10
"""After so long kine gives an address up and tries the next one."""

_PASSWORD_BYTES = 32
_PASSWORD = re.compile(r"[A-Za-z0-9_-]{43,}")
"""What we issue, and nothing else: it needs no escape anywhere and nobody thought of it."""


class AuthorityUnusableError(StoreError):
    """The store's authority cannot sign."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"The authority of spec.tlsConfig.certificateAuthority cannot sign tenants' certificates, {reason}: renew "
            f"it at PostgreSQL and in its Secret.",
            kind=ProbeKind.TLS,
            retry=False,
        )


def issue_credentials(
    store: StoreView, claim: Claim, *, current: Credentials | None, now: datetime, renew: bool
) -> Credentials:
    """Keep what is good of the present credentials and make the rest.

    Args:
        store: with settings that were found good.
        claim: the tenant's.
        current: those that it has.
        now: the present time, UTC.
        renew: whether the other login and a new password are wanted.

    Raises:
        AuthorityUnusableError: when client certificates are to be signed and cannot be.
    """
    config, tls = config_of(store), store.tls or TlsMaterial()
    user, password = _login(claim, current, renew=renew)
    files, not_after = _files(config, tls, user, current=current, now=now)
    settings = {ENDPOINT: _endpoint(store, config, database=claim.schema, user=user, password=password)}
    return Credentials(user=user, password=password, files=files, settings=settings, not_after=not_after)


def tls_files(store: StoreView) -> TlsFiles:
    """Tell which of the files kine reads."""
    config, tls = config_of(store), store.tls or TlsMaterial()
    has_pair = bool(tls.client_certificate) and (bool(tls.ca_key) or config.share_client_certificate)
    return TlsFiles(
        ca=CA_FILE if tls.ca_certificate else "",
        certificate=CERTIFICATE_FILE if has_pair else "",
        key=KEY_FILE if has_pair else "",
    )


def _login(claim: Claim, current: Credentials | None, *, renew: bool) -> tuple[str, str]:
    logins = logins_of(claim.user)
    if current is None or current.user not in logins:
        # Kamaji's login is the owner itself: it works on until the first of ours is settled.
        return logins[0], _new_password()
    if renew:
        return logins[1 - logins.index(current.user)], _new_password()
    if current.password is None or not _PASSWORD.fullmatch(current.password):
        return current.user, _new_password()
    return current.user, current.password


def _new_password() -> str:
    return secrets.token_urlsafe(_PASSWORD_BYTES)


def _endpoint(store: StoreView, config: PostgresConfig, *, database: str, user: str, password: str) -> str:
    parameters = {"sslmode": config.protection, "connect_timeout": str(CONNECT_SECONDS)}
    if len(store.endpoints) > 1:
        parameters["target_session_attrs"] = "read-write"
    return connection_url(
        "postgres",
        endpoints=store.endpoints,
        database=database,
        user=user,
        password=password,
        parameters=parameters,
    )


def _files(
    config: PostgresConfig, tls: TlsMaterial, user: str, *, current: Credentials | None, now: datetime
) -> tuple[dict[str, bytes], datetime | None]:
    files = {CA_FILE: tls.ca_certificate} if tls.ca_certificate else {}
    if not tls.client_certificate:
        return files, None
    if tls.ca_key:
        pair = _kept_pair(current.files if current else {}, tls, user, now=now) or _new_pair(tls, user, now=now)
        not_after = read_certificate(pair.certificate).not_after
    elif config.share_client_certificate:
        pair = KeyPair(certificate=tls.client_certificate, key=tls.client_key)
        not_after = read_certificate(pair.certificate).not_after
    else:
        return files, None
    return files | {CERTIFICATE_FILE: pair.certificate, KEY_FILE: pair.key}, not_after


def _kept_pair(files: Mapping[str, bytes], tls: TlsMaterial, user: str, *, now: datetime) -> KeyPair | None:
    certificate, key = files.get(CERTIFICATE_FILE, b""), files.get(KEY_FILE, b"")
    try:
        facts = read_certificate(certificate)
        fits = public_key_digest(decode_key(key)) == facts.public_key
    except ValueError:
        return None
    renewal = facts.not_before + (facts.not_after - facts.not_before) * RENEWAL_SHARE
    is_good = (
        fits
        and facts.common_name == user
        and Usage.CLIENT in facts.usages
        and facts.not_before <= now < renewal
        and is_signed_by(certificate, tls.ca_certificate)
    )
    return KeyPair(certificate=certificate, key=key) if is_good else None


def _new_pair(tls: TlsMaterial, user: str, *, now: datetime) -> KeyPair:
    request = CertificateRequest(common_name=user, usages=frozenset({Usage.CLIENT}))
    try:
        ends = read_certificate(tls.ca_certificate).not_after
        if ends <= now:
            raise AuthorityUnusableError(f"it ended on {ends:%Y-%m-%d %H:%M} UTC")
        authority = KeyPair(certificate=tls.ca_certificate, key=tls.ca_key)
        return issue_certificate(request, ca=authority, now=now, lifetime=LIFETIME)
    except CertificateError as error:
        raise AuthorityUnusableError(str(error)) from error
