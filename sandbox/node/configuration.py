"""What the programs of a further machine are told; pure, like the sandbox's own configuration."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import yaml

from sandbox import configuration
from sandbox.places import NAME

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox.debian import ContainerRuntime
    from sandbox.node.machine import Machine


def containerd(machine: Machine, runtime: ContainerRuntime) -> str:
    """The daemon's, like the sandbox's own but for every place."""
    return configuration.containerd_of(
        runtime,
        state=machine.state,
        socket=machine.containerd_socket,
        cni=machine.state / "cni",
    )


def cni(machine: Machine) -> str:
    """Pods' network: a routed pair each; what leaves the machine carries its address, as where CNIs masquerade."""
    plugin = {
        "type": "ptp",
        "ipMasq": True,
        "ipam": {
            "type": "host-local",
            "dataDir": str(machine.running / "addresses"),
            "ranges": [[{"subnet": machine.pods}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    ports = {"type": "portmap", "capabilities": {"portMappings": True}}
    return json.dumps({"cniVersion": "1.0.0", "name": machine.name, "plugins": [plugin, ports]}, indent=2)


def join_configuration(machine: Machine, *, endpoint: str, token: str, pin: str, patches: Path) -> str:
    """What `kubeadm join` is told.

    Args:
        machine: which joins.
        endpoint: `host:port` of the tenant's API server.
        token: bootstrap token.
        pin: of the tenant's authority, `sha256:...`.
        patches: directory of the machine's own patches of the kubelet's configuration.
    """
    discovery = {
        "bootstrapToken": {"apiServerEndpoint": endpoint, "token": token, "caCertHashes": [pin]},
        "tlsBootstrapToken": token,
    }
    registration = {
        "name": machine.name,
        "criSocket": f"unix://{machine.containerd_socket}",
        "kubeletExtraArgs": [{"name": "node-ip", "value": machine.address}],
        # What this machine is, and says so: control groups of version 1, and no systemd.
        "ignorePreflightErrors": ["SystemVerification"],
    }
    return yaml.safe_dump(
        {
            "apiVersion": "kubeadm.k8s.io/v1beta4",
            "kind": "JoinConfiguration",
            "discovery": discovery,
            "nodeRegistration": registration,
            "patches": {"directory": str(patches)},
        }
    )


def kubelet_patch(machine: Machine) -> str:
    """What is special about this machine: control groups of either version, no systemd, no swap to turn off."""
    patch: dict[str, Any] = {
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{NAME}/{machine.name}",
        "failCgroupV1": False,
        "failSwapOn": False,
        "containerRuntimeEndpoint": f"unix://{machine.containerd_socket}",
        "resolvConf": str(machine.resolv_conf),
        "imageGCHighThresholdPercent": 100,
        "evictionHard": {"memory.available": "100Mi"},
        "volumePluginDir": str(machine.state / "volume-plugins"),
    }
    return yaml.safe_dump(patch)
