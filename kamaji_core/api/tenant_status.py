"""The status of a TenantControlPlane: Kamaji's fields at Kamaji's paths, and standard conditions beside them.

Kamaji's Go types store zero values everywhere; readers rely on the paths alone, so what is unknown is left out here.
Numbers that Kubernetes itself may tell as 0 are None when it does not tell them: what is read equals what was written.
"""

import enum
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

import msgspec

from kamaji_core.api.conditions import Conditions
from kamaji_core.api.model import Written, described

_LastUpdate = Annotated[datetime, described("When this changed last.")]
_Checksum = Annotated[str, described("Digest of the content.")]


class VersionStatus(enum.StrEnum):
    """The state of a control plane, as Kamaji tells it."""

    UNKNOWN = "Unknown"
    PROVISIONING = "Provisioning"
    CERTIFICATE_AUTHORITY_ROTATING = "CertificateAuthorityRotating"
    UPGRADING = "Upgrading"
    MIGRATING = "Migrating"
    READY = "Ready"
    NOT_READY = "NotReady"
    SLEEPING = "Sleeping"
    WRITE_LIMITED = "WriteLimited"


class SecretStatus(Written, frozen=True, kw_only=True):
    """A Secret of the tenant."""

    secret_name: Annotated[str, described("Name of the Secret.")] = ""
    last_update: _LastUpdate | None = None
    checksum: _Checksum = ""


class StorageConfigStatus(Written, frozen=True, kw_only=True):
    """The Secret with the tenant's settings at its store."""

    secret_name: Annotated[str, described("Name of the Secret.")] = ""
    checksum: _Checksum = ""


class StorageSetupStatus(Written, frozen=True, kw_only=True):
    """What the store was told of the tenant; `checksum` is over all of it."""

    schema: Annotated[str, described("Database or key prefix.")] = ""
    user: Annotated[str, described("User at the store.")] = ""
    last_update: _LastUpdate | None = None
    checksum: _Checksum = ""


class StorageStatus(Written, frozen=True, kw_only=True):
    """Where the tenant's data is."""

    driver: Annotated[str, described("Driver of the DataStore.")] = ""
    data_store_name: Annotated[str, described("Name of the DataStore.")] = ""
    config: Annotated[StorageConfigStatus, described("Secret with the settings.")] = StorageConfigStatus()
    setup: Annotated[StorageSetupStatus, described("What the store was told.")] = StorageSetupStatus()
    certificate: Annotated[SecretStatus, described("Secret with the login's certificate.")] = SecretStatus()


class CertificatesStatus(Written, frozen=True, kw_only=True):
    """Secrets of the tenant's keys and certificates."""

    ca: Annotated[SecretStatus, described("Authority of the cluster.")] = SecretStatus()
    api_server: Annotated[SecretStatus, described("The API server's serving certificate.")] = SecretStatus()
    api_server_kubelet_client: Annotated[
        SecretStatus, described("The API server's client certificate at kubelets.")
    ] = SecretStatus()
    front_proxy_ca: Annotated[SecretStatus, described("Authority of the front proxy.")] = msgspec.field(
        default=SecretStatus(), name="frontProxyCA"
    )
    front_proxy_client: Annotated[SecretStatus, described("Client certificate of the front proxy.")] = SecretStatus()
    sa: Annotated[SecretStatus, described("Key of service account tokens.")] = SecretStatus()


class KubeconfigsStatus(Written, frozen=True, kw_only=True):
    """Secrets of the tenant's kubeconfigs."""

    admin: Annotated[SecretStatus, described("The administrator's.")] = SecretStatus()
    controller_manager: Annotated[SecretStatus, described("The controller manager's.")] = SecretStatus()
    scheduler: Annotated[SecretStatus, described("The scheduler's.")] = SecretStatus()


