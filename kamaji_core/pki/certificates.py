"""X.509 certificates with kubeadm's shape, and the facts about existing ones that policy needs.

Differences from kubeadm are deliberate: validity counts from the `now` that is passed in (kubeadm's counts from the
start of the process), with the same five minutes of allowance for clocks that are behind.
"""

from __future__ import annotations

import enum
import ipaddress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from kamaji_core.pki.keys import KeyAlgorithm, PrivateKey, decode_key, encode_key, generate_key, public_key_digest

CLOCK_ALLOWANCE = timedelta(minutes=5)
"""How far before `now` a certificate's validity begins (kubeadm's value)."""

SERIAL_BITS = 63


class CertificateError(ValueError):
    """A certificate or key cannot be used; the message says which and why."""


class Usage(enum.StrEnum):
    """Extended key usages that control plane certificates need."""

    CLIENT = "client auth"
    SERVER = "server auth"


_USAGE_OIDS = {Usage.CLIENT: ExtendedKeyUsageOID.CLIENT_AUTH, Usage.SERVER: ExtendedKeyUsageOID.SERVER_AUTH}


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPair:
    """A certificate and its private key, both PEM."""

    certificate: bytes
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateRequest:
    """What a leaf certificate must say.

    Args:
        common_name: the user name for clients.
        usages: extended key usages.
        organizations: the groups for clients.
        names: subject alternative names; those that parse as IP addresses become IP entries.
    """

    common_name: str
    usages: frozenset[Usage]
    organizations: tuple[str, ...] = ()
    names: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateFacts:
    """What policy needs to know of an existing certificate; holds nothing secret.

    Args:
        common_name: of the subject.
        organizations: of the subject, sorted.
        names: subject alternative names, DNS and IP alike as text.
        usages: the extended key usages known to `Usage`.
        not_before: start of validity, UTC.
        not_after: end of validity, UTC.
        is_ca: by its basic constraints.
        public_key: digest of its public key, comparable with `public_key_digest` of a private key.
        fingerprint: SHA-256 of the DER form, hex.
    """

    common_name: str
    organizations: tuple[str, ...]
    names: frozenset[str]
    usages: frozenset[Usage]
    not_before: datetime
    not_after: datetime
    is_ca: bool
    public_key: str
    fingerprint: str


def issue_ca(*, common_name: str, now: datetime, lifetime: timedelta, key: PrivateKey | None = None) -> KeyPair:
    """Make a self-signed certificate authority as kubeadm's: the common name is also its DNS name.

    Args:
        common_name: `kubernetes` or `front-proxy-ca` in a control plane.
        now: present time, UTC.
        lifetime: counted from `now`.
        key: generated (P-256) when not given.
    """
    key = key or generate_key(KeyAlgorithm.ECDSA_P256)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    subject_key = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    builder = (
        _builder(subject=name, issuer=name, public_key=key.public_key(), now=now, not_after=now + lifetime)
        .add_extension(_key_usage(ca=True), critical=True)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(subject_key, critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(common_name)]), critical=False)
    )
    return KeyPair(certificate=_sign(builder, key), key=encode_key(key))


def renew_ca(pair: KeyPair, *, now: datetime, lifetime: timedelta) -> KeyPair:
    """Make the certificate of an authority anew, with its key: whoever trusts either trusts what both signed.

    Args:
        pair: of the authority, which signed itself.
        now: present time, UTC.
        lifetime: counted from `now`.

    Raises:
        CertificateError: when another authority signed it, so that only that one can renew it, or when its key cannot
            be used.
    """
    earlier = _load(pair.certificate)
    if earlier.issuer != earlier.subject:
        raise CertificateError("the authority was signed by another one, which alone can renew it")
    key = _signing_key(pair, earlier)
    builder = _builder(
        subject=earlier.subject,
        issuer=earlier.subject,
        public_key=key.public_key(),
        now=now,
        not_after=now + lifetime,
    )
    for extension in earlier.extensions:
        builder = builder.add_extension(extension.value, critical=extension.critical)
    return KeyPair(certificate=_sign(builder, key), key=pair.key)


