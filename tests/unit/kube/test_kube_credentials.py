"""Credential plugins are asked, in memory and with a limit, and the heavy library is loaded for nobody else."""

import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from kamaji_core.kube import ConfigError, config_from_kubeconfig

# The library itself uses calls that Python has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utc:DeprecationWarning")


def kubeconfig(user: dict[str, Any]) -> bytes:
    """A kubeconfig whose user is this one."""
    return yaml.safe_dump(
        {
            "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
            "clusters": [{"name": "k", "cluster": {"server": "https://api.example"}}],
            "users": [{"name": "u", "user": user}],
        }
    ).encode()


def plugin(directory: Path, status: dict[str, str] | None, *, code: int = 0) -> dict[str, Any]:
    """A user with an `exec` program that answers with this status."""
    program = directory / "plugin"
    answer = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status}
    program.write_text(f"#!/bin/sh\necho 'no such account' >&2\ncat <<'END'\n{json.dumps(answer)}\nEND\nexit {code}\n")
    program.chmod(0o755)
    return {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": str(program)}}


def test_a_token_from_a_program(tmp_path: Path) -> None:
    """An exec plugin's token is sent as the bearer token."""
    config = config_from_kubeconfig(kubeconfig(plugin(tmp_path, {"token": "t"})))
    assert config.current_token() == "t"


async def test_inside_a_running_loop(tmp_path: Path) -> None:
    """Loading works where an event loop runs already."""
    assert config_from_kubeconfig(kubeconfig(plugin(tmp_path, {"token": "t"}))).current_token() == "t"


def test_a_certificate_from_a_program_stays_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client certificate and key from a plugin reach no file."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    status = {"clientCertificateData": "CERT", "clientKeyData": "KEY"}
    config = config_from_kubeconfig(kubeconfig(plugin(tmp_path, status)))
    assert (config.client_certificate, config.client_key) == (b"CERT", b"KEY")
    assert list(scratch.iterdir()) == []


def test_a_program_that_fails(tmp_path: Path) -> None:
    """The program's own words stand in the sentence."""
    with pytest.raises(ConfigError, match=r"exec plugin gave no credentials: .*no such account"):
        config_from_kubeconfig(kubeconfig(plugin(tmp_path, {}, code=1)))


def test_a_program_that_gives_nothing(tmp_path: Path) -> None:
    """An answer without credentials is not taken for an anonymous user."""
    with pytest.raises(ConfigError, match="neither a token nor a client certificate"):
        config_from_kubeconfig(kubeconfig(plugin(tmp_path, {})))


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    """A plugin that is not installed is named."""
    user = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "/nowhere/plugin"}}
    with pytest.raises(ConfigError, match=r"/nowhere/plugin"):
        config_from_kubeconfig(kubeconfig(user))


def test_an_openid_token() -> None:
    """A valid id-token of the `oidc` provider is sent as it is."""
    parts = [base64.b64encode(json.dumps(part).encode()).decode() for part in ({}, {"exp": 4_000_000_000})]
    token = ".".join([*parts, "signature"])
    user = {"auth-provider": {"name": "oidc", "config": {"id-token": token}}}
    assert config_from_kubeconfig(kubeconfig(user)).current_token() == token


def test_an_openid_user_without_tokens() -> None:
    """Neither a token nor a way to get one is said so."""
    user = {"auth-provider": {"name": "oidc", "config": {"client-id": "x"}}}
    with pytest.raises(ConfigError, match="auth-provider plugin gave no credentials: oidc: No valid id-token"):
        config_from_kubeconfig(kubeconfig(user))


def test_the_heavy_library_is_not_loaded() -> None:
    """Importing the client and reading an ordinary kubeconfig load no kubernetes_asyncio: 94 MB and 1.4 s."""
    script = (
        "import sys; from kamaji_core.kube import config_from_kubeconfig\n"
        f"config_from_kubeconfig({kubeconfig({'token': 't'})!r})\n"
        "assert not [name for name in sys.modules if name.startswith('kubernetes_asyncio')]"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=30)
