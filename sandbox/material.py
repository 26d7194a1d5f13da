"""Keys, certificates and kubeconfigs of the sandbox's own servers, made once for its life.

Authorities as in a real installation: the management cluster's and its front proxy's, its etcd's and the tenants'
store's. The last one's key is kept, because a datastore driver signs its tenants' certificates with it. A PostgreSQL of
the tenants has an authority of its own and one password, whether it is asked for or not.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from kamaji_core.pki import CertificateRequest, KeyPair, Usage, issue_ca, issue_certificate, kubeconfig
from kamaji_core.testing import TlsFiles, write_key_pair, write_private
from kamaji_core.testing.apiserver import write_service_account_keys
from sandbox.places import (
    API_SERVICE_ADDRESS,
    API_URL,
    CLUSTER_DOMAIN,
    KUBECONFIG,
    NAME,
    NODE_ADDRESS,
    POSTGRES_ROLE,
    POSTGRES_SERVICE,
    STORE_NAMES,
    names_of,
)

if TYPE_CHECKING:
    from pathlib import Path

_LIFETIME = timedelta(days=365)
_COMPLETE = "complete"
_POSTGRES_PASSWORD = "postgres-password"  # noqa: S105 - the name of a file
_CLIENT = frozenset({Usage.CLIENT})
_SERVER = frozenset({Usage.SERVER})
_BOTH = _CLIENT | _SERVER
_API_NAMES = frozenset(
    {
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        f"kubernetes.default.svc.{CLUSTER_DOMAIN}",
        "localhost",
        "127.0.0.1",
        NODE_ADDRESS,
        API_SERVICE_ADDRESS,
    },
)
_USERS = {
    "kube-controller-manager": ("system:kube-controller-manager", ()),
    "kube-scheduler": ("system:kube-scheduler", ()),
    "kubelet": (f"system:node:{NAME}", ("system:nodes",)),
    "kube-proxy": ("system:kube-proxy", ()),
    "coredns": ("system:coredns", ()),
}
_ADMINISTRATOR = ("kubernetes-admin", ("system:masters",))


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """Where the material is; every property is a file or a set of files below one directory.

    Args:
        directory: of all of it, readable by root alone.
    """

    directory: Path

    def tls(self, name: str) -> TlsFiles:
        """Certificate, key and authority of `apiserver`, `node`, `administrator`, `etcd` and so on."""
        return TlsFiles(
            certificate=self.directory / f"{name}.crt",
            key=self.directory / f"{name}.key",
            ca=self.directory / f"{name}-ca.crt",
        )

    def kubeconfig(self, server: str) -> Path:
        """The kubeconfig of one of the sandbox's own servers."""
        return self.directory / f"{server}.kubeconfig"

    @property
    def ca_key(self) -> Path:
        """Key of the management cluster's authority."""
        return self.directory / "cluster.key"

    @property
    def service_account_key(self) -> Path:
        """Key that service account tokens are signed with."""
        return self.directory / "sa.key"

    @property
    def service_account_public_key(self) -> Path:
        """Its public half."""
        return self.directory / "sa.pub"

    def store_secret(self) -> dict[str, bytes]:
        """Content of the Secret that a DataStore of the tenants' store refers to."""
        authority, root = self.tls("store"), self.tls("store-root")
        return {
            "ca.crt": authority.certificate.read_bytes(),
            "ca.key": authority.key.read_bytes(),
            "tls.crt": root.certificate.read_bytes(),
            "tls.key": root.key.read_bytes(),
        }

    def postgres_secret(self) -> dict[str, bytes]:
        """Content of the Secret that a DataStore of the tenants' PostgreSQL refers to."""
        return {
            "ca.crt": self.tls("postgres").certificate.read_bytes(),
            "username": POSTGRES_ROLE.encode(),
            "password": self.postgres_password().encode(),
        }

    def postgres_password(self) -> str:
        """Password of the role that a DataStore logs in as."""
        return (self.directory / _POSTGRES_PASSWORD).read_text()


