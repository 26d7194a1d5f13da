"""Tenants' client certificates: what is issued, what is kept, what is renewed."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from kamaji_core.contracts import Claim, Credentials, ProbeKind, StoreError, StoreView
from kamaji_core.pki import (
    CertificateRequest,
    KeyAlgorithm,
    KeyPair,
    Usage,
    decode_key,
    encode_key,
    generate_key,
    is_signed_by,
    issue_ca,
    issue_certificate,
    public_key_digest,
    read_certificate,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from kamaji_datastore_etcd import EtcdDriver

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
YEAR = timedelta(days=365)


@pytest.fixture(scope="module")
def dated_authority() -> KeyPair:
    """An authority whose validity counts from the same day as the tests."""
    return issue_ca(common_name="etcd-ca", now=NOW, lifetime=timedelta(days=3650))


@pytest.fixture
def dated_store(paper_store: StoreView, dated_authority: KeyPair) -> StoreView:
    """A store with that authority."""
    return with_authority(paper_store, dated_authority)


def with_authority(store: StoreView, authority: KeyPair) -> StoreView:
    """The same store with another authority."""
    assert store.tls is not None
    tls = dataclasses.replace(store.tls, ca_certificate=authority.certificate, ca_key=authority.key)
    return dataclasses.replace(store, tls=tls)


@pytest.fixture
def issued(driver: EtcdDriver, dated_store: StoreView, claim: Claim) -> Credentials:
    """A tenant's first credentials."""
    return driver.issue(dated_store, claim, current=None, now=NOW)


def test_a_client_certificate_names_the_user(issued: Credentials, claim: Claim, dated_authority: KeyPair) -> None:
    """It is a P-256 client certificate of the store's authority, valid for a year, with Kamaji's file names."""
    assert set(issued.files) == {"ca.crt", "server.crt", "server.key"}
    facts = read_certificate(issued.files["server.crt"])
    assert (facts.common_name, facts.usages, facts.is_ca) == (claim.user, {Usage.CLIENT}, False)
    assert facts.organizations == ()
    assert facts.public_key == public_key_digest(decode_key(issued.files["server.key"]))
    assert b"EC PRIVATE KEY" in issued.files["server.key"]
    assert is_signed_by(issued.files["server.crt"], dated_authority.certificate)
    assert issued.files["ca.crt"] == dated_authority.certificate
    assert facts.not_after == issued.not_after == NOW + YEAR
    assert (issued.user, issued.password) == (claim.user, None)


def test_nothing_secret_shows_in_its_text(issued: Credentials) -> None:
    """Credentials that are printed by mistake show no key."""
    assert "PRIVATE" not in repr(issued)


@pytest.mark.parametrize("age", [timedelta(0), timedelta(minutes=1), timedelta(days=243)])
def test_good_credentials_are_kept(
    driver: EtcdDriver, dated_store: StoreView, claim: Claim, issued: Credentials, age: timedelta
) -> None:
    """Up to two thirds of the lifetime the very same credentials come back."""
    assert driver.issue(dated_store, claim, current=issued, now=NOW + age) is issued


@pytest.mark.parametrize("age", [timedelta(days=244), YEAR, 2 * YEAR])
def test_due_credentials_are_renewed(
    driver: EtcdDriver, dated_store: StoreView, claim: Claim, issued: Credentials, age: timedelta
) -> None:
    """After two thirds of the lifetime a new certificate is issued, whose year counts from now."""
    renewed = driver.issue(dated_store, claim, current=issued, now=NOW + age)
    assert renewed.not_after == NOW + age + YEAR
    assert renewed.files["server.key"] != issued.files["server.key"]


@pytest.mark.parametrize("name", ["ca.crt", "server.crt", "server.key"])
@pytest.mark.parametrize("content", [None, b"", b"damaged"])
def test_a_missing_or_damaged_file_renews(
    driver: EtcdDriver, dated_store: StoreView, claim: Claim, issued: Credentials, name: str, content: bytes | None
) -> None:
    """Each of the three files is needed."""
    files = {key: value for key, value in issued.files.items() if key != name}
    if content is not None:
        files[name] = content
    damaged = dataclasses.replace(issued, files=files)
    renewed = driver.issue(dated_store, claim, current=damaged, now=NOW)
    assert renewed is not damaged
    assert set(renewed.files) == {"ca.crt", "server.crt", "server.key"}


def test_a_key_of_another_certificate_renews(
    driver: EtcdDriver, dated_store: StoreView, claim: Claim, issued: Credentials
) -> None:
    """Certificate and key must belong together."""
    stranger = encode_key(generate_key(KeyAlgorithm.ECDSA_P256))
    mixed = dataclasses.replace(issued, files={**issued.files, "server.key": stranger})
    assert driver.issue(dated_store, claim, current=mixed, now=NOW) is not mixed