class KubeadmConfigStatus(Written, frozen=True, kw_only=True):
    """The ConfigMap with the tenant's kubeadm configuration."""

    configmap_name: Annotated[str, described("Name of the ConfigMap.")] = ""
    last_update: _LastUpdate | None = None
    checksum: _Checksum = ""


class InstalledVersion(Written, frozen=True, kw_only=True):
    """The running version and the state of the control plane."""

    version: Annotated[str, described("Version that was last seen Ready.")] = ""
    status: Annotated[VersionStatus | None, described("State of the control plane.", default="Provisioning")] = None


class DeploymentCondition(Written, frozen=True, kw_only=True):
    """A condition of a Deployment, as Kubernetes tells it."""

    type: Annotated[str, described("What is observed.")]
    status: Annotated[str, described("Whether it is so.")]
    last_update_time: Annotated[datetime | None, described("When it was told last.")] = None
    last_transition_time: Annotated[datetime | None, described("When the status changed last.")] = None
    reason: Annotated[str, described("Why, as a constant.")] = ""
    message: Annotated[str, described("Why.")] = ""


def _count(description: str) -> msgspec.Meta:
    return described(description, format="int32")


class DeploymentState(Written, frozen=True, kw_only=True):
    """The status of the tenant's Deployment, and where it is."""

    available_replicas: Annotated[int | None, _count("Pods that serve.")] = None
    collision_count: Annotated[int | None, _count("Collisions of pod template hashes.")] = None
    conditions: Annotated[
        tuple[DeploymentCondition, ...],
        described("Conditions of the Deployment.", list_type="map", list_map_keys=("type",)),
    ] = ()
    observed_generation: Annotated[
        int | None, described("Generation of the Deployment that was looked at.", format="int64")
    ] = None
    ready_replicas: Annotated[int | None, _count("Pods that are ready.")] = None
    replicas: Annotated[int | None, _count("Pods that are not ending.")] = None
    terminating_replicas: Annotated[int | None, _count("Pods that are ending.")] = None
    unavailable_replicas: Annotated[int | None, _count("Pods that are still missing.")] = None
    updated_replicas: Annotated[int | None, _count("Pods of the newest pod template.")] = None
    selector: Annotated[str, described("Label selector of the pods, for the scale subresource.")]
    name: Annotated[str, described("Name of the Deployment.")]
    namespace: Annotated[str, described("Namespace of the Deployment.")]
    last_update: _LastUpdate | None = None


class PortStatus(Written, frozen=True, kw_only=True):
    """A port of a load balancer."""

    port: Annotated[int, described("Port number.", format="int32")]
    protocol: Annotated[str, described("TCP, UDP or SCTP.")]
    error: Annotated[str, described("What went wrong, as a constant.", maxLength=316)] = ""


class LoadBalancerIngress(Written, frozen=True, kw_only=True):
    """A point where a load balancer takes traffic."""

    hostname: Annotated[str, described("Host name.")] = ""
    ip: Annotated[str, described("IP address.")] = ""
    ip_mode: Annotated[str, described("VIP or Proxy.")] = ""
    ports: Annotated[tuple[PortStatus, ...], described("Ports.", list_type="atomic")] = ()


class LoadBalancerStatus(Written, frozen=True, kw_only=True):
    """What the load balancer of a Service has assigned."""

    ingress: Annotated[tuple[LoadBalancerIngress, ...], described("Where traffic is taken.", list_type="atomic")] = ()


class ServiceState(Written, frozen=True, kw_only=True):
    """The status of the tenant's Service, and where it is."""

    load_balancer: Annotated[LoadBalancerStatus, described("Of a LoadBalancer Service.")] = LoadBalancerStatus()
    name: Annotated[str, described("Name of the Service.")]
    namespace: Annotated[str, described("Namespace of the Service.")]
    port: Annotated[int, described("Port of the API server.", format="int32")]


class KubernetesResources(Written, frozen=True, kw_only=True):
    """The tenant's objects in the management cluster."""

    version: Annotated[InstalledVersion, described("Version and state.")] = InstalledVersion()
    deployment: Annotated[DeploymentState | None, described("The Deployment.")] = None
    service: Annotated[ServiceState | None, described("The Service.")] = None


