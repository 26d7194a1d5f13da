"""What proves that a schema and a user are this tenant's although no store has recorded it: never its specification."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from kamaji_core.certificates import read_secret
from kamaji_core.contracts import TlsMaterial
from kamaji_core.pki import CertificateRequest, KeyPair, Usage, decode_key, issue_ca, issue_certificate
from kamaji_core.render.secret import encoded
from kamaji_core.tenant.claim import claim_of

if TYPE_CHECKING:
    from kamaji_core.tenant.facts import Facts

NOW = datetime(2030, 1, 1, tzinfo=UTC)
YEAR = timedelta(days=365)


@pytest.fixture(scope="module")
def authority() -> KeyPair:
    """The store's."""
    return issue_ca(common_name="store", now=NOW, lifetime=10 * YEAR)


def leaf(authority: KeyPair, user: str) -> KeyPair:
    """A client certificate for a user."""
    request = CertificateRequest(common_name=user, usages=frozenset({Usage.CLIENT}))
    return issue_certificate(request, ca=authority, now=NOW, lifetime=YEAR)


def with_files(facts: Facts, files: dict[str, bytes], *, trusted: bytes, user: str = "kept") -> Facts:
    """The tenant has these files at a store of this authority, and a Secret that names the user."""

    def held(suffix: str, data: dict[str, bytes]) -> Any:
        metadata = {"name": f"shop-{suffix}", "namespace": "team-a"}
        return read_secret({"metadata": metadata, "data": encoded(data)})

    assert facts.store is not None
    assert facts.store.view is not None
    view = replace(facts.store.view, tls=TlsMaterial(ca_certificate=trusted) if trusted else None)
    config = {"DB_SCHEMA": b"kept", "DB_USER": user.encode(), "DB_PASSWORD": b""}
    secrets = {
        "datastore-config": held("datastore-config", config),
        "datastore-certificate": held("datastore-certificate", files),
    }
    return replace(facts, store=replace(facts.store, view=view), secrets=secrets)


def with_setup(facts: Facts, *, schema: str, user: str) -> Facts:
    """The status names these."""
    status = facts.tenant.status
    setup = msgspec.structs.replace(status.storage.setup, schema=schema, user=user)
    storage = msgspec.structs.replace(status.storage, setup=setup)
    tenant = msgspec.structs.replace(facts.tenant, status=msgspec.structs.replace(status, storage=storage))
    return replace(facts, tenant=tenant)


def with_wishes(facts: Facts, *, schema: str, user: str) -> Facts:
    """The specification asks for these."""
    spec = msgspec.structs.replace(facts.tenant.spec, data_store_schema=schema, data_store_username=user)
    return replace(facts, tenant=msgspec.structs.replace(facts.tenant, spec=spec))


def names(facts: Facts) -> tuple[str, str, bool]:
    """Schema, user and whether they are proved."""
    claim = claim_of(facts)
    return claim.schema, claim.user, claim.recorded


def test_a_new_tenant_has_proved_nothing(facts: Facts) -> None:
    """Its names come from its UID."""
    assert names(facts) == ("123", "123", False)


def test_a_specification_proves_nothing(facts: Facts) -> None:
    """Anybody may write another tenant's names there."""
    assert names(with_wishes(facts, schema="victim", user="victim")) == ("victim", "victim", False)


def test_the_status_proves(facts: Facts) -> None:
    """Only an operator writes it; what the specification asks for meanwhile does not matter."""
    facts = with_setup(facts, schema="kept", user="keeper")
    assert names(facts) == ("kept", "keeper", True)
    assert names(with_wishes(facts, schema="other", user="other")) == ("kept", "keeper", True)


@pytest.mark.parametrize(("schema", "user"), [("kept", ""), ("", "kept")])
def test_half_a_status_proves_nothing(facts: Facts, schema: str, user: str) -> None:
    """The other half would come from the specification."""
    facts = with_wishes(with_setup(facts, schema=schema, user=user), schema="victim", user="victim")
    assert names(facts)[2] is False


