"""`kamaji datastore check` says what is wrong with what it is given, and helps."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

import click
import pytest
from click.testing import CliRunner

from kamaji_core.cli import main
from kamaji_core.cli.datastore import _tell

if TYPE_CHECKING:
    from pathlib import Path


def test_help_shows_defaults_and_an_example() -> None:
    """And what it costs."""
    result = CliRunner().invoke(main, ["datastore", "check", "--help"])
    assert result.exit_code == 0
    words = ["NAME...", "--objects", "default: 10000", "--compaction", "\n  kamaji datastore check fast\n", "Ctrl-C"]
    assert [word for word in words if word not in result.output] == []


def test_a_missing_kubeconfig_is_told_in_a_sentence(tmp_path: Path) -> None:
    """No traceback; the file is named."""
    missing = tmp_path / "absent.conf"
    result = CliRunner().invoke(main, ["datastore", "check", "fast", "--kubeconfig", str(missing)])
    assert result.exit_code == 1
    assert str(missing) in result.output


@pytest.mark.parametrize(
    ("content", "words"),
    [("spec: [", "cannot be read"), ("kind: TenantControlPlane", "has no spec"), ("- 1", "has no spec")],
)
def test_a_file_to_follow_that_is_none(tmp_path: Path, content: str, words: str) -> None:
    """Its name and the remedy."""
    file, kubeconfig = tmp_path / "tenant.yaml", tmp_path / "admin.conf"
    file.write_text(content)
    kubeconfig.write_text(
        "clusters: [{name: a, cluster: {server: 'https://127.0.0.1:1'}}]\n"
        "users: [{name: a, user: {token: t}}]\n"
        "contexts: [{name: a, context: {cluster: a, user: a}}]\ncurrent-context: a\n"
    )
    arguments = ["datastore", "check", "fast", "--like", str(file), "--kubeconfig", str(kubeconfig)]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 1
    assert words in result.output
    assert "tenant.yaml" in result.output


@pytest.mark.parametrize("arguments", [[], ["fast", "--objects", "0"], ["fast", "--seconds", "0"]])
def test_what_makes_no_sense_is_refused(arguments: list[str]) -> None:
    """Before anything is made."""
    result = CliRunner().invoke(main, ["datastore", "check", *arguments])
    assert result.exit_code == 2


class Gone(io.StringIO):
    """A terminal that was closed."""

    def write(self, _: str) -> int:
        """Fail as a pipe does whose reader has ended."""
        raise BrokenPipeError


def test_a_listener_that_is_gone_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a check whose output was cut off would leave its tenant behind."""
    monkeypatch.setattr(sys, "stderr", Gone())
    with pytest.raises(BrokenPipeError):
        click.echo("somebody", err=True)
    _tell("fast: removing the tenant.")