class AddonStatus(Written, frozen=True, kw_only=True):
    """An add-on inside the tenant's cluster."""

    enabled: Annotated[bool, described("Whether it is kept there.")]
    last_update: _LastUpdate | None = None


class NamedState(Written, frozen=True, kw_only=True):
    """An object that an add-on keeps."""

    name: Annotated[str, described("Its name.")] = ""
    namespace: Annotated[str, described("Its namespace.")] = ""
    last_update: _LastUpdate | None = None


class AgentState(Written, frozen=True, kw_only=True):
    """An add-on's agents on the tenant's nodes."""

    name: Annotated[str, described("Name of their workload.")] = ""
    namespace: Annotated[str, described("Its namespace.")] = ""
    mode: Annotated[str, described("Its kind.")] = ""
    last_update: _LastUpdate | None = None


class AddonConfigMapState(Written, frozen=True, kw_only=True):
    """A ConfigMap that an add-on has."""

    name: Annotated[str, described("Its name.")] = ""
    checksum: Annotated[str, described("Of its content.")] = ""


class KonnectivityState(Written, frozen=True, kw_only=True):
    """The tunnel from the API server to the nodes."""

    enabled: Annotated[bool, described("Whether it is kept.")]
    config_map: Annotated[AddonConfigMapState | None, described("What kube-apiserver sends through it.")] = None
    certificate: Annotated[SecretStatus | None, described("The server's certificate.")] = None
    kubeconfig: Annotated[SecretStatus | None, described("The server's kubeconfig.")] = None
    sa: Annotated[NamedState | None, described("ServiceAccount of the agents.")] = None
    cluster_role_binding: Annotated[NamedState | None, described("Rights of the server.")] = msgspec.field(
        default=None, name="clusterrolebinding"
    )
    agent: Annotated[AgentState | None, described("The agents.")] = None
    service: Annotated[ServiceState | None, described("Where agents come in.")] = None
    last_update: _LastUpdate | None = None


class AddonsStatus(Written, frozen=True, kw_only=True):
    """Add-ons inside the tenant's cluster."""

    core_dns: Annotated[AddonStatus | None, described("CoreDNS.")] = msgspec.field(default=None, name="coreDNS")
    kube_proxy: Annotated[AddonStatus | None, described("kube-proxy.")] = None
    konnectivity: Annotated[KonnectivityState | None, described("The tunnel to the nodes.")] = None
    extra: Annotated[
        Mapping[str, Annotated[Mapping[str, Any], described("What it tells.", preserve_unknown_fields=True)]],
        described("Those of other plugins by their key."),
    ] = msgspec.field(default_factory=dict)


class TenantControlPlaneStatus(Written, frozen=True, kw_only=True):
    """What is known of a tenant."""

    observed_generation: Annotated[int, described("Generation that is carried out in full.", format="int64")] = 0
    control_plane_endpoint: Annotated[str, described("host:port of the API server in the management cluster.")] = ""
    conditions: Conditions = ()
    storage: Annotated[StorageStatus, described("Where the data is.")] = StorageStatus()
    certificates: Annotated[CertificatesStatus, described("Keys and certificates.")] = CertificatesStatus()
    kubeconfig: Annotated[KubeconfigsStatus, described("Kubeconfigs.")] = KubeconfigsStatus()
    kubeadm_config: Annotated[KubeadmConfigStatus, described("Configuration of kubeadm.")] = msgspec.field(
        default=KubeadmConfigStatus(), name="kubeadmconfig"
    )
    kubernetes_resources: Annotated[KubernetesResources, described("Objects in the management cluster.")] = (
        KubernetesResources()
    )
    addons: Annotated[AddonsStatus, described("Add-ons inside the tenant's cluster.")] = AddonsStatus()
