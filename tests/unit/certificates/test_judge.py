"""Each way in which material can be wrong gets its own reason, and what cannot be replaced stops the tenant."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from kamaji_core.certificates import (
    AUTHORITIES,
    Action,
    ControlPlaneNames,
    SecretFacts,
    Verdict,
    issue_authority,
    issue_kubeconfigs,
    issue_leaf,
    issue_service_account_key,
    judge,
    read_secret,
    wanted_material,
)
from kamaji_core.pki import KeyAlgorithm, KeyPair

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = datetime(2030, 1, 1, tzinfo=UTC)
NAMES = ControlPlaneNames(
    tenant="shop",
    namespace="team-a",
    endpoint="10.0.0.7:6443",
    port=6443,
    server_names=frozenset({"shop", "10.0.0.7"}),
    service_account_algorithm=KeyAlgorithm.ECDSA_P256,
)
WANTED: dict[str, Any] = {item.suffix: item for item in wanted_material(NAMES)}
Data = dict[str, dict[str, bytes]]


def authority_pair(data: Data) -> KeyPair:
    """The cluster's own authority."""
    return KeyPair(certificate=data["ca"]["ca.crt"], key=data["ca"]["ca.key"])


@pytest.fixture
def data() -> Data:
    """One authority and what the tests below bend."""
    data = {suffix: issue_authority(wanted, now=NOW) for suffix, wanted in AUTHORITIES.items()}
    data["sa-certificate"] = issue_service_account_key(KeyAlgorithm.ECDSA_P256)
    pair = authority_pair(data)
    data["api-server-certificate"] = issue_leaf(WANTED["api-server-certificate"], authority=pair, now=NOW)
    data["scheduler-kubeconfig"] = issue_kubeconfigs(WANTED["scheduler-kubeconfig"], authority=pair, now=NOW)
    return data


def verdict_on(suffix: str, data: Data, *, provisioned: bool = False, now: datetime = NOW) -> Verdict:
    """Judge one Secret among the others."""
    secrets: dict[str, SecretFacts] = {}
    for name, content in data.items():
        encoded = {key: base64.b64encode(value).decode() for key, value in content.items()}
        metadata = {"name": f"shop-{name}", "namespace": "team-a"}
        secrets[name] = read_secret({"metadata": metadata, "data": encoded})
    return judge([WANTED[suffix]], secrets=secrets, provisioned=provisioned, now=now).verdicts[suffix]


@pytest.mark.parametrize("suffix", ["ca", "front-proxy-ca-certificate", "sa-certificate"])
def test_what_a_new_tenant_lacks_is_made(suffix: str) -> None:
    """Before a control plane has run, nothing can be lost by making authorities."""
    assert verdict_on(suffix, {}).action is Action.ISSUE


@pytest.mark.parametrize("suffix", ["ca", "front-proxy-ca-certificate", "sa-certificate"])
def test_what_vanished_from_a_running_tenant_stops_it(suffix: str) -> None:
    """A new authority would lock out every node; the sentence says to restore the old one."""
    verdict = verdict_on(suffix, {}, provisioned=True)
    assert (verdict.action, verdict.reason) == (Action.STOP, "Vanished")
    assert "restore the Secret" in verdict.message


def test_a_leaf_waits_for_its_authority() -> None:
    """It is made in the wave after, from what the API server answered."""
    assert verdict_on("api-server-certificate", {}).action is Action.WAIT


def _without_key(data: Data) -> None:
    del data["ca"]["ca.key"]


def _with_other_key(data: Data) -> None:
    data["ca"]["ca.key"] = issue_authority(AUTHORITIES["ca"], now=NOW)["ca.key"]


def _garbled(data: Data) -> None:
    data["ca"]["ca.crt"] = b"garbled"


def _a_leaf_instead(data: Data) -> None:
    data["ca"]["ca.crt"] = data["api-server-certificate"]["apiserver.crt"]
    data["ca"]["ca.key"] = data["api-server-certificate"]["apiserver.key"]


@pytest.mark.parametrize(
    ("bend", "reason"),
    [
        (_without_key, "KeyMismatch"),
        (_with_other_key, "KeyMismatch"),
        (_garbled, "Unreadable"),
        (_a_leaf_instead, "NotAnAuthority"),
    ],
)
def test_a_broken_authority_stops_even_a_new_tenant(data: Data, bend: Callable[[Data], None], reason: str) -> None:
    """Somebody put it there; it is never overwritten."""
    bend(data)
    verdict = verdict_on("ca", data)
    assert (verdict.action, verdict.reason) == (Action.STOP, reason)
    assert "shop-ca" in verdict.message


def test_an_ended_authority_stops_the_tenant(data: Data) -> None:
    """Everything signed by it has ended as well."""
    verdict = verdict_on("ca", data, now=NOW + timedelta(days=4000))
    assert (verdict.action, verdict.reason) == (Action.STOP, "Expired")


