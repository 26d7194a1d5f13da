"""Kubeconfigs: the form that kubeadm writes, with the client certificate embedded or named by its files.

Pods of ours get the second form: client-go reloads a client certificate that comes purely from files, so its renewal
needs no rollout.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from kamaji_core.pki.certificates import KeyPair


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientFiles:
    """Paths, as the reader of the kubeconfig sees them, of a client certificate and its key."""

    certificate: str
    key: str


def kubeconfig(*, cluster: str, server: str, ca: bytes, user: str, client: KeyPair | ClientFiles) -> bytes:
    """Write a kubeconfig with one cluster, one user and one context named `user@cluster`.

    Args:
        cluster: name of the cluster entry.
        server: URL of the API server.
        ca: the certificates that the server's is verified with, PEM.
        user: name of the user entry.
        client: the client certificate itself, or the files that hold it.
    """
    if isinstance(client, ClientFiles):
        credentials = {"client-certificate": client.certificate, "client-key": client.key}
    else:
        credentials = {
            "client-certificate-data": base64.b64encode(client.certificate).decode(),
            "client-key-data": base64.b64encode(client.key).decode(),
        }
    context = f"{user}@{cluster}"
    authority = base64.b64encode(ca).decode()
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": cluster, "cluster": {"certificate-authority-data": authority, "server": server}}],
        "contexts": [{"name": context, "context": {"cluster": cluster, "user": user}}],
        "current-context": context,
        "users": [{"name": user, "user": credentials}],
    }
    return yaml.dump(document, Dumper=_DUMPER, sort_keys=False, width=2**20).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class KubeconfigFacts:
    """What policy needs to know of an existing kubeconfig; the key itself is not kept.

    Args:
        server: URL.
        ca: embedded authority, PEM; empty when there is none.
        certificate: embedded client certificate, PEM; empty when it is named by a file.
        key: embedded client key, PEM; for the caller to compare and drop.
    """

    server: str
    ca: bytes
    certificate: bytes
    key: bytes


def read_kubeconfig(content: bytes) -> KubeconfigFacts:
    """Read the current context's entries.

    Raises:
        ValueError: when it is no kubeconfig or its current context is incomplete.
    """
    try:
        document: dict[str, Any] = yaml.load(content, Loader=_LOADER)  # noqa: S506 - it is the C twin of SafeLoader
        contexts = {entry["name"]: entry["context"] for entry in document["contexts"]}
        context = contexts[document["current-context"]]
        clusters = {entry["name"]: entry["cluster"] for entry in document["clusters"]}
        users = {entry["name"]: entry["user"] for entry in document["users"]}
        cluster, user = clusters[context["cluster"]], users[context["user"]]
        return KubeconfigFacts(
            server=str(cluster["server"]),
            ca=base64.b64decode(cluster.get("certificate-authority-data", "")),
            certificate=base64.b64decode(user.get("client-certificate-data", "")),
            key=base64.b64decode(user.get("client-key-data", "")),
        )
    except (yaml.YAMLError, KeyError, TypeError, AttributeError, binascii.Error) as error:
        raise ValueError(f"this is not a complete kubeconfig: {type(error).__name__}") from error


_DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
