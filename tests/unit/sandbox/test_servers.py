"""The sandbox's servers as a whole, and the objects that it puts into the cluster."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sandbox import material
from sandbox.debian import ContainerRuntime
from sandbox.objects import cluster_objects
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


@pytest.fixture
def servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Server]:
    """All servers, with material that really is there."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in PROGRAMS:
        (programs / name).touch(mode=0o755)
    monkeypatch.setenv("KAMAJI_PROGRAMS", str(programs))
    runtime = ContainerRuntime(containerd=Path("/c/containerd"), ctr=Path("/c/ctr"), runc=Path("/r/runc"))
    return all_servers(runtime, material.ensure(tmp_path / "pki"))


def test_every_server_is_there(servers: dict[str, Server]) -> None:
    """Nine of them, each with a log of its own."""
    assert set(servers) == {*PROGRAMS, "etcd-tenants", "containerd"}
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


def test_the_store_is_a_service_of_the_cluster() -> None:
    """The Service has no selector; its endpoint is the node, at the same port."""
    objects = {manifest["kind"]: manifest for _, manifest in cluster_objects({"ca.key": b"k"})}
    assert "selector" not in objects["Service"]["spec"]
    assert objects["EndpointSlice"]["endpoints"][0]["addresses"] == [NODE_ADDRESS]
    assert objects["EndpointSlice"]["metadata"]["labels"] == {"kubernetes.io/service-name": "etcd"}
    assert objects["Secret"]["data"] == {"ca.key": base64.b64encode(b"k").decode()}


def test_objects_come_after_what_holds_them() -> None:
    """The namespace is first, and each path ends with its object's name."""
    objects = cluster_objects({})
    kinds = [manifest["kind"] for _, manifest in objects]
    assert kinds.index("Namespace") < kinds.index("Secret")
    assert all(path.endswith(f"/{manifest['metadata']['name']}") for path, manifest in objects)
