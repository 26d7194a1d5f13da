"""Keys, certificates and kubeconfigs, made and read in memory.

Everything here is a pure function of its arguments: the present time is passed in, nothing touches a disk or a
server. Policy (what is good, what is due) lives in `kamaji_core.certificates`; this package only knows X.509.
"""

from kamaji_core.pki.certificates import (
    CertificateError,
    CertificateFacts,
    CertificateRequest,
    KeyPair,
    Usage,
    is_signed_by,
    issue_ca,
    issue_certificate,
    read_certificate,
    renew_ca,
)
from kamaji_core.pki.context import tls_context
from kamaji_core.pki.keys import (
    KeyAlgorithm,
    PrivateKey,
    decode_key,
    encode_key,
    encode_public_key,
    generate_key,
    public_key_digest,
)
from kamaji_core.pki.kubeconfig import ClientFiles, kubeconfig, read_kubeconfig

__all__ = [
    "CertificateError",
    "CertificateFacts",
    "CertificateRequest",
    "ClientFiles",
    "KeyAlgorithm",
    "KeyPair",
    "PrivateKey",
    "Usage",
    "decode_key",
    "encode_key",
    "encode_public_key",
    "generate_key",
    "is_signed_by",
    "issue_ca",
    "issue_certificate",
    "kubeconfig",
    "public_key_digest",
    "read_certificate",
    "read_kubeconfig",
    "renew_ca",
    "tls_context",
]
