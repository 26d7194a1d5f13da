"""Private keys: generated, written as kubeadm writes them, and read without the cost of a full RSA check.

Loading a checked RSA key holds the interpreter for 30 ms, a thousand times what an unchecked load takes, so the
check is asked for only where a key came from a user.
"""

from __future__ import annotations

import enum
import hashlib

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey


class KeyAlgorithm(enum.StrEnum):
    """The algorithms that keys are generated with; existing keys of other sizes are kept."""

    ECDSA_P256 = "ECDSA-P256"
    RSA_2048 = "RSA-2048"


def generate_key(algorithm: KeyAlgorithm) -> PrivateKey:
    """Generate a key: 0.01 ms for P-256; about 40 ms for RSA, which releases the GIL, so call that in a thread."""
    if algorithm is KeyAlgorithm.RSA_2048:
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return ec.generate_private_key(ec.SECP256R1())


def encode_key(key: PrivateKey) -> bytes:
    """Write a key in PEM as kubeadm does: `EC PRIVATE KEY` (SEC 1) or `RSA PRIVATE KEY` (PKCS #1)."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )


def encode_public_key(key: PrivateKey) -> bytes:
    """Write a key's public half in PEM as `PUBLIC KEY` (PKIX)."""
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def decode_key(pem: bytes, *, checked: bool = False) -> PrivateKey:
    """Read a private key from PEM: SEC 1, PKCS #1 or PKCS #8.

    Args:
        pem: the key.
        checked: verify an RSA key's primes, 30 ms with the GIL held; for keys that a user supplied.

    Raises:
        ValueError: when it is no RSA or elliptic-curve key in clear PEM.
    """
    try:
        key = serialization.load_pem_private_key(pem, password=None, unsafe_skip_rsa_key_validation=not checked)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ValueError("this is not an unencrypted private key in PEM") from error
    if not isinstance(key, PrivateKey):
        raise ValueError("the private key is neither RSA nor elliptic-curve")  # noqa: TRY004 - bad content, not a bad type
    return key


def public_key_digest(key: PrivateKey | PublicKey) -> str:
    """Digest of the public half (SHA-256 of its PKIX form, hex): equal for a key and its certificate."""
    public = key.public_key() if isinstance(key, PrivateKey) else key
    encoded = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(encoded).hexdigest()
