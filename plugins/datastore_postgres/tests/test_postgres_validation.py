"""What is wrong with a DataStore is told before PostgreSQL is asked, a sentence each with field and remedy."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import pytest

from kamaji_core.contracts import BasicAuth, ProbeKind, StoreError, TlsMaterial

if TYPE_CHECKING:
    from kamaji_core.contracts import Claim, StoreView
    from kamaji_core.pki import KeyPair
    from kamaji_datastore_postgres import PostgresDriver


def problems(driver: PostgresDriver, store: StoreView, **fields: Any) -> list[str]:
    """What the driver says about the store with other fields."""
    return list(driver.validate(dataclasses.replace(store, **fields)))


def test_a_sound_store_has_no_problems(driver: PostgresDriver, paper_store: StoreView) -> None:
    """Authority, password, one endpoint or several."""
    assert problems(driver, paper_store) == []
    assert problems(driver, paper_store, endpoints=("a:1", "10.0.0.1:5432", "[fd00::1]:5432")) == []


@pytest.mark.parametrize(
    "endpoint", ["a", "a:", "a:0", "a:65536", "postgres://a:1", "fd00::1:5432", "a b:1", "a:1/x", "a:²"]
)
def test_endpoints_are_host_and_port(driver: PostgresDriver, paper_store: StoreView, endpoint: str) -> None:
    """No scheme, no path, no bare IPv6 address."""
    (problem,) = problems(driver, paper_store, endpoints=("good:5432", endpoint))
    assert problem.startswith(f"spec.endpoints has {endpoint!r}")


def test_no_endpoint_is_told(driver: PostgresDriver, paper_store: StoreView) -> None:
    """The core refuses such an object as well; whoever calls the driver alone is told, too."""
    assert any("spec.endpoints is empty" in problem for problem in problems(driver, paper_store, endpoints=()))


def test_without_an_authority_the_user_must_say_what_is_wanted(driver: PostgresDriver, paper_store: StoreView) -> None:
    """Nothing falls back to an unverified or plain connection by itself."""
    (problem,) = problems(driver, paper_store, tls=None)
    assert "spec.tlsConfig.certificateAuthority.certificate is missing" in problem
    for sslmode in ("require", "disable"):
        assert problems(driver, paper_store, tls=None, config={"sslmode": sslmode}) == []
    for sslmode in ("verify-ca", "verify-full"):
        assert problems(driver, paper_store, tls=None, config={"sslmode": sslmode}) == [problem]


@pytest.mark.parametrize("sslmode", ["disable", "require"])
def test_an_authority_that_nobody_looks_at_is_told(
    driver: PostgresDriver, paper_store: StoreView, sslmode: str
) -> None:
    """Whoever names an authority believes that it is checked."""
    (problem,) = problems(driver, paper_store, config={"sslmode": sslmode})
    assert f"spec.config.sslmode is {sslmode}, which makes no use of spec.tlsConfig" in problem


@pytest.mark.parametrize(
    ("config", "named"),
    [
        ({"sslmode": "prefer"}, "spec.config.sslmode"),
        ({"sslMode": "require"}, "spec.config.sslMode is unknown"),
        ({"connectionLimit": 3}, "spec.config.connectionLimit"),
        ({"connectionLimit": "many"}, "spec.config.connectionLimit"),
        ({"database": ""}, "spec.config.database"),
        ({"kine": {"image": ""}}, "spec.config.kine.image"),
        ({"kine": {"limits": {"memory": "much"}}}, "spec.config.kine.limits.memory"),
        ({"shareClientCertificate": True}, "spec.config.shareClientCertificate"),
    ],
)
def test_settings_are_checked(driver: PostgresDriver, paper_store: StoreView, config: Any, named: str) -> None:
    """What is unknown, of another type or out of bounds is named."""
    (problem,) = problems(driver, paper_store, config=config)
    assert named in problem


def test_some_login_must_be_named(driver: PostgresDriver, paper_store: StoreView, client: KeyPair) -> None:
    """A password or a client certificate; the certificate's common name is the role."""
    (problem,) = problems(driver, paper_store, basic_auth=None)
    assert "spec.basicAuth" in problem
    assert paper_store.tls is not None
    tls = dataclasses.replace(paper_store.tls, client_certificate=client.certificate, client_key=client.key)
    assert problems(driver, paper_store, basic_auth=None, tls=tls) == []


@pytest.mark.parametrize("password", ["", "secret\n", "secret\r\n"])
def test_a_password_with_its_file_s_line_break_is_told(
    driver: PostgresDriver, paper_store: StoreView, password: str
) -> None:
    """`kubectl create secret --from-file` keeps it, and the login fails; the sentence does not quote it."""
    (problem,) = problems(driver, paper_store, basic_auth=BasicAuth(username="operator", password=password))
    assert problem.startswith("spec.basicAuth.password")
    assert "secret" not in problem


def test_certificates_and_keys_belong_together(
    driver: PostgresDriver, paper_store: StoreView, authority: KeyPair, client: KeyPair
) -> None:
    """Of the authority, where a key is given, and of the client."""
    good = TlsMaterial(
        ca_certificate=authority.certificate,
        ca_key=authority.key,
        client_certificate=client.certificate,
        client_key=client.key,
    )
    assert problems(driver, paper_store, tls=good) == []
    for fields, named in (
        ({"ca_certificate": b"none"}, "certificateAuthority.certificate cannot be used"),
        ({"ca_certificate": client.certificate}, "is not the certificate of an authority"),
        ({"ca_key": client.key}, "certificateAuthority.privateKey does not belong"),
        ({"client_key": authority.key}, "clientCertificate.privateKey does not belong"),
        ({"client_key": b""}, "clientCertificate.privateKey is missing"),
        ({"client_certificate": b""}, "clientCertificate.certificate is missing"),
    ):
        told = problems(driver, paper_store, tls=dataclasses.replace(good, **fields))
        assert any(named in problem for problem in told), (named, told)


def test_neither_a_session_nor_credentials_come_of_a_wrong_store(
    driver: PostgresDriver, paper_store: StoreView, claim: Claim
) -> None:
    """The same sentences, as an error that trying again does not help."""
    wrong = dataclasses.replace(paper_store, tls=None)
    with pytest.raises(StoreError, match="certificateAuthority") as caught:
        driver.open(wrong)
    assert (caught.value.kind, caught.value.retry) == (ProbeKind.TLS, False)
