"""Configuration files of the programs that take them: containerd, CNI, kubelet, kube-proxy, CoreDNS, the audit.

Each is a pure function of the sandbox's places, so that a test can read what a program will be told.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import yaml

from kamaji_core.testing import programs_directory
from sandbox.build import link
from sandbox.debian import CNI_PLUGINS
from sandbox.images import PAUSE
from sandbox.places import (
    AUDIT_LOG,
    CLUSTER_DOMAIN,
    CONFIGURATION,
    CONTAINERD_SOCKET,
    NAME,
    NODE_ADDRESS,
    POD_RANGE,
    PROGRAMS,
    RUN,
    STATE,
)

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox.debian import ContainerRuntime
    from sandbox.material import Material

CNI = CONFIGURATION / "cni"
RESOLV_CONF = CONFIGURATION / "resolv.conf"
NSSWITCH_CONF = CONFIGURATION / "nsswitch.conf"
KUBELET_HEALTH_PORT = 10248
PROXY_HEALTH_PORT = 10256
DNS_READY_PORT = 8181
MAXIMUM_PODS = 250


def write_all(runtime: ContainerRuntime, material: Material) -> None:
    """Write every configuration file."""
    files = {
        "containerd.toml": containerd(runtime),
        "cni/10-sandbox.conflist": cni(),
        "kubelet.yaml": kubelet(material),
        "kube-proxy.yaml": kube_proxy(material.kubeconfig("kube-proxy")),
        "Corefile": corefile(material.kubeconfig("coredns")),
        "audit.yaml": audit_policy(),
        RESOLV_CONF.name: resolv_conf(),
        NSSWITCH_CONF.name: "passwd: files\ngroup: files\nhosts: files dns\n",
    }
    for name, content in files.items():
        path = CONFIGURATION / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text() != content:  # kube-proxy ends when its file is written
            path.write_text(content)
    link(PROGRAMS, programs_directory())
    AUDIT_LOG.parent.mkdir(parents=True, exist_ok=True, mode=0o700)


def containerd(runtime: ContainerRuntime) -> str:
    """The daemon's configuration."""
    return containerd_of(runtime, state=STATE, socket=CONTAINERD_SOCKET, cni=CNI)


def containerd_of(runtime: ContainerRuntime, *, state: Path, socket: Path, cni: Path) -> str:
    """A daemon's configuration: every directory its own, pods' network namespaces kept out of `/run/netns`.

    Args:
        runtime: its programs.
        state: where it keeps images and containers.
        socket: where it listens, in a directory of its own.
        cni: directory of the pods' network configuration.
    """
    cri = '[plugins."io.containerd.grpc.v1.cri"'
    return f"""\
version = 2
root = "{state}/containerd"
state = "{socket.parent}"
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs",
]

[grpc]
address = "{socket}"

[plugins."io.containerd.internal.v1.opt"]
path = "{state}/containerd-opt"

{cri}]
sandbox_image = "{PAUSE}"
disable_apparmor = true
restrict_oom_score_adj = true
netns_mounts_under_state_dir = true

{cri}.cni]
bin_dir = "{CNI_PLUGINS}"
conf_dir = "{cni}"

{cri}.containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

{cri}.containerd.runtimes.runc.options]
BinaryName = "{runtime.runc}"
SystemdCgroup = false
"""


def cni() -> str:
    """Pods' network: a routed pair of interfaces for each pod.

    Not a bridge: Services between pods on one bridge need br_netfilter, a kernel module that the sandbox would have to
    load, and pairs need nothing.
    """
    plugin = {
        "type": "ptp",
        "ipMasq": False,
        "ipam": {
            "type": "host-local",
            "dataDir": str(RUN / "addresses"),
            "ranges": [[{"subnet": POD_RANGE}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    return json.dumps({"cniVersion": "1.0.0", "name": NAME, "plugins": [plugin]}, indent=2)


def kubelet(material: Material) -> str:
    """KubeletConfiguration: cgroups of either version, many pods, no waiting for images one by one."""
    node = material.tls("node")
    return _yaml(
        {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "address": NODE_ADDRESS,
            "authentication": {
                "anonymous": {"enabled": False},
                "webhook": {"enabled": True},
                "x509": {"clientCAFile": str(node.ca)},
            },
            "authorization": {"mode": "Webhook"},
            "tlsCertFile": str(node.certificate),
            "tlsPrivateKeyFile": str(node.key),
            "healthzBindAddress": NODE_ADDRESS,
            "healthzPort": KUBELET_HEALTH_PORT,
            "containerRuntimeEndpoint": f"unix://{CONTAINERD_SOCKET}",
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": f"/{NAME}",
            "failCgroupV1": False,
            "failSwapOn": False,
            "clusterDNS": [NODE_ADDRESS],
            "clusterDomain": CLUSTER_DOMAIN,
            "resolvConf": str(RESOLV_CONF),
            "maxPods": MAXIMUM_PODS,
            "serializeImagePulls": False,
            "registryPullQPS": 0,
            "eventRecordQPS": 0,
            "kubeAPIQPS": 100,
            "kubeAPIBurst": 200,
            "evictionHard": {"memory.available": "100Mi"},
            "imageGCHighThresholdPercent": 100,
            "volumePluginDir": str(STATE / "volume-plugins"),
        },
    )


def kube_proxy(kubeconfig: Path) -> str:
    """KubeProxyConfiguration: nftables, and no limit of the host's connection tracking is touched."""
    return _yaml(
        {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "mode": "nftables",
            "bindAddress": NODE_ADDRESS,
            "healthzBindAddress": f"{NODE_ADDRESS}:{PROXY_HEALTH_PORT}",
            "metricsBindAddress": f"{NODE_ADDRESS}:10249",
            "clientConnection": {"kubeconfig": str(kubeconfig)},
            "clusterCIDR": POD_RANGE,
            "hostnameOverride": NAME,
            "conntrack": {
                "maxPerCore": 0,
                "min": 0,
                "tcpCloseWaitTimeout": "0s",
                "tcpEstablishedTimeout": "0s",
            },
        },
    )


def corefile(kubeconfig: Path) -> str:
    """CoreDNS: the cluster's names, and a plain no to everything else, since there is no way out of the sandbox.

    There is no cache: a name that did not exist a moment ago is asked for again, and must then be found.
    """
    return f"""\
{CLUSTER_DOMAIN} in-addr.arpa ip6.arpa {{
    bind {NODE_ADDRESS}
    errors
    ready {NODE_ADDRESS}:{DNS_READY_PORT}
    kubernetes {{
        kubeconfig {kubeconfig}
        pods insecure
        ttl 1
    }}
}}
. {{
    bind {NODE_ADDRESS}
    template ANY ANY {{
        rcode NXDOMAIN
    }}
}}
"""


def audit_policy() -> str:
    """Metadata of every finished request, one line each."""
    return _yaml(
        {
            "apiVersion": "audit.k8s.io/v1",
            "kind": "Policy",
            "omitStages": ["RequestReceived"],
            "rules": [
                {"level": "None", "nonResourceURLs": ["/healthz*", "/livez*", "/readyz*"]},
                {"level": "Metadata"},
            ],
        },
    )


def resolv_conf() -> str:
    """Name resolution as in a pod, without a pod's namespace: `name.namespace.svc` is found at the first try."""
    return (
        f"nameserver {NODE_ADDRESS}\n"
        f"search {CLUSTER_DOMAIN} svc.{CLUSTER_DOMAIN}\n"
        "options ndots:5 timeout:2 attempts:2\n"
    )


def _yaml(content: dict[str, Any]) -> str:
    return yaml.safe_dump(content, sort_keys=False)
