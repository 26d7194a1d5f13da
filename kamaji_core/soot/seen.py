"""What a tenant's session depends on in the management cluster, read from the caches alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from kamaji_core.api import labels as wire
from kamaji_core.certificates import LEAF_FILE
from kamaji_core.contracts import IssuedCertificate
from kamaji_core.render import assigned_address, endpoint, object_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kamaji_core.api.tenant_control_plane import TenantControlPlane
    from kamaji_core.certificates import SecretFacts
    from kamaji_core.tenancy import TenantKey

ADMIN = "admin-kubeconfig"
DEFAULT_KUBECONFIG = "super-admin.conf"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caches:
    """The management cluster's objects by namespace and name; Deployments as JSON."""

    tenants: Mapping[TenantKey, TenantControlPlane]
    services: Mapping[TenantKey, Mapping[str, Any]]
    deployments: Mapping[TenantKey, bytes]
    secrets: Mapping[TenantKey, SecretFacts]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one session depends on.

    Args:
        tenant: as it is.
        address: `host:port` of its API server inside the management cluster.
        node_endpoint: `host:port` of it for nodes.
        secret: the Secret with the credentials.
        secret_key: which of its kubeconfigs is used.
        ca_cert: of the tenant's authority, PEM.
    """

    tenant: TenantControlPlane
    address: str
    node_endpoint: str
    secret: SecretFacts
    secret_key: str
    ca_cert: bytes

    @property
    def way(self) -> str:
        """Changes with the way into the cluster: its address and the credentials."""
        digest = self.secret.digests.get(self.secret_key, "")
        return "|".join(
            (self.address, self.secret.name, self.secret_key, digest, self.ca_cert.decode(errors="replace"))
        )

    @property
    def wish(self) -> tuple[Any, ...]:
        """Changes with what the cluster should hold."""
        metadata = self.tenant.metadata
        return metadata.uid, metadata.generation, self.version, self.node_endpoint, self.ca_cert

    @property
    def version(self) -> str:
        """The version that runs: what is asked for may be refused, or wait for its turn."""
        return self.tenant.status.kubernetes_resources.version.version or self.tenant.spec.kubernetes.version


def see(key: TenantKey, caches: Caches) -> Seen | None:
    """Look at a tenant; None while there is nothing to connect to or nothing may be done.

    Args:
        key: its namespace and name.
        caches: of the management cluster.
    """
    tenant = caches.tenants.get(key)
    if tenant is None or tenant.metadata.deletion_timestamp or wire.PAUSED_ANNOTATION in tenant.metadata.annotations:
        return None
    if not _is_up(caches.deployments.get(key)):
        return None
    namespace, service = key[0], caches.services.get(key)
    assigned = assigned_address(tenant, service)
    secret = caches.secrets.get((namespace, object_name(tenant, ADMIN)))
    authority = caches.secrets.get((namespace, object_name(tenant, "ca")))
    ca_cert = authority.certificates.get("ca.crt", b"") if authority else b""
    if assigned is None or secret is None or not ca_cert:
        return None
    profile = tenant.spec.network_profile
    return Seen(
        tenant=tenant,
        address=endpoint(_inside(service) or assigned, profile.port),
        node_endpoint=endpoint(profile.advertise_address or assigned, profile.port),
        secret=secret,
        secret_key=tenant.metadata.annotations.get(wire.KUBECONFIG_KEY_ANNOTATION) or DEFAULT_KUBECONFIG,
        ca_cert=ca_cert,
    )


class _Spec(msgspec.Struct):
    replicas: int = 1


class _Status(msgspec.Struct):
    ready: int = msgspec.field(default=0, name="readyReplicas")


class _Deployment(msgspec.Struct):
    spec: _Spec
    status: _Status = msgspec.field(default_factory=_Status)


def _is_up(packed: bytes | None) -> bool:
    """Whether an API server runs and is meant to; asked after each pass of each tenant."""
    if packed is None:
        return False
    deployment = msgspec.json.decode(packed, type=_Deployment)
    return deployment.spec.replicas > 0 and deployment.status.ready > 0


def _inside(service: Mapping[str, Any] | None) -> str:
    """The Service's own address, which no load balancer's absence can take away."""
    address = ((service or {}).get("spec") or {}).get("clusterIP")
    return address if address and address != "None" else ""


def issued(seen: Seen, suffix: str, caches: Caches) -> IssuedCertificate | None:
    """Find the public half of what was issued for an add-on; None while it is not there.

    Args:
        seen: the tenant.
        suffix: of the Secret.
        caches: of the management cluster.
    """
    metadata = seen.tenant.metadata
    secret = caches.secrets.get((metadata.namespace, object_name(seen.tenant, suffix)))
    if secret is None:
        return None
    embedded = next((one.certificate for one in secret.kubeconfigs.values()), b"")
    certificate = secret.certificates.get(f"{LEAF_FILE}.crt", embedded)
    return IssuedCertificate(secret=secret.name, certificate=certificate, authority=seen.ca_cert)
