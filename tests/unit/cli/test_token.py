"""Bootstrap tokens have the form that kube-apiserver, the bootstrap signer and kubeadm know."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click
import pytest
from click.testing import CliRunner

from kamaji_core.cli import main
from kamaji_core.cli.token import Duration, token_secret

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def test_a_token_has_the_wire_form() -> None:
    """Six and sixteen letters; another one each time; the group that kubeadm's rules name."""
    secret = token_secret(now=NOW, ttl=timedelta(hours=24))
    data = secret["stringData"]
    assert re.fullmatch("[a-z0-9]{6}", data["token-id"])
    assert re.fullmatch("[a-z0-9]{16}", data["token-secret"])
    assert secret["metadata"] == {"name": f"bootstrap-token-{data['token-id']}", "namespace": "kube-system"}
    assert secret["type"] == "bootstrap.kubernetes.io/token"
    assert data["expiration"] == "2026-11-25T12:00:00Z"
    assert data["auth-extra-groups"] == "system:bootstrappers:kubeadm:default-node-token"
    assert token_secret(now=NOW, ttl=timedelta(hours=24)) != secret


def test_a_token_without_an_end() -> None:
    """For those who ask for it."""
    assert "expiration" not in token_secret(now=NOW, ttl=timedelta(0))["stringData"]


@pytest.mark.parametrize(
    ("text", "seconds"), [("24h", 86400), ("1h30m", 5400), ("90s", 90), ("0", 0), (timedelta(1), 86400)]
)
def test_lengths_of_time(text: str | timedelta, seconds: int) -> None:
    """As kubeadm writes them."""
    assert Duration().convert(text, None, None).total_seconds() == seconds


@pytest.mark.parametrize("text", ["", "1d", "24", "h", "-1h"])
def test_what_is_no_length_of_time(text: str) -> None:
    """One sentence that says how to write it."""
    with pytest.raises(click.BadParameter, match="write one such as 24h"):
        Duration().convert(text, None, None)


def test_a_missing_kubeconfig_is_told_in_a_sentence(tmp_path: Path) -> None:
    """No traceback; the file is named."""
    missing = tmp_path / "absent.conf"
    result = CliRunner().invoke(main, ["token", "create", "shop", "--kubeconfig", str(missing)])
    assert result.exit_code == 1
    assert str(missing) in result.output
