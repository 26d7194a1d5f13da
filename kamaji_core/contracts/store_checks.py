"""What is wrong with a DataStore before its server is asked, as far as it is the same for every kind of server.

Endpoints are written alike whatever listens there, and a key fits its certificate or does not. Drivers say in their own
words what a missing certificate would be for. Apart from the contract's other names, so that only who checks
certificates loads what reads them.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING

from kamaji_core.pki import CertificateError, CertificateFacts, decode_key, public_key_digest, read_certificate

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

CA = "spec.tlsConfig.certificateAuthority.certificate"
CA_KEY = "spec.tlsConfig.certificateAuthority.privateKey"
CLIENT = "spec.tlsConfig.clientCertificate.certificate"
CLIENT_KEY = "spec.tlsConfig.clientCertificate.privateKey"

_LABEL = r"[A-Za-z0-9]([-A-Za-z0-9_]*[A-Za-z0-9])?"
_HOST = re.compile(rf"(?=.{{1,253}}$){_LABEL}(\.{_LABEL})*\.?")
_PORTS = range(1, 65536)


def endpoint_problems(endpoints: Iterable[str], *, server: str) -> Iterator[str]:
    """Tell what is wrong with `spec.endpoints`.

    Args:
        endpoints: as they are written.
        server: what listens there, such as `etcd member`.
    """
    written = tuple(endpoints)
    if not written:
        yield f"spec.endpoints is empty: name at least one {server} as host:port."
    for endpoint in written:
        if not _is_endpoint(endpoint):
            yield (
                f"spec.endpoints has {endpoint!r}: write host:port with a numeric port, an IPv6 address in brackets "
                f"and no scheme."
            )


def certificate_of(field: str, content: bytes, *, purpose: str = "") -> tuple[CertificateFacts | None, tuple[str, ...]]:
    """Read a certificate; gives None and what is wrong where it cannot be read.

    Args:
        field: that names it.
        content: PEM; empty where none is named.
        purpose: what it is needed for, as the end of "name the certificate that ..."; empty when it need not be there.
    """
    if not content:
        return None, ((f"{field} is missing: name the certificate that {purpose}.",) if purpose else ())
    try:
        return read_certificate(content), ()
    except CertificateError as error:
        return None, (f"{field} cannot be used, {error}: give one in PEM.",)


def key_problems(
    field: str, content: bytes, *, of: str, certificate: CertificateFacts | None, purpose: str
) -> Iterator[str]:
    """Tell what is wrong with a private key that must be there.

    Args:
        field: that names it.
        content: PEM; empty where none is named.
        of: field of the certificate that it belongs to.
        certificate: that one; None when it cannot be read.
        purpose: what the key is needed for, as the end of "name the private key that ...".
    """
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
