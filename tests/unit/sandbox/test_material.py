"""The sandbox's keys and certificates."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from kamaji_core.pki import Usage, is_signed_by, read_certificate, read_kubeconfig
from sandbox import material
from sandbox.places import API_URL, STORE_NAMES

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox.material import Material


@pytest.fixture
def present(tmp_path: Path) -> Material:
    """Material in a directory of its own."""
    return material.ensure(tmp_path / "pki")


def test_it_is_made_once(present: Material) -> None:
    """A second call leaves every file as it is."""
    before = {path.name: path.read_bytes() for path in present.directory.iterdir()}
    material.ensure(present.directory)
    assert before == {path.name: path.read_bytes() for path in present.directory.iterdir()}


def test_an_interrupted_first_run_is_done_again(present: Material) -> None:
    """Without its last file all of it is made anew, so that it fits together."""
    old = present.tls("cluster").certificate.read_bytes()
    (present.directory / "complete").unlink()
    material.ensure(present.directory)
    assert present.tls("cluster").certificate.read_bytes() != old
    ca = present.tls("apiserver").ca.read_bytes()
    assert is_signed_by(present.tls("apiserver").certificate.read_bytes(), ca)


def test_nobody_else_reads_it(present: Material) -> None:
    """Every file has mode 0600."""
    assert {stat.S_IMODE(path.stat().st_mode) for path in present.directory.iterdir()} == {0o600}


def test_the_store_answers_to_its_names(present: Material) -> None:
    """A client by address, by Service name and by full name finds the name in the certificate."""
    facts = read_certificate(present.tls("store-server").certificate.read_bytes())
    assert facts.names == STORE_NAMES
    assert {"etcd.kamaji-system.svc", "10.213.0.2"} <= facts.names


def test_the_stores_secret_lets_a_driver_sign(present: Material) -> None:
    """It holds the authority with its key and the certificate of etcd's root user."""
    secret = present.store_secret()
    assert set(secret) == {"ca.crt", "ca.key", "tls.crt", "tls.key"}
    assert read_certificate(secret["ca.crt"]).is_ca
    root = read_certificate(secret["tls.crt"])
    assert root.common_name == "root"
    assert root.usages == {Usage.CLIENT}
    assert is_signed_by(secret["tls.crt"], secret["ca.crt"])


def test_a_cluster_from_before_gets_what_postgres_needs(present: Material) -> None:
    """Without touching anything else: what runs goes on with what it has."""
    (present.directory / "postgres-password").unlink()
    before = present.tls("store").certificate.read_bytes()
    material.ensure(present.directory)
    assert present.tls("store").certificate.read_bytes() == before
    assert len(present.postgres_password()) == 32


def test_postgres_answers_to_its_names(present: Material) -> None:
    """By the Service's names and by address, under an authority of its own."""
    server = present.tls("postgres-server").certificate.read_bytes()
    assert {"postgres.kamaji-system.svc", "10.213.0.2"} <= read_certificate(server).names
    assert is_signed_by(server, present.postgres_secret()["ca.crt"])
    assert not is_signed_by(server, present.store_secret()["ca.crt"])


def test_the_stores_are_strangers_to_each_other(present: Material) -> None:
    """A tenants' certificate opens neither the management etcd nor the management cluster."""
    root = present.tls("store-root").certificate.read_bytes()
    assert not is_signed_by(root, present.tls("etcd").ca.read_bytes())
    assert not is_signed_by(root, present.tls("apiserver").ca.read_bytes())


@pytest.mark.parametrize(
    ("server", "user", "groups"),
    [
        ("kubelet", "system:node:kamaji-sandbox", ("system:nodes",)),
        ("kube-proxy", "system:kube-proxy", ()),
        ("kube-scheduler", "system:kube-scheduler", ()),
        ("kube-controller-manager", "system:kube-controller-manager", ()),
        ("coredns", "system:coredns", ()),
    ],
)
def test_each_server_is_its_own_user(present: Material, server: str, user: str, groups: tuple[str, ...]) -> None:
    """Requests can be counted by user, and nobody but the administrator may do everything."""
    facts = read_kubeconfig(present.kubeconfig(server).read_bytes())
    certificate = read_certificate(facts.certificate)
    assert facts.server == API_URL
    assert (certificate.common_name, certificate.organizations) == (user, groups)


def test_the_administrators_kubeconfig_lies_beside(present: Material) -> None:
    """It is where `kubeconfig --path` says, relative to the state directory."""
    facts = read_kubeconfig((present.directory.parent / "admin.kubeconfig").read_bytes())
    assert read_certificate(facts.certificate).organizations == ("system:masters",)
