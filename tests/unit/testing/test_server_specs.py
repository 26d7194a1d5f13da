"""What the descriptions of real servers say, without starting one."""

from __future__ import annotations

import socket
import stat
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from kamaji_core.pki import KeyPair, issue_ca
from kamaji_core.testing import (
    ApiServerSettings,
    ControllerManagerSettings,
    EtcdSettings,
    ProgramMissingError,
    SchedulerSettings,
    TlsFiles,
    etcd,
    free_port,
    kube_apiserver,
    kube_controller_manager,
    kube_scheduler,
    program,
    programs_directory,
    write_key_pair,
    write_private,
)
from kamaji_core.testing.server import HttpReadiness, flags, log_tail

if TYPE_CHECKING:
    from pathlib import Path

PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")


@pytest.fixture(autouse=True)
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with something executable under each program's name."""
    directory = tmp_path / "programs"
    directory.mkdir()
    for name in PROGRAMS:
        (directory / name).touch(mode=0o755)
    monkeypatch.setenv("KAMAJI_PROGRAMS", str(directory))
    return directory


@pytest.fixture
def tls(tmp_path: Path) -> TlsFiles:
    """A key pair on disk."""
    authority = issue_ca(common_name="kubernetes", now=datetime.now(UTC), lifetime=timedelta(days=1))
    return write_key_pair(tmp_path / "pki", "server", authority, ca=authority.certificate)


def etcd_settings(tmp_path: Path, tls: TlsFiles | None = None, compaction: str | None = None) -> EtcdSettings:
    """Settings of a store at a documentation address."""
    return EtcdSettings(
        name="store",
        address="192.0.2.7",
        client_port=2379,
        peer_port=2380,
        health_port=2381,
        data=tmp_path / "data",
        log=tmp_path / "store.log",
        tls=tls,
        auto_compaction_retention=compaction,
    )


def api_settings(tmp_path: Path, tls: TlsFiles, **extra: object) -> ApiServerSettings:
    """Settings of an API server at a documentation address."""
    return ApiServerSettings(
        address="192.0.2.7",
        port=6443,
        etcd_endpoint="https://192.0.2.7:2379",
        etcd_client=tls,
        tls=tls,
        service_account_key=tmp_path / "sa.key",
        service_account_public_key=tmp_path / "sa.pub",
        service_range="10.0.0.0/24",
        log=tmp_path / "kube-apiserver.log",
        extra={name.replace("_", "-"): value for name, value in extra.items()},
    )


def test_a_missing_program_is_named_with_the_way_to_get_it(programs: Path) -> None:
    """The sentence names the program, the place looked at and `make programs`."""
    with pytest.raises(ProgramMissingError, match=rf"kubelet is not at {programs}/kubelet: run `make programs`"):
        program("kubelet")


def test_without_a_variable_the_last_build_is_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The default follows the XDG cache directory."""
    monkeypatch.delenv("KAMAJI_PROGRAMS")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert programs_directory() == tmp_path / "kamaji-sandbox" / "programs" / "bin"


def test_plain_etcd_asks_for_no_certificates(tmp_path: Path) -> None:
    """Without TLS the endpoint is plain HTTP and no certificate flag is there."""
    server = etcd(etcd_settings(tmp_path))
    assert "--listen-client-urls=http://192.0.2.7:2379" in server.argv
    assert not [flag for flag in server.argv if "cert" in flag]
    assert not [flag for flag in server.argv if "compaction" in flag or "fsync" in flag]


def test_etcd_with_tls_asks_for_client_certificates(tmp_path: Path, tls: TlsFiles) -> None:
    """A tenants' store authenticates its clients and compacts by itself."""
    server = etcd(etcd_settings(tmp_path, tls, "5m"))
    assert {
        "--listen-client-urls=https://192.0.2.7:2379",
        "--client-cert-auth=true",
        f"--trusted-ca-file={tls.ca}",
        "--auto-compaction-mode=periodic",
        "--auto-compaction-retention=5m",
    } <= set(server.argv)