def test_an_unreadable_service_account_key_stops_the_tenant(data: Data) -> None:
    """All tokens of the cluster hang on it."""
    data["sa-certificate"]["sa.key"] = b"garbled"
    assert verdict_on("sa-certificate", data).action is Action.STOP
    del data["sa-certificate"]["sa.pub"]
    assert verdict_on("sa-certificate", data).action is Action.STOP


def _other_authority(data: Data) -> KeyPair:
    content = issue_authority(AUTHORITIES["ca"], now=NOW)
    return KeyPair(certificate=content["ca.crt"], key=content["ca.key"])


def _leaf_of_another_authority(data: Data) -> None:
    wanted = WANTED["api-server-certificate"]
    data["api-server-certificate"] = issue_leaf(wanted, authority=_other_authority(data), now=NOW)


def _leaf_with_other_key(data: Data) -> None:
    data["api-server-certificate"]["apiserver.key"] = data["ca"]["ca.key"]


def _leaf_of_fewer_names(data: Data) -> None:
    names = ControlPlaneNames(
        tenant="shop", namespace="team-a", endpoint="x:1", port=1, server_names=frozenset({"shop"})
    )
    wanted: Any = {item.suffix: item for item in wanted_material(names)}["api-server-certificate"]
    data["api-server-certificate"] = issue_leaf(wanted, authority=authority_pair(data), now=NOW)


def _leaf_of_another_subject(data: Data) -> None:
    content = issue_leaf(WANTED["api-server-kubelet-client-certificate"], authority=authority_pair(data), now=NOW)
    data["api-server-certificate"] = {
        "apiserver.crt": content["apiserver-kubelet-client.crt"],
        "apiserver.key": content["apiserver-kubelet-client.key"],
    }


def _leaf_empty(data: Data) -> None:
    data["api-server-certificate"] = {}


@pytest.mark.parametrize(
    ("bend", "reason"),
    [
        (_leaf_empty, "Unreadable"),
        (_leaf_of_another_authority, "ForeignAuthority"),
        (_leaf_with_other_key, "KeyMismatch"),
        (_leaf_of_fewer_names, "NamesMissing"),
        (_leaf_of_another_subject, "OtherSubject"),
    ],
)
def test_a_wrong_leaf_is_issued_anew(data: Data, bend: Callable[[Data], None], reason: str) -> None:
    """Leaves can be replaced at any time; the reason tells why this one was."""
    bend(data)
    verdict = verdict_on("api-server-certificate", data, provisioned=True)
    assert (verdict.action, verdict.reason) == (Action.ISSUE, reason)


def test_a_leaf_with_more_names_than_needed_is_kept(data: Data) -> None:
    """Removing a name is no reason to issue a certificate."""
    names = NAMES.server_names | {"extra.example.org"}
    more = ControlPlaneNames(tenant="shop", namespace="team-a", endpoint="x:1", port=1, server_names=names)
    wanted: Any = {item.suffix: item for item in wanted_material(more)}["api-server-certificate"]
    data["api-server-certificate"] = issue_leaf(wanted, authority=authority_pair(data), now=NOW)
    assert verdict_on("api-server-certificate", data).action is Action.KEEP


@pytest.mark.parametrize(("after", "action"), [(timedelta(days=243), Action.KEEP), (timedelta(days=244), Action.ISSUE)])
def test_a_leaf_is_due_after_two_thirds_of_its_lifetime(data: Data, after: timedelta, action: Action) -> None:
    """Early enough that a failed renewal can be noticed and repeated for months."""
    assert verdict_on("api-server-certificate", data, now=NOW + after).action is action


def test_a_kubeconfig_without_its_file_form_is_issued_anew(data: Data) -> None:
    """One that Kamaji made has only the embedded form; our pods need the other."""
    del data["scheduler-kubeconfig"]["kubeconfig"]
    assert verdict_on("scheduler-kubeconfig", data).action is Action.ISSUE


def test_a_kubeconfig_that_trusts_another_authority_is_issued_anew(data: Data) -> None:
    """The embedded authority must be the tenant's own."""
    other = issue_kubeconfigs(WANTED["scheduler-kubeconfig"], authority=_other_authority(data), now=NOW)
    data["scheduler-kubeconfig"] = other
    verdict = verdict_on("scheduler-kubeconfig", data)
    assert (verdict.action, verdict.reason) == (Action.ISSUE, "ForeignAuthority")


def test_a_kubeconfig_for_another_port_is_issued_anew(data: Data) -> None:
    """The server it names must be where the API server is."""
    moved = ControlPlaneNames(tenant="shop", namespace="team-a", endpoint="x:1", port=7443, server_names=frozenset())
    wanted: Any = {item.suffix: item for item in wanted_material(moved)}["scheduler-kubeconfig"]
    data["scheduler-kubeconfig"] = issue_kubeconfigs(wanted, authority=authority_pair(data), now=NOW)
    verdict = verdict_on("scheduler-kubeconfig", data)
    assert (verdict.action, verdict.reason) == (Action.ISSUE, "OtherServer")
