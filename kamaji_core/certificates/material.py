"""The set of keys, certificates and kubeconfigs that kubeadm gives a control plane, as data, and how each is made.

Names of Secrets, keys in them, subjects and lifetimes are Kamaji's, so that what it made is recognised and what we
make can be read by its users' tools. The kubeconfigs that our own pods use are kept twice: embedded under Kamaji's
key, and as a file that names the certificate's files, which client-go reloads without a restart.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from kamaji_core.pki import (
    CertificateRequest,
    ClientFiles,
    KeyAlgorithm,
    KeyPair,
    Usage,
    encode_key,
    encode_public_key,
    generate_key,
    issue_ca,
    issue_certificate,
    kubeconfig,
    renew_ca,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

AUTHORITY_LIFETIME = timedelta(hours=87_600)
LEAF_LIFETIME = timedelta(hours=8_760)

CA = "ca"
FRONT_PROXY_CA = "front-proxy-ca-certificate"
SERVICE_ACCOUNT = "sa-certificate"
API_SERVER = "api-server-certificate"
KUBELET_CLIENT = "api-server-kubelet-client-certificate"
FRONT_PROXY_CLIENT = "front-proxy-client-certificate"
ADMIN = "admin-kubeconfig"
CONTROLLER_MANAGER = "controller-manager-kubeconfig"
SCHEDULER = "scheduler-kubeconfig"

REFERENCE_KEY = "kubeconfig"
REFERENCE_CERTIFICATE = "tls.crt"
REFERENCE_PRIVATE_KEY = "tls.key"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorityWanted:
    """A certificate authority: made once, never replaced without being asked.

    Args:
        suffix: the Secret is named `<tenant>-<suffix>`.
        file: base name of its keys in the Secret, `ca` for `ca.crt` and `ca.key`.
        common_name: of the certificate.
        twin: a second base name under which the same pair is kept (Cluster API reads `tls`).
    """

    suffix: str
    file: str
    common_name: str
    twin: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceAccountKeyWanted:
    """The key that signs service account tokens: made once, never replaced without being asked."""

    suffix: str
    algorithm: KeyAlgorithm


@dataclass(frozen=True, slots=True, kw_only=True)
class LeafWanted:
    """A certificate signed by one of the tenant's authorities.

    Args:
        suffix: of the Secret.
        authority: the authority's suffix.
        file: base name of its keys in the Secret.
        request: what it must say.
    """

    suffix: str
    authority: str
    file: str
    request: CertificateRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class KubeconfigUser:
    """One identity in a kubeconfig Secret.

    Args:
        name: common name of its certificate.
        organizations: of its certificate.
        servers: URL of the API server by key of the Secret that holds such a kubeconfig.
        files: where a pod sees the certificate, when the Secret also holds a kubeconfig that refers to files.
    """

    name: str
    organizations: tuple[str, ...]
    servers: Mapping[str, str]
    files: ClientFiles | None = None

    @property
    def request(self) -> CertificateRequest:
        """What its client certificate must say."""
        return CertificateRequest(
            common_name=self.name, organizations=self.organizations, usages=frozenset({Usage.CLIENT})
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class KubeconfigWanted:
    """A Secret of kubeconfigs.

    Args:
        suffix: of the Secret.
        authority: suffix of the authority that signs the client certificates and is embedded.
        cluster: name of the cluster entry.
        users: the identities in it.
    """

    suffix: str
    authority: str
    cluster: str
    users: tuple[KubeconfigUser, ...]


MaterialSpec = AuthorityWanted | ServiceAccountKeyWanted | LeafWanted | KubeconfigWanted

AUTHORITIES: Mapping[str, AuthorityWanted] = {
    CA: AuthorityWanted(suffix=CA, file="ca", common_name="kubernetes", twin="tls"),
    FRONT_PROXY_CA: AuthorityWanted(suffix=FRONT_PROXY_CA, file="front-proxy-ca", common_name="front-proxy-ca"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlPlaneNames:
    """The names and addresses that a tenant's certificates and kubeconfigs depend on.

    Args:
        tenant: name of the TenantControlPlane.
        namespace: its namespace.
        endpoint: `host:port` at which clients reach the API server; None until the Service has an address.
        port: the API server's secure port.
        server_names: names and addresses that the serving certificate must hold; empty while unknown.
        service_account_algorithm: for a new service account key.
    """

    tenant: str
    namespace: str
    endpoint: str | None
    port: int
    server_names: frozenset[str]
    service_account_algorithm: KeyAlgorithm = KeyAlgorithm.RSA_2048


def wanted_material(names: ControlPlaneNames) -> tuple[MaterialSpec, ...]:
    """List what a tenant needs; what depends on an endpoint that is not known yet is left out."""
    client = frozenset({Usage.CLIENT})
    wanted: list[MaterialSpec] = [
        *AUTHORITIES.values(),
        ServiceAccountKeyWanted(suffix=SERVICE_ACCOUNT, algorithm=names.service_account_algorithm),
        LeafWanted(
            suffix=KUBELET_CLIENT,
            authority=CA,
            file="apiserver-kubelet-client",
            request=CertificateRequest(common_name="kube-apiserver-kubelet-client", usages=client),
        ),
        LeafWanted(
            suffix=FRONT_PROXY_CLIENT,
            authority=FRONT_PROXY_CA,
            file="front-proxy-client",
            request=CertificateRequest(common_name="front-proxy-client", usages=client),
        ),
        _component_kubeconfig(names, CONTROLLER_MANAGER, "controller-manager"),
        _component_kubeconfig(names, SCHEDULER, "scheduler"),
    ]
    if names.endpoint is not None:
        request = CertificateRequest(
            common_name="kube-apiserver", usages=frozenset({Usage.SERVER}), names=names.server_names
        )
        wanted.append(LeafWanted(suffix=API_SERVER, authority=CA, file="apiserver", request=request))
        wanted.append(_admin_kubeconfig(names, names.endpoint))
    return tuple(wanted)


def issue_authority(wanted: AuthorityWanted, *, now: datetime) -> dict[str, bytes]:
    """Make a new authority; the result is the Secret's data."""
    return _authority_data(wanted, issue_ca(common_name=wanted.common_name, now=now, lifetime=AUTHORITY_LIFETIME))


