"""The wanted set is kubeadm's, under Kamaji's names, and what is issued for it is judged good."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest

from kamaji_core.certificates import (
    AuthorityWanted,
    ControlPlaneNames,
    KubeconfigWanted,
    LeafWanted,
    MaterialSpec,
    SecretFacts,
    ServiceAccountKeyWanted,
    issue_authority,
    issue_kubeconfigs,
    issue_leaf,
    issue_service_account_key,
    judge,
    read_secret,
    wanted_material,
)
from kamaji_core.pki import KeyAlgorithm, KeyPair, read_certificate, read_kubeconfig

NOW = datetime(2030, 1, 1, tzinfo=UTC)
NAMES = ControlPlaneNames(
    tenant="shop",
    namespace="team-a",
    endpoint="10.0.0.7:6443",
    port=6443,
    server_names=frozenset({"shop", "10.0.0.7"}),
    service_account_algorithm=KeyAlgorithm.ECDSA_P256,
)


def as_secret(suffix: str, data: dict[str, bytes]) -> SecretFacts:
    """Reduce content as it would come from the API server."""
    encoded = {key: base64.b64encode(value).decode() for key, value in data.items()}
    return read_secret({"metadata": {"name": f"shop-{suffix}", "namespace": "team-a"}, "data": encoded})


def issue_all(wanted: tuple[MaterialSpec, ...]) -> dict[str, dict[str, bytes]]:
    """Issue everything in order; authorities come first."""
    data: dict[str, dict[str, bytes]] = {}
    pairs: dict[str, KeyPair] = {}
    for item in wanted:
        if isinstance(item, AuthorityWanted):
            data[item.suffix] = issue_authority(item, now=NOW)
            pairs[item.suffix] = KeyPair(
                certificate=data[item.suffix][f"{item.file}.crt"], key=data[item.suffix][f"{item.file}.key"]
            )
        elif isinstance(item, ServiceAccountKeyWanted):
            data[item.suffix] = issue_service_account_key(item.algorithm)
        elif isinstance(item, LeafWanted):
            data[item.suffix] = issue_leaf(item, authority=pairs[item.authority], now=NOW)
        else:
            data[item.suffix] = issue_kubeconfigs(item, authority=pairs[item.authority], now=NOW)
    return data


@pytest.fixture(scope="module")
def data() -> dict[str, dict[str, bytes]]:
    """A whole tenant's material."""
    return issue_all(wanted_material(NAMES))


def test_secrets_and_keys_carry_kamajis_names(data: dict[str, dict[str, bytes]]) -> None:
    """Tools that read Kamaji's Secrets find everything where they look for it."""
    assert {suffix: sorted(content) for suffix, content in data.items()} == {
        "ca": ["ca.crt", "ca.key", "tls.crt", "tls.key"],
        "front-proxy-ca-certificate": ["front-proxy-ca.crt", "front-proxy-ca.key"],
        "sa-certificate": ["sa.key", "sa.pub"],
        "api-server-certificate": ["apiserver.crt", "apiserver.key"],
        "api-server-kubelet-client-certificate": ["apiserver-kubelet-client.crt", "apiserver-kubelet-client.key"],
        "front-proxy-client-certificate": ["front-proxy-client.crt", "front-proxy-client.key"],
        "admin-kubeconfig": ["admin.conf", "admin.svc", "super-admin.conf", "super-admin.svc"],
        "controller-manager-kubeconfig": ["controller-manager.conf", "kubeconfig", "tls.crt", "tls.key"],
        "scheduler-kubeconfig": ["kubeconfig", "scheduler.conf", "tls.crt", "tls.key"],
    }


@pytest.mark.parametrize(
    ("key", "server", "user", "groups"),
    [
        ("admin.conf", "https://10.0.0.7:6443", "kubernetes-admin", ("kubeadm:cluster-admins",)),
        ("admin.svc", "https://shop.team-a.svc:6443", "kubernetes-admin", ("kubeadm:cluster-admins",)),
        ("super-admin.conf", "https://10.0.0.7:6443", "kubernetes-super-admin", ("system:masters",)),
        ("super-admin.svc", "https://shop.team-a.svc:6443", "kubernetes-super-admin", ("system:masters",)),
        ("controller-manager.conf", "https://127.0.0.1:6443", "system:kube-controller-manager", ()),
        ("scheduler.conf", "https://127.0.0.1:6443", "system:kube-scheduler", ()),
    ],
)
def test_kubeconfigs_say_who_and_where(
    data: dict[str, dict[str, bytes]], key: str, server: str, user: str, groups: tuple[str, ...]
) -> None:
    """Users, groups and servers are kubeadm's and Kamaji's."""
    facts = read_kubeconfig(next(content[key] for content in data.values() if key in content))
    certificate = read_certificate(facts.certificate)
    assert facts.server == server
    assert (certificate.common_name, certificate.organizations) == (user, groups)


def test_all_that_was_issued_is_judged_good(data: dict[str, dict[str, bytes]]) -> None:
    """What we make needs no second making: nothing is issued again at once."""
    secrets = {suffix: as_secret(suffix, content) for suffix, content in data.items()}
    judgement = judge(wanted_material(NAMES), secrets=secrets, provisioned=True, now=NOW)
    assert judgement.complete(), [verdict for verdict in judgement.verdicts.values() if verdict.message]
    lifetime = timedelta(hours=8760, minutes=5)
    assert judgement.renew_at() == NOW - timedelta(minutes=5) + lifetime * 2 / 3


def test_nothing_that_needs_an_address_is_wanted_before_there_is_one() -> None:
    """A certificate without the Service's address would have to be made twice."""
    early = ControlPlaneNames(tenant="shop", namespace="team-a", endpoint=None, port=6443, server_names=frozenset())
    suffixes = {item.suffix for item in wanted_material(early)}
    assert {item.suffix for item in wanted_material(NAMES)} - suffixes == {"api-server-certificate", "admin-kubeconfig"}


def test_every_signed_item_names_an_authority_of_the_set() -> None:
    """No item waits for an authority that nobody makes."""
    wanted = wanted_material(NAMES)
    authorities = {item.suffix for item in wanted if isinstance(item, AuthorityWanted)}
    signed = [item for item in wanted if isinstance(item, LeafWanted | KubeconfigWanted)]
    assert {item.authority for item in signed} <= authorities