def test_another_user_s_certificate_renews(
    driver: EtcdDriver, dated_store: StoreView, make_claim: Callable[..., Claim], issued: Credentials
) -> None:
    """The common name decides whom etcd sees, so it must be the claim's user."""
    other = make_claim()
    relabelled = dataclasses.replace(issued, user=other.user)
    renewed = driver.issue(dated_store, other, current=relabelled, now=NOW)
    assert read_certificate(renewed.files["server.crt"]).common_name == other.user


def test_a_new_authority_renews(driver: EtcdDriver, dated_store: StoreView, claim: Claim, issued: Credentials) -> None:
    """When the store's authority changes, the certificate and ca.crt follow."""
    authority = issue_ca(common_name="etcd-ca", now=NOW, lifetime=10 * YEAR)
    renewed = driver.issue(with_authority(dated_store, authority), claim, current=issued, now=NOW)
    assert renewed.files["ca.crt"] == authority.certificate
    assert is_signed_by(renewed.files["server.crt"], authority.certificate)


def test_a_forged_signature_renews(
    driver: EtcdDriver, dated_store: StoreView, claim: Claim, issued: Credentials
) -> None:
    """The same names signed by another key are not good, although ca.crt is right."""
    forger = issue_ca(common_name="etcd-ca", now=NOW, lifetime=YEAR)
    request = CertificateRequest(common_name=claim.user, usages=frozenset({Usage.CLIENT}))
    pair = issue_certificate(request, ca=forger, now=NOW, lifetime=YEAR)
    forged = dataclasses.replace(issued, files={**issued.files, "server.crt": pair.certificate, "server.key": pair.key})
    assert driver.issue(dated_store, claim, current=forged, now=NOW) is not forged


def test_a_serving_certificate_renews(
    driver: EtcdDriver, dated_store: StoreView, dated_authority: KeyPair, claim: Claim, issued: Credentials
) -> None:
    """The server accepts only certificates that are meant for clients."""
    request = CertificateRequest(common_name=claim.user, usages=frozenset({Usage.SERVER}))
    pair = issue_certificate(request, ca=dated_authority, now=NOW, lifetime=YEAR)
    serving = dataclasses.replace(
        issued, files={**issued.files, "server.crt": pair.certificate, "server.key": pair.key}
    )
    assert driver.issue(dated_store, claim, current=serving, now=NOW) is not serving


def test_a_kept_rsa_certificate_is_good(
    driver: EtcdDriver, dated_store: StoreView, dated_authority: KeyPair, claim: Claim, issued: Credentials
) -> None:
    """Credentials that Kamaji issued with an RSA key are kept until they are due."""
    request = CertificateRequest(common_name=claim.user, usages=frozenset({Usage.CLIENT, Usage.SERVER}))
    key = generate_key(KeyAlgorithm.RSA_2048)
    pair = issue_certificate(request, ca=dated_authority, now=NOW, lifetime=YEAR, key=key)
    kamajis = dataclasses.replace(
        issued, files={**issued.files, "server.crt": pair.certificate, "server.key": pair.key}
    )
    assert driver.issue(dated_store, claim, current=kamajis, now=NOW) is kamajis


def test_a_certificate_never_outlives_its_authority(driver: EtcdDriver, paper_store: StoreView, claim: Claim) -> None:
    """Near the authority's end the certificate ends with it, and the credentials say so."""
    authority = issue_ca(common_name="etcd-ca", now=NOW, lifetime=timedelta(days=30))
    credentials = driver.issue(with_authority(paper_store, authority), claim, current=None, now=NOW)
    ends = read_certificate(credentials.files["server.crt"]).not_after
    assert ends == credentials.not_after == NOW + timedelta(days=30)


def test_an_ended_authority_signs_nothing(driver: EtcdDriver, dated_store: StoreView, claim: Claim) -> None:
    """The error says when the authority ended and that it must be renewed."""
    with pytest.raises(StoreError, match="it ended on 2036-05-29 12:00 UTC: renew it") as caught:
        driver.issue(dated_store, claim, current=None, now=NOW + timedelta(days=3650))
    assert (caught.value.kind, caught.value.retry) == (ProbeKind.TLS, False)


def test_an_authority_with_another_s_key_signs_nothing(
    driver: EtcdDriver, dated_store: StoreView, authority: KeyPair, dated_authority: KeyPair, claim: Claim
) -> None:
    """The error says that the key does not belong to the certificate."""
    mixed = KeyPair(certificate=dated_authority.certificate, key=authority.key)
    with pytest.raises(StoreError, match="does not belong"):
        driver.issue(with_authority(dated_store, mixed), claim, current=None, now=NOW)


@pytest.mark.parametrize("user", ["root", "a/b", "", "x" * 65])
def test_no_certificate_for_a_name_that_is_not_a_tenant_s(
    driver: EtcdDriver, dated_store: StoreView, make_claim: Callable[..., Claim], user: str
) -> None:
    """A certificate is a login the moment it exists, so names are checked before it is signed."""
    with pytest.raises(StoreError, match=r"spec\.dataStoreUsername"):
        driver.issue(dated_store, make_claim(user=user), current=None, now=NOW)
