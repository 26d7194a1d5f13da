"""Credentials: two logins in turn, a connection string that holds the tenant's own secrets alone, certificates."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from kamaji_core.contracts import BasicAuth, Claim, Credentials, StoreError, StoreView
from kamaji_core.pki import is_signed_by, read_certificate

if TYPE_CHECKING:
    from kamaji_core.pki import KeyPair
    from kamaji_datastore_postgres import PostgresDriver

NOW = datetime.now(UTC)


def renewed(
    driver: PostgresDriver, store: StoreView, claim: Claim, current: Credentials | None, **options: Any
) -> Credentials:
    """What the driver makes of the present credentials."""
    return driver.issue(store, claim, current=current, now=options.pop("now", NOW), **options)


@pytest.fixture
def signing_store(paper_store: StoreView, authority: KeyPair, client: KeyPair) -> StoreView:
    """A store whose server wants client certificates of an authority that we have the key of."""
    assert paper_store.tls is not None
    tls = dataclasses.replace(
        paper_store.tls, ca_key=authority.key, client_certificate=client.certificate, client_key=client.key
    )
    return dataclasses.replace(paper_store, tls=tls)


def test_the_connection_string_says_all_that_kine_needs(
    driver: PostgresDriver, paper_store: StoreView, claim: Claim
) -> None:
    """Login, password, server, database, and how the server is verified."""
    credentials = renewed(driver, paper_store, claim, None)
    url = urlsplit(credentials.settings["KINE_ENDPOINT"])
    assert (url.scheme, url.netloc.rpartition("@")[2], unquote(url.path)) == (
        "postgres",
        paper_store.endpoints[0],
        f"/{claim.schema}",
    )
    assert (url.username, url.password) == (f"{claim.user}_a", credentials.password)
    assert parse_qs(url.query)["sslmode"] == ["verify-full"]
    assert credentials.files["ca.crt"] == paper_store.tls.ca_certificate  # type: ignore[union-attr]


def test_what_is_good_is_kept(driver: PostgresDriver, paper_store: StoreView, claim: Claim) -> None:
    """The very same object, so that nothing is written and nothing rolls."""
    credentials = renewed(driver, paper_store, claim, None)
    assert renewed(driver, paper_store, claim, credentials) is credentials
    assert renewed(driver, paper_store, claim, credentials, now=NOW + timedelta(days=3650)) is credentials


def test_a_renewal_is_the_other_login_and_then_the_first_again(
    driver: PostgresDriver, paper_store: StoreView, claim: Claim
) -> None:
    """Each with a password of its own."""
    first = renewed(driver, paper_store, claim, None)
    second = renewed(driver, paper_store, claim, first, renew=True)
    third = renewed(driver, paper_store, claim, second, renew=True)
    assert [one.user for one in (first, second, third)] == [f"{claim.user}_a", f"{claim.user}_b", f"{claim.user}_a"]
    assert len({one.password for one in (first, second, third)}) == 3
    assert all(one.password is not None and len(one.password) >= 43 for one in (first, second, third))


def test_other_endpoints_keep_the_password(driver: PostgresDriver, paper_store: StoreView, claim: Claim) -> None:
    """The connection string changes and nothing else; kine is told to look for the primary among several."""
    before = renewed(driver, paper_store, claim, None)
    moved = dataclasses.replace(paper_store, endpoints=("one:5432", "[fd00::2]:5433"))
    after = renewed(driver, moved, claim, before)
    assert (after.user, after.password, after.files) == (before.user, before.password, before.files)
    query = parse_qs(urlsplit(after.settings["KINE_ENDPOINT"]).query)
    assert (query["host"], query["port"], query["target_session_attrs"]) == (
        ["one,fd00::2"],
        ["5432,5433"],
        ["read-write"],
    )


def test_the_operator_s_own_login_is_nowhere(driver: PostgresDriver, paper_store: StoreView, claim: Claim) -> None:
    """Its change leaves credentials as they are: no rollout."""
    before = renewed(driver, paper_store, claim, None)
    other = dataclasses.replace(paper_store, basic_auth=BasicAuth(username="another", password="quite another"))
    assert renewed(driver, other, claim, before) is before


@pytest.mark.parametrize("password", [None, "", "changed by hand", "x" * 42, "x" * 43 + "é"])
def test_a_password_that_was_not_ours_is_replaced(
    driver: PostgresDriver, paper_store: StoreView, claim: Claim, password: str | None
) -> None:
    """Somebody wrote something into the Secret: login and password fit together again afterwards."""
    current = dataclasses.replace(renewed(driver, paper_store, claim, None), password=password)
    mended = renewed(driver, paper_store, claim, current)
    assert mended.user == current.user
    assert mended.password not in {None, password}
    assert str(mended.password) in mended.settings["KINE_ENDPOINT"]


def test_kamaji_s_credentials_become_the_first_login_s(
    driver: PostgresDriver, paper_store: StoreView, claim: Claim
) -> None:
    """Kamaji's tenants log in as the owner itself, which works on until the first login of ours is settled."""
    kamajis = Credentials(user=claim.user, password="6f1c7f2a-8d4e-4c5b-9a3e-2d1c0b9a8f7e")
    assert renewed(driver, paper_store, claim, kamajis).user == f"{claim.user}_a"


