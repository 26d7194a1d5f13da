"""Kubeconfigs are read by the clients that they are written for, with embedded certificates or with files."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import yaml

from kamaji_core.pki import ClientFiles, KeyPair, issue_ca, kubeconfig, read_kubeconfig

NOW = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.fixture
def pair() -> KeyPair:
    """Any key pair."""
    return issue_ca(common_name="kubernetes", now=NOW, lifetime=timedelta(days=1))


def test_the_embedded_form_is_read_back(pair: KeyPair) -> None:
    """Server, authority, certificate and key are what went in."""
    content = kubeconfig(cluster="c", server="https://h:6443", ca=b"ca", user="u", client=pair)
    facts = read_kubeconfig(content)
    assert (facts.server, facts.ca) == ("https://h:6443", b"ca")
    assert (facts.certificate, facts.key) == (pair.certificate, pair.key)


def test_names_are_kubeadms(pair: KeyPair) -> None:
    """One cluster, one user, one context `user@cluster`, which is current."""
    document = yaml.safe_load(kubeconfig(cluster="c", server="https://h", ca=b"ca", user="u", client=pair))
    assert document["current-context"] == "u@c"
    assert [context["name"] for context in document["contexts"]] == ["u@c"]
    assert document["contexts"][0]["context"] == {"cluster": "c", "user": "u"}


def test_the_form_with_files_embeds_no_key() -> None:
    """client-go reloads the certificate only when it comes purely from files."""
    files = ClientFiles(certificate="/etc/kubernetes/x.crt", key="/etc/kubernetes/x.key")
    content = kubeconfig(cluster="c", server="https://h", ca=b"ca", user="u", client=files)
    document = yaml.safe_load(content)
    assert document["users"][0]["user"] == {"client-certificate": files.certificate, "client-key": files.key}
    assert read_kubeconfig(content).certificate == b""


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"a: [", b"contexts: []\ncurrent-context: x\nclusters: []\nusers: []\n", b"\xff\xfe"]
)
def test_what_is_no_kubeconfig_is_refused(content: bytes) -> None:
    """Whatever a Secret holds, reading it ends in one kind of error."""
    with pytest.raises(ValueError, match="not a complete kubeconfig"):
        read_kubeconfig(content)
