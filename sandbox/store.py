"""The tenants' shared etcd seen by its own client, as its root: for looking and for cleaning up."""

from __future__ import annotations

from kamaji_core.testing import program
from sandbox import material
from sandbox.errors import run
from sandbox.places import NODE_ADDRESS, PKI, STORE_PORT


def etcdctl(*arguments: str) -> str:
    """Run etcdctl against the store and return what it prints.

    Raises:
        SandboxError: when it fails.
    """
    root = material.ensure(PKI).tls("store-root")
    trust = (f"--cacert={root.ca}", f"--cert={root.certificate}", f"--key={root.key}")
    endpoint = f"--endpoints=https://{NODE_ADDRESS}:{STORE_PORT}"
    return run([program("etcdctl"), endpoint, *trust, *arguments], limit=60)


def wipe_prefix(prefix: str) -> None:
    """Remove every key that begins with this prefix; users and roles stay."""
    etcdctl("del", "--prefix", prefix)