def test_nothing_secret_is_in_what_is_printed(driver: PostgresDriver, paper_store: StoreView, claim: Claim) -> None:
    """Credentials reach a log sooner or later."""
    credentials = renewed(driver, paper_store, claim, None)
    assert str(credentials.password) not in repr(credentials)


def test_client_certificates_are_the_login_s_own(
    driver: PostgresDriver, signing_store: StoreView, claim: Claim, authority: KeyPair, client: KeyPair
) -> None:
    """Signed for the login where the authority's key is there; the operator's own key is never a tenant's."""
    credentials = renewed(driver, signing_store, claim, None)
    certificate = credentials.files["server.crt"]
    assert read_certificate(certificate).common_name == credentials.user
    assert is_signed_by(certificate, authority.certificate)
    assert client.key not in credentials.files.values()
    assert credentials.not_after == read_certificate(certificate).not_after
    assert renewed(driver, signing_store, claim, credentials) is credentials


def test_a_client_certificate_is_renewed_in_time_with_the_same_login(
    driver: PostgresDriver, signing_store: StoreView, claim: Claim
) -> None:
    """After two thirds of its lifetime."""
    before = renewed(driver, signing_store, claim, None)
    after = renewed(driver, signing_store, claim, before, now=NOW + timedelta(days=300))
    assert (after.user, after.password) == (before.user, before.password)
    assert after.files["server.crt"] != before.files["server.crt"]


def test_the_operator_s_client_certificate_is_shared_only_when_asked_for(
    driver: PostgresDriver, signing_store: StoreView, claim: Claim, client: KeyPair
) -> None:
    """Without the authority's key there is none for tenants, unless the user says that the operator's may be given."""
    assert signing_store.tls is not None
    store = dataclasses.replace(signing_store, tls=dataclasses.replace(signing_store.tls, ca_key=b""))
    assert set(renewed(driver, store, claim, None).files) == {"ca.crt"}
    shared = dataclasses.replace(store, config={"shareClientCertificate": True})
    assert renewed(driver, shared, claim, None).files["server.key"] == client.key


def test_an_authority_that_has_ended_signs_nothing(
    driver: PostgresDriver, signing_store: StoreView, claim: Claim
) -> None:
    """In one sentence that names the field."""
    with pytest.raises(StoreError, match=r"spec\.tlsConfig\.certificateAuthority cannot sign"):
        renewed(driver, signing_store, claim, None, now=NOW + timedelta(days=36500))
