"""What is wrong with a DataStore before PostgreSQL is asked: endpoints, login, and how connections are protected.

Each problem is a sentence that names the field and the remedy, and all of them are told at once.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING

from kamaji_core.contracts import ConfigurationError, TlsMaterial
from kamaji_core.pki import CertificateError, CertificateFacts, decode_key, public_key_digest, read_certificate
from kamaji_datastore_postgres.settings import config_of, login_of
from kamaji_kine import kine_problems

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kamaji_core.contracts import BasicAuth, StoreView
    from kamaji_datastore_postgres.settings import PostgresConfig

_LABEL = r"[A-Za-z0-9]([-A-Za-z0-9_]*[A-Za-z0-9])?"
_HOST = re.compile(rf"(?=.{{1,253}}$){_LABEL}(\.{_LABEL})*\.?")
_PORTS = range(1, 65536)

_CA = "spec.tlsConfig.certificateAuthority.certificate"
_CA_KEY = "spec.tlsConfig.certificateAuthority.privateKey"
_CLIENT = "spec.tlsConfig.clientCertificate.certificate"
_CLIENT_KEY = "spec.tlsConfig.clientCertificate.privateKey"


def problems_of(store: StoreView) -> tuple[str, ...]:
    """Tell everything that is wrong with a DataStore's settings, a sentence each."""
    try:
        config = config_of(store)
    except ConfigurationError as error:
        return (str(error),)
    return (
        *_endpoint_problems(store.endpoints),
        *_login_problems(store, store.basic_auth),
        *_protection_problems(store, config),
        *_certificate_problems(store.tls or TlsMaterial()),
        *kine_problems(config.kine),
    )


def _endpoint_problems(endpoints: tuple[str, ...]) -> Iterator[str]:
    if not endpoints:
        yield "spec.endpoints is empty: name at least one PostgreSQL server as host:port."
    for endpoint in endpoints:
        if not _is_endpoint(endpoint):
            yield (
                f"spec.endpoints has {endpoint!r}: write host:port with a numeric port, an IPv6 address in brackets "
                f"and no scheme."
            )


def _is_endpoint(endpoint: str) -> bool:
    host, _, port = endpoint.rpartition(":")
    if not (port.isascii() and port.isdecimal() and int(port) in _PORTS):
        return False
    if host.startswith("[") and host.endswith("]"):
        try:
            ipaddress.IPv6Address(host[1:-1])
        except ValueError:
            return False
        return True
    return _HOST.fullmatch(host) is not None


def _login_problems(store: StoreView, basic_auth: BasicAuth | None) -> Iterator[str]:
    if basic_auth is None:
        if not login_of(store):
            yield (
                "Nothing tells which role the operator logs in as: set spec.basicAuth, or a "
                "spec.tlsConfig.clientCertificate whose common name is the role."
            )
        return
    for field, value in (("username", basic_auth.username), ("password", basic_auth.password)):
        if not value:
            yield f"spec.basicAuth.{field} is empty: give the operator's own login at PostgreSQL."
        elif value != value.strip("\r\n") or "\0" in value:
            yield f"spec.basicAuth.{field} holds a line break or NUL at an end: write it without."


def _protection_problems(store: StoreView, config: PostgresConfig) -> Iterator[str]:
    has_authority = store.tls is not None and bool(store.tls.ca_certificate)
    if config.protection.startswith("verify-") and not has_authority:
        yield (
            f"{_CA} is missing, so the server cannot be verified: name its authority, or set spec.config.sslmode to "
            f"require (encrypted, to whoever answers) or disable (plain text)."
        )
    if not config.protection.startswith("verify-") and store.tls is not None:
        yield (
            f"spec.config.sslmode is {config.protection}, which makes no use of spec.tlsConfig: set it to verify-full "
            f"or verify-ca, or remove spec.tlsConfig."
        )
    if config.share_client_certificate and not (store.tls and store.tls.client_certificate):
        yield f"spec.config.shareClientCertificate is set and there is no {_CLIENT}: name one or remove the setting."


def _certificate_problems(tls: TlsMaterial) -> Iterator[str]:
    authority, problem = _certificate(_CA, tls.ca_certificate)
    yield from problem
    if authority and not authority.is_ca:
        yield f"{_CA} is not the certificate of an authority: give the one that signs the server's."
    if tls.ca_key:
        yield from _key_problems(_CA_KEY, tls.ca_key, of=_CA, certificate=authority)
    client, problem = _certificate(_CLIENT, tls.client_certificate)
    yield from problem
    if tls.client_certificate or tls.client_key:
        yield from _key_problems(_CLIENT_KEY, tls.client_key, of=_CLIENT, certificate=client)
    if tls.client_key and not tls.client_certificate:
        yield f"{_CLIENT} is missing: name the certificate that belongs to {_CLIENT_KEY}."


def _certificate(field: str, content: bytes) -> tuple[CertificateFacts | None, tuple[str, ...]]:
    if not content:
        return None, ()
    try:
        return read_certificate(content), ()
    except CertificateError as error:
        return None, (f"{field} cannot be used, {error}: give one in PEM.",)


def _key_problems(field: str, content: bytes, *, of: str, certificate: CertificateFacts | None) -> Iterator[str]:
    if not content:
        yield f"{field} is missing: name the private key that belongs to {of}."
        return
    try:
        key = decode_key(content)
    except ValueError as error:
        yield f"{field} cannot be used, {error}: give one in PEM."
        return
    if certificate and public_key_digest(key) != certificate.public_key:
        yield f"{field} does not belong to {of}: give the key of this certificate."