def ensure(directory: Path) -> Material:
    """The material in this directory; all of it is made anew unless it was finished before."""
    material = Material(directory=directory)
    if not (directory / _COMPLETE).exists():
        now = datetime.now(UTC)
        _issue_cluster(directory, now)
        _issue_etcd(directory, now)
        _issue_store(directory, now)
        write_private(directory / _COMPLETE, b"")
    if not (directory / _POSTGRES_PASSWORD).exists():
        _issue_postgres(directory, datetime.now(UTC))
    return material


def _issue_cluster(directory: Path, now: datetime) -> None:
    ca = _authority(directory, "cluster", "kubernetes", now)
    _leaf(directory, "apiserver", _request("kube-apiserver", _SERVER, _API_NAMES), ca, now)
    _leaf(directory, "node", _request(f"system:node:{NAME}", _SERVER, frozenset({NAME, NODE_ADDRESS})), ca, now)
    kubelet_client = _request("kube-apiserver-kubelet-client", _CLIENT, organizations=("system:masters",))
    _leaf(directory, "kubelet-client", kubelet_client, ca, now)
    front_proxy = _authority(directory, "front-proxy", "front-proxy-ca", now)
    _leaf(directory, "front-proxy-client", _request("front-proxy-client", _CLIENT), front_proxy, now)
    write_service_account_keys(directory)
    for server, (user, groups) in _USERS.items():
        client = _issue(_request(user, _CLIENT, organizations=groups), ca, now)
        write_private(directory / f"{server}.kubeconfig", _kubeconfig(ca, user, client))
    user, groups = _ADMINISTRATOR
    administrator = _issue(_request(user, _CLIENT, organizations=groups), ca, now)
    write_key_pair(directory, "administrator", administrator, ca=ca.certificate)
    write_private(directory.parent / KUBECONFIG.name, _kubeconfig(ca, user, administrator))


def _issue_etcd(directory: Path, now: datetime) -> None:
    ca = _authority(directory, "etcd-authority", "etcd-ca", now)
    _leaf(directory, "etcd", _request("etcd", _BOTH, frozenset({NODE_ADDRESS, "127.0.0.1"})), ca, now)
    _leaf(directory, "etcd-client", _request("kube-apiserver-etcd-client", _CLIENT), ca, now)


def _issue_store(directory: Path, now: datetime) -> None:
    ca = _authority(directory, "store", "etcd-ca", now)
    _leaf(directory, "store-server", _request("etcd", _BOTH, STORE_NAMES), ca, now)
    _leaf(directory, "store-root", _request("root", _CLIENT), ca, now)


def _issue_postgres(directory: Path, now: datetime) -> None:
    ca = _authority(directory, "postgres", "postgres-ca", now)
    _leaf(directory, "postgres-server", _request("postgres", _SERVER, names_of(POSTGRES_SERVICE)), ca, now)
    write_private(directory / _POSTGRES_PASSWORD, secrets.token_urlsafe(24).encode())


def _authority(directory: Path, name: str, common_name: str, now: datetime) -> KeyPair:
    ca = issue_ca(common_name=common_name, now=now, lifetime=_LIFETIME)
    write_key_pair(directory, name, ca, ca=ca.certificate)
    return ca


def _leaf(directory: Path, name: str, request: CertificateRequest, ca: KeyPair, now: datetime) -> None:
    write_key_pair(directory, name, _issue(request, ca, now), ca=ca.certificate)


def _issue(request: CertificateRequest, ca: KeyPair, now: datetime) -> KeyPair:
    return issue_certificate(request, ca=ca, now=now, lifetime=_LIFETIME)


def _request(
    common_name: str,
    usages: frozenset[Usage],
    names: frozenset[str] = frozenset(),
    *,
    organizations: tuple[str, ...] = (),
) -> CertificateRequest:
    return CertificateRequest(common_name=common_name, usages=usages, names=names, organizations=organizations)


def _kubeconfig(ca: KeyPair, user: str, client: KeyPair) -> bytes:
    return kubeconfig(cluster=NAME, server=API_URL, ca=ca.certificate, user=user, client=client)
