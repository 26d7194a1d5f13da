"""The operator's description and its own user."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bench import identity
from bench.errors import BenchError
from bench.identity import write_kubeconfig
from bench.operator import DEFAULT_COMMAND, DEFAULT_HEALTH, server
from bench.testbed import SERVERS, ensure_no_operator
from kamaji_core.pki import issue_ca, read_certificate, read_kubeconfig
from sandbox import processes
from sandbox.places import API_URL
from sandbox.servers import STORE

KUBECONFIG = Path("/private/operator.kubeconfig")
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_any_command_may_be_measured() -> None:
    """It is split as a shell would and run by none; its kubeconfig is the operator's own, not the administrator's."""
    argv = server("manager --flag 'two words'", "http://10.0.0.1:1/readyz", KUBECONFIG).argv
    assert argv[1:] == (
        "-m",
        "sandbox",
        "exec",
        "--",
        "env",
        f"KUBECONFIG={KUBECONFIG}",
        "manager",
        "--flag",
        "two words",
    )


@pytest.mark.parametrize("command", ["", "  ", "manager 'unfinished"])
def test_a_command_that_is_none_is_refused(command: str) -> None:
    """With a sentence, before anything is started."""
    with pytest.raises(BenchError, match="command line"):
        server(command, DEFAULT_HEALTH, KUBECONFIG)


def test_the_default_serves_where_it_is_asked() -> None:
    """Port of the command and of the health address are one."""
    port = DEFAULT_HEALTH.partition("://")[2].partition(":")[2].partition("/")[0]
    assert DEFAULT_COMMAND.endswith(f":{port}")


def test_the_operator_is_a_user_of_its_own(tmp_path: Path) -> None:
    """The audit log tells its requests from everyone else's, and nobody else can read its key."""
    ca = issue_ca(common_name="kubernetes", now=NOW, lifetime=identity._LIFETIME)
    path = write_kubeconfig(tmp_path / "private" / "kubeconfig", ca=ca, now=NOW)
    facts = read_kubeconfig(path.read_bytes())
    certificate = read_certificate(facts.certificate)
    assert facts.server == API_URL
    assert certificate.common_name == identity.USER
    assert certificate.organizations == (identity.GROUP,)
    assert path.stat().st_mode & 0o777 == 0o600


def test_another_operator_is_not_joined(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Two would work on the same tenants; the sentence says how to end it. A dead one's record is no trouble."""
    monkeypatch.setattr(processes, "SERVERS", tmp_path)
    processes._write("operator", processes.Record(pid=os.getpid(), started=1))
    ensure_no_operator()
    started = processes._start_time(os.getpid())
    assert started is not None
    processes._write("operator", processes.Record(pid=os.getpid(), started=started))
    with pytest.raises(BenchError, match=f"kill {os.getpid()}"):
        ensure_no_operator()


def test_the_servers_that_are_told_are_the_sandboxs() -> None:
    """A name that is misspelt would be left out silently."""
    assert STORE in SERVERS
    assert "kube-apiserver" in SERVERS
