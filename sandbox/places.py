"""Where the sandbox lives: its directories, names and addresses, all in one place.

The addresses are fixed, so that examples and a kubeconfig keep their meaning over a rebuild; they were chosen where
home and office networks, container engines and Kubernetes' own defaults rarely are, and `up` refuses to start when
the machine routes any of them already.
"""

from __future__ import annotations

from pathlib import Path

NAME = "kamaji-sandbox"
"""Name of the node, of the interface on the host and of the cgroup."""

STATE = Path("/var/lib/kamaji-sandbox")
RUN = Path("/run/kamaji-sandbox")

PKI = STATE / "pki"
LOGS = STATE / "logs"
CONFIGURATION = STATE / "configuration"
PROGRAMS = STATE / "programs"
"""A link to the directory of the programs that the sandbox runs."""
KUBECONFIG = STATE / "admin.kubeconfig"
AUDIT_LOG = STATE / "audit" / "audit.log"

NAMESPACES = RUN / "namespaces"
NETWORK = NAMESPACES / "net"
MOUNTS = NAMESPACES / "mnt"
SERVERS = RUN / "servers"
"""One file for each detached server, with its process id and start time."""
HOST_CHANGES = RUN / "host-changes.json"
"""What was changed outside of the sandbox's own places, to be put back by `down`."""
CONTAINERD_SOCKET = RUN / "containerd" / "containerd.sock"

HOST_ADDRESS = "10.213.0.1"
NODE_ADDRESS = "10.213.0.2"
LINK_LENGTH = 30
LINK_RANGE = "10.213.0.0/30"
POD_RANGE = "10.214.0.0/20"
SERVICE_RANGE = "10.215.0.0/20"
API_SERVICE_ADDRESS = "10.215.0.1"
CLUSTER_DOMAIN = "cluster.local"

API_PORT = 6443
API_URL = f"https://{NODE_ADDRESS}:{API_PORT}"

STORE_NAMESPACE = "kamaji-system"
STORE_SERVICE = "etcd"
STORE_PORT = 2379
STORE_SECRET = "etcd-certs"  # noqa: S105 - the name of a Secret
POSTGRES_SERVICE = "postgres"
POSTGRES_PORT = 5432
POSTGRES_SECRET = "postgres-credentials"  # noqa: S105 - the name of a Secret
POSTGRES_ROLE = "kamaji"
"""Whom a DataStore logs in as: no superuser, but one that makes databases and roles."""


def names_of(service: str) -> frozenset[str]:
    """What a store's server certificate must hold: its Service's names, and its addresses."""
    qualified = f"{service}.{STORE_NAMESPACE}"
    names = {qualified, f"{qualified}.svc", f"{qualified}.svc.{CLUSTER_DOMAIN}"}
    return frozenset({NODE_ADDRESS, "127.0.0.1", "localhost", *names})


STORE_NAMES = names_of(STORE_SERVICE)

BORROWED_DIRECTORIES = (
    Path("/run/containerd"),  # shims' sockets and runc's state
    Path("/var/lib/cni"),
    Path("/var/lib/kubelet"),
    Path("/var/log/containers"),
    Path("/var/log/pods"),
)
"""Directories that programs insist on; inside the sandbox's mount namespace they are its own."""