@pytest.mark.parametrize("stem", ["server", "client"])
def test_a_certificate_of_the_store_with_its_key_proves(facts: Facts, authority: KeyPair, stem: str) -> None:
    """Whatever the file is called: only who was given the user once has it."""
    pair = leaf(authority, "kept")
    files = {"ca.crt": authority.certificate, f"{stem}.crt": pair.certificate, f"{stem}.key": pair.key}
    assert names(with_files(facts, files, trusted=authority.certificate)) == ("kept", "kept", True)


def test_a_renewed_authority_that_kept_its_key_still_proves(facts: Facts, authority: KeyPair) -> None:
    """The signature counts and no date does: a tenant that was away for long comes back."""
    pair = leaf(authority, "kept")
    renewed = issue_ca(common_name="store", now=NOW + 9 * YEAR, lifetime=10 * YEAR, key=decode_key(authority.key))
    files = {"server.crt": pair.certificate, "server.key": pair.key}
    assert claim_of(with_files(facts, files, trusted=renewed.certificate)).recorded


def test_a_certificate_of_another_authority_proves_nothing(facts: Facts, authority: KeyPair) -> None:
    """Anybody can make one, also with an authority of the same name beside it."""
    foreign = issue_ca(common_name="store", now=NOW, lifetime=YEAR)
    pair = leaf(foreign, "kept")
    files = {"ca.crt": foreign.certificate, "server.crt": pair.certificate, "server.key": pair.key}
    assert names(with_files(facts, files, trusted=authority.certificate)) == ("kept", "kept", False)


def test_another_users_certificate_proves_nothing(facts: Facts, authority: KeyPair) -> None:
    """A tenant may not claim a second user by showing that it has a first."""
    pair = leaf(authority, "own")
    files = {"server.crt": pair.certificate, "server.key": pair.key}
    assert names(with_files(facts, files, trusted=authority.certificate, user="victim")) == ("kept", "victim", False)


def test_a_certificate_without_its_key_proves_nothing(facts: Facts, authority: KeyPair) -> None:
    """Certificates are public: they travel in clear text, and anybody may copy one."""
    pair, other = leaf(authority, "kept"), leaf(authority, "kept")
    for key in ({}, {"server.key": other.key}, {"server.key": b"no key"}, {"other.key": pair.key}):
        files = {"server.crt": pair.certificate, **key}
        assert not claim_of(with_files(facts, files, trusted=authority.certificate)).recorded


def test_the_authoritys_own_certificate_proves_nothing(facts: Facts, authority: KeyPair) -> None:
    """It is in every tenant's Secret, and its common name may be asked for as a user."""
    files = {"ca.crt": authority.certificate}
    assert not claim_of(with_files(facts, files, trusted=authority.certificate, user="store")).recorded


def test_a_store_without_an_authority_proves_nothing(facts: Facts, authority: KeyPair) -> None:
    """Nor one that is not known yet."""
    pair = leaf(authority, "kept")
    files = {"server.crt": pair.certificate, "server.key": pair.key}
    assert not claim_of(with_files(facts, files, trusted=b"")).recorded
    known = with_files(facts, files, trusted=authority.certificate)
    assert known.store is not None
    assert not claim_of(replace(known, store=replace(known.store, view=None))).recorded
    assert not claim_of(replace(known, store=None)).recorded


@pytest.mark.parametrize("broken", ["certificate", "authority"])
def test_what_cannot_be_read_proves_nothing(facts: Facts, authority: KeyPair, broken: str) -> None:
    """And stops nobody; a good certificate beside a broken one proves."""
    pair = leaf(authority, "kept")
    files = {"a.crt": b"not PEM", "a.key": pair.key, "server.crt": pair.certificate, "server.key": pair.key}
    trusted = b"not PEM" if broken == "authority" else authority.certificate
    if broken == "certificate":
        assert claim_of(with_files(facts, files, trusted=trusted)).recorded
        del files["server.crt"]
    assert not claim_of(with_files(facts, files, trusted=trusted)).recorded
