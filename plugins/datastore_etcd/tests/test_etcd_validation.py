"""A DataStore's settings: what is sound and what each fault is called."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from kamaji_core.contracts import StoreView, TlsMaterial

if TYPE_CHECKING:
    from collections.abc import Callable

    from kamaji_core.pki import KeyPair
    from kamaji_datastore_etcd import EtcdDriver

_FIELDS = {
    "ca_certificate": "spec.tlsConfig.certificateAuthority.certificate",
    "ca_key": "spec.tlsConfig.certificateAuthority.privateKey",
    "client_certificate": "spec.tlsConfig.clientCertificate.certificate",
    "client_key": "spec.tlsConfig.clientCertificate.privateKey",
}


def with_tls(store: StoreView, **fields: bytes) -> StoreView:
    """The same store with other TLS settings."""
    assert store.tls is not None
    return dataclasses.replace(store, tls=dataclasses.replace(store.tls, **fields))


def test_a_sound_store_has_no_problems(driver: EtcdDriver, paper_store: StoreView) -> None:
    """Host names, IPv4 and bracketed IPv6 addresses with ports and matching keys pass."""
    assert list(driver.validate(paper_store)) == []


@pytest.mark.parametrize(
    "endpoint",
    [
        *("etcd", "etcd:", "etcd:http", "etcd:0", "etcd:65536", "etcd:-1", "etcd:\u0662379", "etcd:2379/path"),
        *(":2379", "https://etcd:2379", "user@etcd:2379", "a b:2379", "-etcd:2379"),
        *("fd00::1:2379", "[fd00::1]", "[etcd]:2379"),
    ],
)
def test_an_endpoint_is_host_and_numeric_port(driver: EtcdDriver, paper_store: StoreView, endpoint: str) -> None:
    """Everything but host:port is one problem that quotes the endpoint and says how to write it."""
    (problem,) = driver.validate(dataclasses.replace(paper_store, endpoints=("good:2379", endpoint)))
    assert repr(endpoint) in problem
    assert "write host:port" in problem


def test_an_endpoint_is_needed(driver: EtcdDriver, paper_store: StoreView) -> None:
    """A store without endpoints is told to name one."""
    (problem,) = driver.validate(dataclasses.replace(paper_store, endpoints=()))
    assert problem.startswith("spec.endpoints is empty")


def test_all_problems_are_told_at_once(driver: EtcdDriver) -> None:
    """Without TLS settings each missing part is named, together with the wrong endpoint."""
    problems = driver.validate(StoreView(name="store", endpoints=("etcd",)))
    assert len(problems) == 5
    for field in _FIELDS.values():
        assert any(problem.startswith(f"{field} is missing") for problem in problems)


@pytest.mark.parametrize("part", _FIELDS)
def test_a_missing_part_is_named(driver: EtcdDriver, paper_store: StoreView, part: str) -> None:
    """One missing part is one problem that names its field."""
    (problem,) = driver.validate(with_tls(paper_store, **{part: b""}))
    assert problem.startswith(f"{_FIELDS[part]} is missing")


@pytest.mark.parametrize("part", _FIELDS)
def test_a_part_that_cannot_be_parsed_is_named_and_not_shown(
    driver: EtcdDriver, paper_store: StoreView, part: str
) -> None:
    """Garbage is one problem that names its field and repeats nothing of the content."""
    (problem,) = driver.validate(with_tls(paper_store, **{part: b"hidden content"}))
    assert problem.startswith(f"{_FIELDS[part]} cannot be used")
    assert "hidden" not in problem


def test_keys_that_belong_to_another_certificate_are_found(
    driver: EtcdDriver, paper_store: StoreView, authority: KeyPair, operator: KeyPair
) -> None:
    """Each key is compared with its own certificate."""
    problems = driver.validate(with_tls(paper_store, ca_key=operator.key, client_key=authority.key))
    assert [problem.split(":")[0] for problem in problems] == [
        f"{_FIELDS['ca_key']} does not belong to {_FIELDS['ca_certificate']}",
        f"{_FIELDS['client_key']} does not belong to {_FIELDS['client_certificate']}",
    ]


def test_the_authority_must_be_one(driver: EtcdDriver, paper_store: StoreView, operator: KeyPair) -> None:
    """A client certificate in the authority's place is refused: etcd would not accept what it signs."""
    (problem,) = driver.validate(with_tls(paper_store, ca_certificate=operator.certificate, ca_key=operator.key))
    assert "is not the certificate of an authority" in problem


def test_the_client_certificate_must_name_a_user(
    driver: EtcdDriver, paper_store: StoreView, authority: KeyPair, make_nameless: Callable[[KeyPair], KeyPair]
) -> None:
    """Without a common name etcd would see no user."""
    nameless = make_nameless(authority)
    (problem,) = driver.validate(
        with_tls(paper_store, client_certificate=nameless.certificate, client_key=nameless.key)
    )
    assert "has no common name" in problem


def test_an_unsound_store_is_not_opened(driver: EtcdDriver) -> None:
    """Opening tells the same sentences as an error that trying again cannot help."""
    with pytest.raises(Exception, match=r"spec\.tlsConfig\.clientCertificate\.certificate is missing") as caught:
        driver.open(StoreView(name="store", endpoints=("etcd:2379",), tls=TlsMaterial()))
    assert getattr(caught.value, "retry", None) is False