def test_etcd_peers_stay_on_the_loopback_interface(tmp_path: Path) -> None:
    """Nobody but the single member itself can reach its peer port."""
    assert "--listen-peer-urls=http://127.0.0.1:2380" in etcd(etcd_settings(tmp_path)).argv


def test_the_api_server_presents_its_certificate_to_etcd(tmp_path: Path, tls: TlsFiles) -> None:
    """With a client certificate for etcd all three files are named."""
    argv = kube_apiserver(api_settings(tmp_path, tls)).argv
    assert {f"--etcd-cafile={tls.ca}", f"--etcd-certfile={tls.certificate}", f"--etcd-keyfile={tls.key}"} <= set(argv)


def test_further_flags_win_and_can_take_one_away(tmp_path: Path, tls: TlsFiles) -> None:
    """Each flag stands once, with the caller's value; None removes it."""
    argv = kube_apiserver(api_settings(tmp_path, tls, authorization_mode="RBAC", profiling=None)).argv
    assert [flag for flag in argv if flag.startswith("--authorization-mode")] == ["--authorization-mode=RBAC"]
    assert not [flag for flag in argv if flag.startswith("--profiling")]


def test_the_api_server_is_ready_by_its_own_word(tmp_path: Path, tls: TlsFiles) -> None:
    """Readiness asks /readyz and trusts the cluster's authority alone."""
    readiness = kube_apiserver(api_settings(tmp_path, tls)).readiness
    assert readiness == HttpReadiness(url="https://192.0.2.7:6443/readyz", ca=tls.ca.read_bytes())


def test_managers_elect_nobody(tmp_path: Path, tls: TlsFiles) -> None:
    """There is one of each, so both start without an election."""
    scheduler = SchedulerSettings(
        address="192.0.2.7", port=10259, kubeconfig=tmp_path / "s", tls=tls, log=tmp_path / "s.log"
    )
    manager = ControllerManagerSettings(
        address="192.0.2.7",
        port=10257,
        kubeconfig=tmp_path / "m",
        tls=tls,
        ca_key=tls.key,
        service_account_key=tmp_path / "sa.key",
        log=tmp_path / "m.log",
        extra={"controllers": "*"},
    )
    servers = (kube_scheduler(scheduler), kube_controller_manager(manager))
    assert [server.name for server in servers] == ["kube-scheduler", "kube-controller-manager"]
    assert all("--leader-elect=false" in server.argv for server in servers)
    assert "--use-service-account-credentials=true" in servers[1].argv
    assert "--controllers=*" in servers[1].argv


def test_flags_spell_booleans_as_go_does() -> None:
    """True is `true`, and None leaves a flag out."""
    assert flags({"a": True, "b": None, "c": 5, "d": "x"}) == ("--a=true", "--c=5", "--d=x")


def test_private_files_are_their_owners_alone(tmp_path: Path) -> None:
    """A key is written with mode 0600 into a directory of mode 0700, and no unfinished file stays."""
    path = write_private(tmp_path / "keys" / "a.key", b"secret")
    write_private(path, b"other")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [entry.name for entry in path.parent.iterdir()] == ["a.key"]
    assert path.read_bytes() == b"other"


def test_a_written_key_pair_shows_no_key(tmp_path: Path) -> None:
    """What is passed around names files only."""
    files = write_key_pair(tmp_path, "x", KeyPair(certificate=b"c", key=b"SECRET"), ca=b"a")
    assert "SECRET" not in repr(files)
    assert files.key.read_bytes() == b"SECRET"


def test_a_free_port_can_be_bound() -> None:
    """The port lies below the range of outgoing connections and is nobody's."""
    port = free_port()
    assert 20000 <= port < 32000
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", port))


def test_the_tail_of_a_log_is_its_last_lines(tmp_path: Path) -> None:
    """A long log is cut at its start, a missing one is empty."""
    log = tmp_path / "log"
    assert not log_tail(log)
    log.write_text("".join(f"line {number}\n" for number in range(100_000)))
    assert log_tail(log, 2) == "line 99998\nline 99999"
