"""Certificates say what kubeadm's say, hold for the time that was asked, and are read back truly."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509

from kamaji_core.pki import (
    CertificateError,
    CertificateRequest,
    KeyAlgorithm,
    KeyPair,
    Usage,
    encode_key,
    generate_key,
    is_signed_by,
    issue_ca,
    issue_certificate,
    read_certificate,
)

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
YEAR = timedelta(hours=8760)
CLIENT = CertificateRequest(
    common_name="kubernetes-admin", organizations=("kubeadm:cluster-admins",), usages=frozenset({Usage.CLIENT})
)
SERVER = CertificateRequest(
    common_name="kube-apiserver",
    usages=frozenset({Usage.SERVER}),
    names=frozenset({"kubernetes", "10.96.0.1", "fd00::1"}),
)


@pytest.fixture
def authority() -> KeyPair:
    """An authority of ten years."""
    return issue_ca(common_name="kubernetes", now=NOW, lifetime=10 * YEAR)


def test_an_authority_has_kubeadms_shape(authority: KeyPair) -> None:
    """Common name and DNS name are the same, it may sign, and validity begins five minutes early."""
    facts = read_certificate(authority.certificate)
    assert facts.common_name == "kubernetes"
    assert facts.names == {"kubernetes"}
    assert facts.is_ca
    assert facts.not_before == NOW - timedelta(minutes=5)
    assert facts.not_after == NOW + 10 * YEAR
    assert is_signed_by(authority.certificate, authority.certificate)


def test_a_client_certificate_carries_user_and_groups(authority: KeyPair) -> None:
    """Kubernetes takes the user from the common name and groups from the organizations."""
    facts = read_certificate(issue_certificate(CLIENT, ca=authority, now=NOW, lifetime=YEAR).certificate)
    assert (facts.common_name, facts.organizations) == ("kubernetes-admin", ("kubeadm:cluster-admins",))
    assert facts.usages == {Usage.CLIENT}
    assert not facts.is_ca
    assert facts.not_after == NOW + YEAR


def test_a_serving_certificate_holds_names_and_addresses(authority: KeyPair) -> None:
    """IP addresses become IP entries, so that clients that dial an address accept it."""
    facts = read_certificate(issue_certificate(SERVER, ca=authority, now=NOW, lifetime=YEAR).certificate)
    assert facts.names == SERVER.names
    assert facts.usages == {Usage.SERVER}


def test_openssl_accepts_the_pair(authority: KeyPair, tmp_path: Path) -> None:
    """A TLS library can load chain and key as they are."""
    pair = issue_certificate(SERVER, ca=authority, now=datetime.now(UTC), lifetime=YEAR)
    file = tmp_path / "pair.pem"
    file.write_bytes(pair.certificate + pair.key)
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(file)


def test_a_leaf_never_outlives_its_authority() -> None:
    """A longer request is cut at the authority's end."""
    short = issue_ca(common_name="short", now=NOW, lifetime=timedelta(days=1))
    facts = read_certificate(issue_certificate(CLIENT, ca=short, now=NOW, lifetime=YEAR).certificate)
    assert facts.not_after == NOW + timedelta(days=1)


def test_another_authority_of_the_same_name_did_not_sign(authority: KeyPair) -> None:
    """The signature counts, not the name."""
    other = issue_ca(common_name="kubernetes", now=NOW, lifetime=YEAR)
    leaf = issue_certificate(CLIENT, ca=authority, now=NOW, lifetime=YEAR)
    assert is_signed_by(leaf.certificate, authority.certificate)
    assert not is_signed_by(leaf.certificate, other.certificate)
    assert not is_signed_by(b"rubbish", authority.certificate)


def test_an_rsa_authority_of_a_user_signs(authority: KeyPair) -> None:
    """Existing keys of other kinds are kept and used."""
    key = generate_key(KeyAlgorithm.RSA_2048)
    rsa_authority = issue_ca(common_name="kubernetes", now=NOW, lifetime=YEAR, key=key)
    leaf = issue_certificate(CLIENT, ca=rsa_authority, now=NOW, lifetime=YEAR)
    assert is_signed_by(leaf.certificate, rsa_authority.certificate)


def test_a_foreign_key_is_refused_before_anything_is_signed(authority: KeyPair) -> None:
    """Signing with a key that does not belong to the authority would make certificates nobody accepts."""
    foreign = encode_key(generate_key(KeyAlgorithm.ECDSA_P256))
    with pytest.raises(CertificateError, match="does not belong"):
        issue_certificate(CLIENT, ca=KeyPair(certificate=authority.certificate, key=foreign), now=NOW, lifetime=YEAR)
    with pytest.raises(CertificateError, match="unencrypted private key"):
        issue_certificate(CLIENT, ca=KeyPair(certificate=authority.certificate, key=b""), now=NOW, lifetime=YEAR)


def test_what_is_no_certificate_is_refused() -> None:
    """The message says what was expected."""
    with pytest.raises(CertificateError, match="not a certificate in PEM"):
        read_certificate(b"-----BEGIN NOTHING-----")


def test_a_pair_does_not_show_its_key() -> None:
    """Key material must not reach a log through a repr."""
    assert "PRIVATE" not in repr(issue_ca(common_name="kubernetes", now=NOW, lifetime=YEAR))


def test_serial_numbers_are_positive_and_fit_63_bits() -> None:
    """Go and Java both read such a serial as a signed 64-bit number."""
    pairs = [issue_ca(common_name="kubernetes", now=NOW, lifetime=YEAR) for _ in range(50)]
    serials = {x509.load_pem_x509_certificate(pair.certificate).serial_number for pair in pairs}
    assert len(serials) == len(pairs)
    assert all(0 < serial < 2**63 for serial in serials)
