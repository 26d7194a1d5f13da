"""TLS for clients that log in with a certificate: `ssl` wants paths for it, and a key must not reach the disk."""

from __future__ import annotations

import os
import ssl


def tls_context(ca: bytes, *, certificate: bytes = b"", key: bytes = b"") -> ssl.SSLContext:
    """Make a context for a client; TLS 1.2 at least, the server's name is verified.

    Args:
        ca: certificates that the server's must be signed by, PEM.
        certificate: of the client, with its chain, PEM; empty for none.
        key: of the client, PEM, not encrypted.

    Raises:
        ValueError: when something cannot be read, or certificate and key are no pair; says which and quotes nothing.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_verify_locations(cadata=ca.decode("ascii"))
    except (ssl.SSLError, ValueError):
        raise ValueError("the authority holds no readable PEM certificate") from None
    if certificate:
        _load_pair(context, certificate, key)
    return context


def _load_pair(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    descriptor = os.memfd_create("client-certificate", os.MFD_CLOEXEC)
    with os.fdopen(descriptor, "wb") as file:
        file.write(certificate.rstrip() + b"\n" + key)
        file.flush()
        try:
            context.load_cert_chain(f"/proc/self/fd/{descriptor}", password=_no_password)
        except (ssl.SSLError, OSError, ValueError):
            raise ValueError("the client certificate and its key are no readable pair") from None


def _no_password() -> str:
    # Without it, OpenSSL asks on the terminal for the password of an encrypted key.
    raise ValueError("the key is encrypted")
