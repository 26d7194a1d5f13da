"""An authority that is made anew on request: with its key nobody notices, with another all is signed anew."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from kamaji_core.api import labels as wire
from kamaji_core.pki import (
    CertificateError,
    KeyPair,
    decode_key,
    is_signed_by,
    issue_ca,
    read_certificate,
    renew_ca,
)
from kamaji_core.tenant.plan import Apply
from kamaji_core.testing.management_course import NOW, ManagementCourse


@pytest.fixture
def course(course: ManagementCourse) -> ManagementCourse:
    """A tenant that has come to rest."""
    course.settle()
    return course


def ask(course: ManagementCourse, value: str, suffix: str = "ca") -> None:
    """Annotate an authority's Secret, as a user would."""
    secret = course.facts.secrets[suffix]
    asked = replace(secret, annotations={**secret.annotations, wire.ROTATE_ANNOTATION: value})
    course.facts = replace(course.facts, secrets={**course.facts.secrets, suffix: asked})


def waves(course: ManagementCourse) -> int:
    """Go on until nothing differs; gives how often the Deployment was applied."""
    rollouts = 0
    while changes := course.plan():
        rollouts += sum(isinstance(one, Apply) and one.manifest["kind"] == "Deployment" for one in changes)
        for change in changes:
            course.fold(change)
    return rollouts


def certificate(course: ManagementCourse, suffix: str, key: str) -> bytes:
    """A certificate among the tenant's Secrets."""
    return course.facts.secrets[suffix].certificates[key]


def test_it_keeps_its_key(course: ManagementCourse) -> None:
    """What it signed stays, what embeds its certificate is made anew, and the pods roll once."""
    before, leaf = certificate(course, "ca", "ca.crt"), certificate(course, "api-server-certificate", "apiserver.crt")
    ask(course, "")
    assert waves(course) == 1
    after = certificate(course, "ca", "ca.crt")
    assert after != before
    assert read_certificate(after).public_key == read_certificate(before).public_key
    assert certificate(course, "api-server-certificate", "apiserver.crt") == leaf
    assert is_signed_by(leaf, after)
    kubeconfig = course.facts.secrets["admin-kubeconfig"].kubeconfigs["admin.conf"]
    assert is_signed_by(kubeconfig.certificate, before), "a machine that trusts the earlier one trusts this"
    assert course.facts.secrets["ca"].annotations[wire.ROTATE_ANNOTATION] == NOW.strftime("%Y-%m-%dT%H:%M:%SZ")


def test_another_key_is_another_authority(course: ManagementCourse) -> None:
    """For one that was lost: all is signed anew, and the pods roll once."""
    before = certificate(course, "ca", "ca.crt")
    ask(course, wire.NEW_KEY)
    assert waves(course) == 1
    after = certificate(course, "ca", "ca.crt")
    assert read_certificate(after).public_key != read_certificate(before).public_key
    assert is_signed_by(certificate(course, "api-server-certificate", "apiserver.crt"), after)


def test_one_that_ended_can_be_renewed(course: ManagementCourse) -> None:
    """Otherwise nothing could be done about it."""
    late = read_certificate(certificate(course, "ca", "ca.crt")).not_after
    assert course.assess(late).problems
    ask(course, "")
    ask(course, "", "front-proxy-ca-certificate")  # which ended at the same time
    changes = course.plan(late)
    assert {change.manifest["metadata"]["name"] for change in changes if hasattr(change, "manifest")} >= {"shop-ca"}


def test_what_another_one_signed_is_renewed_there(course: ManagementCourse) -> None:
    """Its own key cannot sign it: the sentence names the Secret and what to do, and nothing is written."""
    above = issue_ca(common_name="above", now=NOW, lifetime=timedelta(days=9))
    private = course.facts.private["ca"]
    signed = signed_by(above, private["ca.crt"])
    secret = course.facts.secrets["ca"]
    foreign = replace(secret, certificates={**secret.certificates, "ca.crt": signed})
    course.facts = replace(course.facts, secrets={**course.facts.secrets, "ca": foreign})
    ask(course, "")
    (problem,) = course.assess().problems
    assert "ca.crt of Secret shop-ca was signed by another authority: have it renewed there" in problem.message
    with pytest.raises(CertificateError, match="signed by another one"):
        renew_ca(KeyPair(certificate=signed, key=private["ca.key"]), now=NOW, lifetime=timedelta(days=9))


def signed_by(above: KeyPair, certificate: bytes) -> bytes:
    """The same authority, signed by another one."""
    own = x509.load_pem_x509_certificate(certificate)
    issuer = x509.load_pem_x509_certificate(above.certificate).subject
    builder = x509.CertificateBuilder(
        issuer_name=issuer,
        subject_name=own.subject,
        public_key=own.public_key(),
        serial_number=own.serial_number,
        not_valid_before=own.not_valid_before_utc,
        not_valid_after=own.not_valid_after_utc,
        extensions=list(own.extensions),
    )
    return builder.sign(decode_key(above.key), hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
