"""What the programs with configuration files are told."""

from __future__ import annotations

import ipaddress
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox import configuration
from sandbox.debian import ContainerRuntime
from sandbox.material import Material
from sandbox.places import (
    API_SERVICE_ADDRESS,
    BORROWED_DIRECTORIES,
    HOST_ADDRESS,
    LINK_RANGE,
    NODE_ADDRESS,
    POD_RANGE,
    RUN,
    SERVICE_RANGE,
    STATE,
)

RUNTIME = ContainerRuntime(containerd=Path("/c/containerd"), ctr=Path("/c/ctr"), runc=Path("/c/runc"))
MATERIAL = Material(directory=Path("/pki"))


@pytest.fixture
def containerd() -> dict[str, Any]:
    """containerd's configuration as it reads it."""  # noqa: D403 - the program's name
    return tomllib.loads(configuration.containerd(RUNTIME))


def test_containerd_has_every_directory_to_itself(containerd: dict[str, Any]) -> None:
    """Neither the host's container runtime nor `/opt` is touched."""
    opt = containerd["plugins"]["io.containerd.internal.v1.opt"]["path"]
    for place in (containerd["root"], containerd["state"], containerd["grpc"]["address"], opt):
        assert Path(place).is_relative_to(STATE) or Path(place).is_relative_to(RUN)


def test_pods_network_namespaces_stay_in_the_sandbox(containerd: dict[str, Any]) -> None:
    """They are not bound below `/run/netns`, where they would outlive the sandbox."""
    cri = containerd["plugins"]["io.containerd.grpc.v1.cri"]
    assert cri["netns_mounts_under_state_dir"] is True
    assert cri["containerd"]["runtimes"]["runc"]["options"] == {"BinaryName": "/c/runc", "SystemdCgroup": False}


def test_pods_get_addresses_of_the_pod_range() -> None:
    """The CNI configuration names its own state directory and no bridge."""
    (plugin,) = json.loads(configuration.cni())["plugins"]
    assert plugin["type"] == "ptp"
    assert plugin["ipam"]["ranges"] == [[{"subnet": POD_RANGE}]]
    assert Path(plugin["ipam"]["dataDir"]).is_relative_to(RUN)


def test_kubelet_runs_on_both_cgroup_versions() -> None:
    """Version 1 is no reason to refuse, and all pods are below the sandbox's group."""
    told = yaml.safe_load(configuration.kubelet(MATERIAL))
    assert told["failCgroupV1"] is False
    assert told["cgroupRoot"] == "/kamaji-sandbox"
    assert told["maxPods"] == 250
    assert told["clusterDNS"] == [NODE_ADDRESS]


def test_kubelet_lets_no_stranger_in() -> None:
    """Its API asks for a certificate or a token."""
    told = yaml.safe_load(configuration.kubelet(MATERIAL))
    assert told["authentication"]["anonymous"]["enabled"] is False
    assert told["authorization"]["mode"] == "Webhook"


def test_kube_proxy_leaves_the_host_alone() -> None:
    """It uses nftables, and sets no limit of connection tracking."""
    told = yaml.safe_load(configuration.kube_proxy(Path("/k")))
    assert told["mode"] == "nftables"
    assert told["conntrack"]["maxPerCore"] == 0


def test_names_are_never_cached() -> None:
    """A Service that is asked for before it exists is found once it does."""
    corefile = configuration.corefile(Path("/k"))
    assert "cache" not in corefile
    assert "forward" not in corefile
    assert f"bind {NODE_ADDRESS}" in corefile


def test_the_audit_keeps_no_bodies() -> None:
    """Metadata alone, one line for each finished request."""
    policy = yaml.safe_load(configuration.audit_policy())
    assert policy["omitStages"] == ["RequestReceived"]
    assert {rule["level"] for rule in policy["rules"]} == {"None", "Metadata"}


def test_a_service_is_found_at_the_first_try() -> None:
    """`name.namespace.svc` is completed with the cluster's domain first."""
    lines = configuration.resolv_conf().splitlines()
    assert lines[0] == f"nameserver {NODE_ADDRESS}"
    assert lines[1].split()[1] == "cluster.local"


def test_the_ranges_do_not_meet() -> None:
    """Link, pods and Services are apart, and the fixed addresses lie in theirs."""
    link, pods, services = (ipaddress.ip_network(text) for text in (LINK_RANGE, POD_RANGE, SERVICE_RANGE))
    assert not link.overlaps(pods)
    assert not pods.overlaps(services)
    assert not link.overlaps(services)
    assert ipaddress.ip_address(NODE_ADDRESS) in link
    assert ipaddress.ip_address(HOST_ADDRESS) in link
    assert ipaddress.ip_address(API_SERVICE_ADDRESS) == services[1]
    assert pods.num_addresses > configuration.MAXIMUM_PODS


def test_borrowed_directories_are_absolute() -> None:
    """Each is bound over inside the sandbox's mount namespace alone."""
    assert all(directory.is_absolute() for directory in BORROWED_DIRECTORIES)


def test_an_equal_file_is_not_written_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """kube-proxy ends when its file is written, so healing must not."""
    monkeypatch.setattr(configuration, "CONFIGURATION", tmp_path / "configuration")
    monkeypatch.setattr(configuration, "AUDIT_LOG", tmp_path / "audit/audit.log")
    monkeypatch.setattr(configuration, "PROGRAMS", tmp_path / "programs")
    configuration.write_all(RUNTIME, MATERIAL)
    first = {path: path.stat().st_mtime_ns for path in (tmp_path / "configuration").rglob("*") if path.is_file()}
    configuration.write_all(RUNTIME, MATERIAL)
    assert first == {path: path.stat().st_mtime_ns for path in first}
    assert len(first) == 8