def issue_certificate(
    request: CertificateRequest,
    *,
    ca: KeyPair,
    now: datetime,
    lifetime: timedelta,
    key: PrivateKey | None = None,
) -> KeyPair:
    """Make a leaf certificate; it never outlives its authority.

    Args:
        request: what it must say.
        ca: the authority's certificate and key.
        now: present time, UTC.
        lifetime: counted from `now`, cut at the authority's end.
        key: the leaf's key, generated (P-256) when not given.

    Raises:
        CertificateError: when the authority cannot be read or its key does not belong to its certificate.
    """
    authority = _load(ca.certificate)
    signing_key = _signing_key(ca, authority)
    key = key or generate_key(KeyAlgorithm.ECDSA_P256)
    attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, name) for name in request.organizations]
    attributes.append(x509.NameAttribute(NameOID.COMMON_NAME, request.common_name))
    builder = (
        _builder(
            subject=x509.Name(attributes),
            issuer=authority.subject,
            public_key=key.public_key(),
            now=now,
            not_after=min(now + lifetime, authority.not_valid_after_utc),
        )
        .add_extension(_key_usage(ca=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([_USAGE_OIDS[usage] for usage in sorted(request.usages)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_authority_key(authority), critical=False)
    )
    if request.names:
        names = [_general_name(name) for name in sorted(request.names)]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return KeyPair(certificate=_sign(builder, signing_key), key=encode_key(key))


def read_certificate(pem: bytes) -> CertificateFacts:
    """Read the first certificate of a PEM file.

    Raises:
        CertificateError: when there is none.
    """
    certificate = _load(pem)
    common_names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    organizations = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    return CertificateFacts(
        common_name=str(common_names[0].value) if common_names else "",
        organizations=tuple(sorted(str(attribute.value) for attribute in organizations)),
        names=_names(certificate),
        usages=_usages(certificate),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        is_ca=_is_ca(certificate),
        public_key=_public_key_digest(certificate),
        fingerprint=certificate.fingerprint(hashes.SHA256()).hex(),
    )


def is_signed_by(certificate: bytes, ca: bytes) -> bool:
    """Whether the first certificate of `certificate` carries a signature of the first one of `ca` (both PEM)."""
    try:
        _load(certificate).verify_directly_issued_by(_load(ca))
    except (InvalidSignature, ValueError, TypeError, UnsupportedAlgorithm):
        return False
    return True


def _load(pem: bytes) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(pem)
    except ValueError as error:
        raise CertificateError("this is not a certificate in PEM") from error


def _signing_key(ca: KeyPair, authority: x509.Certificate) -> PrivateKey:
    try:
        key = decode_key(ca.key)
    except ValueError as error:
        raise CertificateError(f"the key of the certificate authority: {error}") from error
    if public_key_digest(key) != _public_key_digest(authority):
        raise CertificateError("the key of the certificate authority does not belong to its certificate")
    return key


def _builder(
    *,
    subject: x509.Name,
    issuer: x509.Name,
    public_key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey,
    now: datetime,
    not_after: datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number() >> (159 - SERIAL_BITS) or 1)
        .not_valid_before(now - CLOCK_ALLOWANCE)
        .not_valid_after(not_after)
    )


def _sign(builder: x509.CertificateBuilder, key: PrivateKey) -> bytes:
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _key_usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_encipherment=True,
        key_cert_sign=ca,
        content_commitment=False,
        data_encipherment=False,
        key_agreement=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _authority_key(authority: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    try:
        identifier = authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    except x509.ExtensionNotFound:
        public = authority.public_key()
        if not isinstance(public, ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
            raise CertificateError("the certificate authority's key is neither RSA nor elliptic-curve") from None
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(public)
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier.value)


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _names(certificate: x509.Certificate) -> frozenset[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return frozenset()
    addresses = {str(address) for address in names.get_values_for_type(x509.IPAddress)}
    return frozenset(names.get_values_for_type(x509.DNSName)) | addresses


def _usages(certificate: x509.Certificate) -> frozenset[Usage]:
    try:
        present = set(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    except x509.ExtensionNotFound:
        return frozenset()
    return frozenset(usage for usage, oid in _USAGE_OIDS.items() if oid in present)


def _is_ca(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _public_key_digest(certificate: x509.Certificate) -> str:
    public = certificate.public_key()
    if not isinstance(public, ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
        raise CertificateError("the certificate's key is neither RSA nor elliptic-curve")
    return public_key_digest(public)