def renew_authority(wanted: AuthorityWanted, earlier: KeyPair, *, now: datetime) -> dict[str, bytes]:
    """Make an authority's certificate anew, with its key; the result is the Secret's data.

    Raises:
        CertificateError: when another authority signed it.
    """
    return _authority_data(wanted, renew_ca(earlier, now=now, lifetime=AUTHORITY_LIFETIME))


def _authority_data(wanted: AuthorityWanted, pair: KeyPair) -> dict[str, bytes]:
    data = {f"{wanted.file}.crt": pair.certificate, f"{wanted.file}.key": pair.key}
    if wanted.twin:
        data |= {f"{wanted.twin}.crt": pair.certificate, f"{wanted.twin}.key": pair.key}
    return data


def issue_service_account_key(algorithm: KeyAlgorithm) -> dict[str, bytes]:
    """Make a new service account key; about 40 ms for RSA: call it in a thread."""
    key = generate_key(algorithm)
    return {"sa.key": encode_key(key), "sa.pub": encode_public_key(key)}


def issue_leaf(wanted: LeafWanted, *, authority: KeyPair, now: datetime) -> dict[str, bytes]:
    """Make a leaf certificate with a new key; the result is the Secret's data."""
    pair = issue_certificate(wanted.request, ca=authority, now=now, lifetime=LEAF_LIFETIME)
    return {f"{wanted.file}.crt": pair.certificate, f"{wanted.file}.key": pair.key}


def issue_kubeconfigs(wanted: KubeconfigWanted, *, authority: KeyPair, now: datetime) -> dict[str, bytes]:
    """Make the kubeconfigs of one Secret, with a new key for each user; the result is the Secret's data."""
    data: dict[str, bytes] = {}
    for user in wanted.users:
        pair = issue_certificate(user.request, ca=authority, now=now, lifetime=LEAF_LIFETIME)
        for key, server in user.servers.items():
            data[key] = kubeconfig(
                cluster=wanted.cluster, server=server, ca=authority.certificate, user=user.name, client=pair
            )
        if user.files:
            data[REFERENCE_KEY] = kubeconfig(
                cluster=wanted.cluster,
                server=next(iter(user.servers.values())),
                ca=authority.certificate,
                user=user.name,
                client=user.files,
            )
            data |= {REFERENCE_CERTIFICATE: pair.certificate, REFERENCE_PRIVATE_KEY: pair.key}
    return data


def _component_kubeconfig(names: ControlPlaneNames, suffix: str, component: str) -> KubeconfigWanted:
    user = KubeconfigUser(
        name=f"system:kube-{component}",
        organizations=(),
        servers={f"{component}.conf": f"https://127.0.0.1:{names.port}"},
        files=ClientFiles(certificate=f"/etc/kubernetes/{component}.crt", key=f"/etc/kubernetes/{component}.key"),
    )
    return KubeconfigWanted(suffix=suffix, authority=CA, cluster=names.tenant, users=(user,))


def _admin_kubeconfig(names: ControlPlaneNames, endpoint: str) -> KubeconfigWanted:
    outside = f"https://{endpoint}"
    inside = f"https://{names.tenant}.{names.namespace}.svc:{names.port}"
    users = (
        KubeconfigUser(
            name="kubernetes-admin",
            organizations=("kubeadm:cluster-admins",),
            servers={"admin.conf": outside, "admin.svc": inside},
        ),
        KubeconfigUser(
            name="kubernetes-super-admin",
            organizations=("system:masters",),
            servers={"super-admin.conf": outside, "super-admin.svc": inside},
        ),
    )
    return KubeconfigWanted(suffix=ADMIN, authority=CA, cluster=names.tenant, users=users)
