"""konnectivity as an add-on: both ends of the tunnel, and what is told of them at Kamaji's paths of the status."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from kamaji_addon_konnectivity import agent, server
from kamaji_addon_konnectivity.config import KonnectivityConfig, read
from kamaji_core.contracts import (
    Addon,
    Applied,
    ControlPlaneParts,
    IssuedCertificate,
    Material,
    TenantObject,
    TenantView,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Named(msgspec.Struct, frozen=True, rename="camel"):
    """An object inside the tenant's cluster."""

    name: str
    namespace: str = ""


class AgentState(msgspec.Struct, frozen=True, rename="camel"):
    """The agents."""

    name: str
    namespace: str
    mode: str


class ServiceState(msgspec.Struct, frozen=True, rename="camel"):
    """The Service where agents come in."""

    name: str
    namespace: str
    port: int


class Held(msgspec.Struct, frozen=True, rename="camel"):
    """A Secret, and which certificate is in it."""

    secret_name: str
    checksum: str


class ConfigMapState(msgspec.Struct, frozen=True, rename="camel"):
    """A ConfigMap, and which content is in it."""

    name: str
    checksum: str


class KonnectivityStatus(msgspec.Struct, frozen=True, rename="camel", kw_only=True, omit_defaults=True):
    """`status.addons.konnectivity`."""

    enabled: bool
    config_map: ConfigMapState
    certificate: Held | None = None
    kubeconfig: Held | None = None
    sa: Named
    cluster_role_binding: Named = msgspec.field(name="clusterrolebinding")
    agent: AgentState
    service: ServiceState


class Konnectivity(Addon):
    """The way from a tenant's API server to its nodes, which come and ask for it."""

    NAME: ClassVar[str] = "konnectivity"
    SPEC_KEY: ClassVar[str] = "konnectivity"
    API_VERSION: ClassVar[tuple[int, int]] = (1, 0)
    CONFIG: ClassVar[type[msgspec.Struct]] = KonnectivityConfig
    STATUS: ClassVar[type[msgspec.Struct]] = KonnectivityStatus

    def config(self, spec: Mapping[str, Any]) -> KonnectivityConfig | None:
        """Read the settings.

        Raises:
            ConfigurationError: when they cannot be used.
        """
        settings = spec.get(self.SPEC_KEY)
        return None if settings is None else read(settings)

    def parts(self, tenant: TenantView, config: msgspec.Struct) -> ControlPlaneParts:
        """Tell what the tenant's pods need.

        Raises:
            ConfigurationError: when the server's port is the API server's.
        """
        return server.parts(tenant, _ours(config))

    def tenant_objects(self, tenant: TenantView, config: msgspec.Struct, material: Material) -> Sequence[TenantObject]:
        """Tell the objects; rights before the pods that use them."""
        del material
        return agent.objects(tenant, _ours(config))

    def status(self, tenant: TenantView, config: msgspec.Struct, applied: Applied) -> KonnectivityStatus:
        """Say where everything is."""
        ours = _ours(config)
        return KonnectivityStatus(
            enabled=True,
            config_map=ConfigMapState(
                name=f"{tenant.name}-{server.EGRESS}", checksum=_checksum(server.EGRESS_CONFIGURATION.encode())
            ),
            certificate=_held(applied.material.certificates.get(server.CERTIFICATE)),
            kubeconfig=_held(applied.material.kubeconfigs.get(server.KUBECONFIG)),
            sa=Named(name=server.AGENT, namespace=server.AGENT_NAMESPACE),
            cluster_role_binding=Named(name=server.USER),
            agent=AgentState(name=server.AGENT, namespace=server.AGENT_NAMESPACE, mode=ours.agent.mode),
            service=ServiceState(name=tenant.name, namespace=tenant.namespace, port=ours.server.port),
        )


def _ours(config: msgspec.Struct) -> KonnectivityConfig:
    assert isinstance(config, KonnectivityConfig)  # noqa: S101 - the core hands back what `config` gave
    return config


def _held(issued: IssuedCertificate | None) -> Held | None:
    return None if issued is None else Held(secret_name=issued.secret, checksum=_checksum(issued.certificate))


def _checksum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]
