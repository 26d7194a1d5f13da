"""What is wrong with a DataStore before etcd is asked: its endpoints and its certificates and keys.

Each problem is a sentence that names the field and the remedy, and all of them are told at once.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING

from kamaji_core.contracts import TlsMaterial
from kamaji_core.pki import CertificateError, CertificateFacts, decode_key, public_key_digest, read_certificate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kamaji_core.contracts import StoreView

_HOST = re.compile(
    r"(?=.{1,253}$)[A-Za-z0-9]([-A-Za-z0-9_]*[A-Za-z0-9])?(\.[A-Za-z0-9]([-A-Za-z0-9_]*[A-Za-z0-9])?)*\.?"
)
_PORTS = range(1, 65536)

_CA = "spec.tlsConfig.certificateAuthority.certificate"
_CA_KEY = "spec.tlsConfig.certificateAuthority.privateKey"
_CLIENT = "spec.tlsConfig.clientCertificate.certificate"
_CLIENT_KEY = "spec.tlsConfig.clientCertificate.privateKey"


def problems_of(store: StoreView) -> tuple[str, ...]:
    """Tell everything that is wrong with a DataStore's settings, a sentence each."""
    return (*_endpoint_problems(store.endpoints), *_tls_problems(store.tls or TlsMaterial()))


def _endpoint_problems(endpoints: tuple[str, ...]) -> Iterator[str]:
    if not endpoints:
        yield "spec.endpoints is empty: name at least one etcd member as host:port."
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


def _tls_problems(tls: TlsMaterial) -> Iterator[str]:
    authority, problem = _certificate(_CA, tls.ca_certificate, purpose="etcd's members are verified with")
    yield from problem
    if authority and not authority.is_ca:
        yield f"{_CA} is not the certificate of an authority: give the one that signs etcd's clients."
    yield from _key_problems(_CA_KEY, tls.ca_key, of=_CA, certificate=authority, purpose="signs tenants' certificates")
    client, problem = _certificate(_CLIENT, tls.client_certificate, purpose="the operator logs in with")
    yield from problem
    if client and not client.common_name:
        yield f"{_CLIENT} has no common name: it must name an etcd user with the role root."
    yield from _key_problems(
        _CLIENT_KEY, tls.client_key, of=_CLIENT, certificate=client, purpose="the operator logs in with"
    )


def _certificate(field: str, content: bytes, *, purpose: str) -> tuple[CertificateFacts | None, tuple[str, ...]]:
    if not content:
        return None, (f"{field} is missing: name the certificate that {purpose}.",)
    try:
        return read_certificate(content), ()
    except CertificateError as error:
        return None, (f"{field} cannot be used, {error}: give one in PEM.",)


def _key_problems(
    field: str, content: bytes, *, of: str, certificate: CertificateFacts | None, purpose: str
) -> Iterator[str]:
    if not content:
        yield f"{field} is missing: name the private key that {purpose}."
        return
    try:
        key = decode_key(content)
    except ValueError as error:
        yield f"{field} cannot be used, {error}: give one in PEM."
        return
    if certificate and public_key_digest(key) != certificate.public_key:
        yield f"{field} does not belong to {of}: give the key of this certificate."
