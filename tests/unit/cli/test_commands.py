"""The command line answers quickly, helps, and says in one sentence what is wrong."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from kamaji_core import __version__
from kamaji_core.cli import main

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("arguments", [["version"], ["--version"]])
def test_the_version_is_printed(arguments: list[str]) -> None:
    """Alone on its line, for scripts."""
    result = CliRunner().invoke(main, arguments)
    assert (result.exit_code, result.output) == (0, f"{__version__}\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["manager", "kubeconfig", "version"]),
        (["manager"], ["--datastore", "--health-probe-bind-address", "--log-level", "[default: :8081]"]),
        (["manager"], ["--leader-elect", "--no-leader-elect", "--leader-election-namespace", "kamaji.clastix.io"]),
        (["kubeconfig"], ["TENANT", "--namespace", "admin.svc", "kubectl --kubeconfig"]),
    ],
)
def test_help_names_what_there_is(arguments: list[str], words: list[str]) -> None:
    """With defaults and an example."""
    result = CliRunner().invoke(main, [*arguments, "--help"])
    assert result.exit_code == 0
    assert [word for word in words if word not in result.output] == []


def test_help_loads_neither_client_nor_server_libraries() -> None:
    """`--help` must not pay for what it does not use."""
    code = (
        "import sys\n"
        "from kamaji_core.cli import main\n"
        "try: main(['manager', '--help'])\n"
        "except SystemExit: pass\n"
        "print([name for name in ('aiohttp', 'kubernetes_asyncio', 'cryptography', 'grpc') if name in sys.modules])\n"
    )
    answer = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=30)
    assert answer.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("command", [["manager"], ["kubeconfig", "shop"]])
def test_a_missing_kubeconfig_is_told_in_a_sentence(command: list[str], tmp_path: Path) -> None:
    """No traceback; the file is named."""
    missing = tmp_path / "absent.conf"
    result = CliRunner().invoke(main, [*command, "--kubeconfig", str(missing)])
    assert result.exit_code == 1
    assert str(missing) in result.output
    assert "Traceback" not in result.output


def test_a_management_cluster_that_does_not_answer_is_told(tmp_path: Path) -> None:
    """The sentence names the server."""
    file = tmp_path / "conf"
    file.write_text(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\n"
        "clusters: [{name: c, cluster: {server: 'http://127.0.0.1:1'}}]\n"
        "contexts: [{name: c, context: {cluster: c, user: u}}]\n"
        "users: [{name: u, user: {token: secret-token}}]\n"
    )
    result = CliRunner().invoke(main, ["kubeconfig", "shop", "--kubeconfig", str(file)])
    assert result.exit_code == 1
    assert "127.0.0.1:1" in result.output
    assert "secret-token" not in result.output
