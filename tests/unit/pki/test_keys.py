"""Keys are written as kubeadm writes them and read back, whatever their form."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from kamaji_core.pki import (
    KeyAlgorithm,
    decode_key,
    encode_key,
    encode_public_key,
    generate_key,
    public_key_digest,
)


@pytest.mark.parametrize(
    ("algorithm", "header"),
    [
        (KeyAlgorithm.ECDSA_P256, b"-----BEGIN EC PRIVATE KEY-----"),
        (KeyAlgorithm.RSA_2048, b"-----BEGIN RSA PRIVATE KEY-----"),
    ],
)
def test_a_key_is_written_in_kubeadms_form_and_read_back(algorithm: KeyAlgorithm, header: bytes) -> None:
    """The PEM header is the one kubeadm writes, and nothing is lost on the way."""
    key = generate_key(algorithm)
    pem = encode_key(key)
    assert pem.startswith(header)
    assert public_key_digest(decode_key(pem)) == public_key_digest(key)
    assert public_key_digest(decode_key(pem, checked=True)) == public_key_digest(key)


def test_a_pkcs8_key_is_read() -> None:
    """Users bring PKCS #8 as well."""
    key = generate_key(KeyAlgorithm.ECDSA_P256)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    assert public_key_digest(decode_key(pem)) == public_key_digest(key)


@pytest.mark.parametrize(
    "content", [b"", b"not a key", b"-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n"]
)
def test_what_is_no_key_is_refused_with_a_sentence(content: bytes) -> None:
    """The message says what was expected."""
    with pytest.raises(ValueError, match="not an unencrypted private key in PEM"):
        decode_key(content)


def test_an_encrypted_key_is_refused() -> None:
    """Nobody is there to type a password."""
    pem = generate_key(KeyAlgorithm.ECDSA_P256).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"password"),
    )
    with pytest.raises(ValueError, match="unencrypted"):
        decode_key(pem)


def test_a_key_of_another_algorithm_is_refused() -> None:
    """Kubernetes components do not take Ed25519 everywhere."""
    pem = ed25519.Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with pytest.raises(ValueError, match="neither RSA nor elliptic-curve"):
        decode_key(pem)


def test_the_public_half_is_written_as_pkix() -> None:
    """This is the form that kube-apiserver reads service account keys in."""
    assert encode_public_key(generate_key(KeyAlgorithm.ECDSA_P256)).startswith(b"-----BEGIN PUBLIC KEY-----")
