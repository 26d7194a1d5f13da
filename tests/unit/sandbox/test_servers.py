"""The sandbox's servers as a whole, and the objects that it puts into the cluster."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sandbox import material, postgres
from sandbox.debian import ContainerRuntime
from sandbox.errors import SandboxError
from sandbox.objects import SharedStore, cluster_objects, stores
from sandbox.places import LOGS, NODE_ADDRESS, STATE
from sandbox.servers import all_servers

if TYPE_CHECKING:
    from kamaji_core.testing import Server

PROGRAMS = (
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
    "coredns",
)

RUNTIME = ContainerRuntime(containerd=Path("/c/containerd"), ctr=Path("/c/ctr"), runc=Path("/r/runc"))


@pytest.fixture
def servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Server]:
    """All servers, with material that really is there."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in PROGRAMS:
        (programs / name).touch(mode=0o755)
    monkeypatch.setenv("KAMAJI_PROGRAMS", str(programs))
    monkeypatch.setenv("KAMAJI_POSTGRES", "/usr/lib/postgresql/15/bin")
    return all_servers(RUNTIME, material.ensure(tmp_path / "pki"), postgres=True)


def test_every_server_is_there(servers: dict[str, Server]) -> None:
    """Ten of them, each with a log of its own."""
    assert set(servers) == {*PROGRAMS, "etcd-tenants", "postgres-tenants", "containerd"}
    assert len({server.log for server in servers.values()}) == len(servers)
    assert all(server.log.parent == LOGS for server in servers.values())


def test_no_two_servers_want_one_port(servers: dict[str, Server]) -> None:
    """Each etcd has its own data and ports."""
    first, second = servers["etcd"].argv, servers["etcd-tenants"].argv
    assert not {flag for flag in first if "data-dir" in flag or "listen" in flag} & set(second)


def test_no_argument_is_a_secret(servers: dict[str, Server]) -> None:
    """Keys are named by file, never written out."""
    for server in servers.values():
        assert not any("PRIVATE KEY" in word for word in server.argv)


def test_the_stores_compact_or_are_compacted(servers: dict[str, Server]) -> None:
    """Tenants' API servers do not compact, so their store does; the management one is compacted by its API server."""
    assert "--auto-compaction-retention=5m" in servers["etcd-tenants"].argv
    assert not any("compaction" in flag for flag in servers["etcd"].argv)


def test_the_data_waits_for_the_disk(servers: dict[str, Server]) -> None:
    """A sandbox that is killed keeps what it had."""
    for name in ("etcd", "etcd-tenants"):
        assert not any("fsync" in flag for flag in servers[name].argv)
        assert f"--data-dir={STATE / name}" in servers[name].argv


def test_who_asks_is_written_down(servers: dict[str, Server]) -> None:
    """The API server keeps an audit log within the state directory."""
    (log,) = (flag.partition("=")[2] for flag in servers["kube-apiserver"].argv if flag.startswith("--audit-log-path"))
    assert Path(log).is_relative_to(STATE)


def test_containerd_finds_its_companions(servers: dict[str, Server]) -> None:
    """Its shim and runc come from where it came from, before anything of the host's."""
    assert servers["containerd"].environment["PATH"].startswith("/c:/r:")


def test_postgres_is_a_server_of_those_who_ask(servers: dict[str, Server], tmp_path: Path) -> None:
    """Without being asked for it is not there, and its program is not looked for."""
    plain = all_servers(RUNTIME, material.ensure(tmp_path / "pki"))
    assert set(servers) - set(plain) == {"postgres-tenants"}


def test_postgres_runs_as_its_own_user(servers: dict[str, Server]) -> None:
    """It refuses root; what it shares with its children ends with its own IPC namespace."""
    argv = servers["postgres-tenants"].argv
    assert argv[:2] == ("unshare", "--ipc")
    assert "--reuid=postgres" in argv
    assert argv.index("--reuid=postgres") < argv.index("/usr/lib/postgresql/15/bin/postgres")


def test_postgres_lets_in_over_tls_alone() -> None:
    """But for the system user at its socket, who needs no password."""
    assert [line.split()[0] for line in postgres._ACCESS.splitlines()] == ["local", "hostssl"]
    assert "trust" not in postgres._ACCESS


def test_a_missing_postgres_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the words of the sandbox, which installs it."""
    monkeypatch.setattr(Path, "glob", lambda *_: iter(()))
    monkeypatch.delenv("KAMAJI_POSTGRES", raising=False)
    with pytest.raises(SandboxError, match="PostgreSQL is not installed: run `make programs`"):
        postgres.server()


ETCD = SharedStore(service="etcd", port=2379, secret="etcd-certs", content={"ca.key": b"k"})


def test_a_store_is_a_service_of_the_cluster() -> None:
    """The Service has no selector; its endpoint is the node, at the same port."""
    objects = {manifest["kind"]: manifest for _, manifest in cluster_objects([ETCD])}
    assert "selector" not in objects["Service"]["spec"]
    assert objects["EndpointSlice"]["endpoints"][0]["addresses"] == [NODE_ADDRESS]
    assert objects["EndpointSlice"]["metadata"]["labels"] == {"kubernetes.io/service-name": "etcd"}
    assert objects["Secret"]["data"] == {"ca.key": base64.b64encode(b"k").decode()}


def test_objects_come_after_what_holds_them() -> None:
    """The namespace is first, and each path ends with its object's name."""
    objects = cluster_objects([ETCD])
    kinds = [manifest["kind"] for _, manifest in objects]
    assert kinds.index("Namespace") < kinds.index("Secret")
    assert all(path.endswith(f"/{manifest['metadata']['name']}") for path, manifest in objects)


def test_postgres_is_known_to_the_cluster_where_it_is(tmp_path: Path) -> None:
    """Its Secret holds the login of a DataStore; without it nothing of it is in the cluster."""
    present = material.ensure(tmp_path / "pki")
    both = {store.service: store for store in stores(present, postgres=True)}
    assert set(both) == {"etcd", "postgres"}
    assert set(both["postgres"].content) == {"ca.crt", "username", "password"}
    assert [store.service for store in stores(present, postgres=False)] == ["etcd"]
