"""The TenantControlPlane: what users ask for. Its status stands in `tenant_status`.

Fields, defaults and rules are Kamaji's. Two parents that Kamaji leaves without a default, `networkProfile` and
`controlPlane.deployment`, default to an empty object here, so that leaving them out means their defaults.
"""

import enum
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from kamaji_core.api import admission_plugins
from kamaji_core.api.metadata import ObjectMeta
from kamaji_core.api.model import Model, Rule, described
from kamaji_core.api.network_profile import NetworkProfile
from kamaji_core.api.tenant_status import TenantControlPlaneStatus, VersionStatus

__all__ = [
    "AdditionalMetadata",
    "ControlPlane",
    "ControlPlaneDeployment",
    "ControlPlaneService",
    "Kubelet",
    "Kubernetes",
    "NetworkProfile",
    "NodeAddressType",
    "RegistrySettings",
    "ServiceType",
    "TenantControlPlane",
    "TenantControlPlaneSpec",
    "TenantControlPlaneStatus",
    "VersionStatus",
    "WritePermissions",
]


class ServiceType(enum.StrEnum):
    """How the API server is reached."""

    CLUSTER_IP = "ClusterIP"
    NODE_PORT = "NodePort"
    LOAD_BALANCER = "LoadBalancer"


class NodeAddressType(enum.StrEnum):
    """Kinds of addresses under which the API server may reach kubelets."""

    HOSTNAME = "Hostname"
    INTERNAL_IP = "InternalIP"
    EXTERNAL_IP = "ExternalIP"
    INTERNAL_DNS = "InternalDNS"
    EXTERNAL_DNS = "ExternalDNS"


class RegistrySettings(Model, frozen=True, kw_only=True):
    """Where images come from: `<registry>/<image>:<version><tagSuffix>`."""

    registry: Annotated[str, described("Registry of the images.")] = "registry.k8s.io"
    api_server_image: Annotated[str, described("Image of kube-apiserver.")] = "kube-apiserver"
    controller_manager_image: Annotated[str, described("Image of kube-controller-manager.")] = "kube-controller-manager"
    scheduler_image: Annotated[str, described("Image of kube-scheduler.")] = "kube-scheduler"
    tag_suffix: Annotated[str, described("Appended to the tag, which is the Kubernetes version.")] = ""


class ControlPlaneDeployment(Model, frozen=True, kw_only=True):
    """How the control plane's pods run."""

    registry_settings: Annotated[RegistrySettings, described("Where images come from.", default={})] = (
        RegistrySettings()
    )
    replicas: Annotated[
        int, described("Control plane pods; 0 puts the tenant to sleep, its data stays.", format="int32")
    ] = 2


class AdditionalMetadata(Model, frozen=True, kw_only=True):
    """Labels and annotations beside ours."""

    labels: Annotated[Mapping[str, str], described("Further labels.")] = msgspec.field(default_factory=dict)
    annotations: Annotated[Mapping[str, str], described("Further annotations.")] = msgspec.field(default_factory=dict)


class ControlPlaneService(Model, frozen=True, kw_only=True):
    """The Service in front of the API server."""

    service_type: Annotated[ServiceType, described("How the API server is reached.")]
    additional_metadata: Annotated[AdditionalMetadata, described("Further labels and annotations of the Service.")] = (
        AdditionalMetadata()
    )


class ControlPlane(Model, frozen=True, kw_only=True):
    """The control plane's objects in the management cluster."""

    deployment: Annotated[ControlPlaneDeployment, described("How the pods run.", default={})] = ControlPlaneDeployment()
    service: Annotated[ControlPlaneService, described("The Service in front of the API server.")]


class PatchOperation(enum.StrEnum):
    """What a JSON patch does (RFC 6902)."""

    ADD = "add"
    REMOVE = "remove"
    REPLACE = "replace"
    MOVE = "move"
    COPY = "copy"
    TEST = "test"


class JSONPatch(Model, frozen=True, kw_only=True):
    """One operation of a JSON patch (RFC 6902)."""

    op: Annotated[PatchOperation, described("What is done.")]
    path: Annotated[str, described("Where, as a JSON pointer such as /maxPods.")]
    from_: Annotated[str, described("Whence, for move and copy.")] = msgspec.field(default="", name="from")
    value: Annotated[Any, described("What is added, put instead or compared with.", preserve_unknown_fields=True)] = (
        None
    )


class CGroupDriver(enum.StrEnum):
    """Who manages the control groups of pods."""

    SYSTEMD = "systemd"
    CGROUPFS = "cgroupfs"


class Kubelet(Model, frozen=True, kw_only=True):
    """Settings that concern the tenant's kubelets."""

    configuration_json_patches: Annotated[
        tuple[JSONPatch, ...],
        described("Applied to the configuration that kubelets start with, in this order."),
    ] = msgspec.field(default=(), name="configurationJSONPatches")
    cgroupfs: Annotated[
        CGroupDriver | None,
        described("Driver of control groups, systemd unless set; deprecated, use configurationJSONPatches."),
    ] = None

    preferred_address_types: Annotated[
        tuple[NodeAddressType, ...],
        described("Kinds of node addresses that the API server tries in this order.", minItems=1, list_type="set"),
    ] = (NodeAddressType.INTERNAL_IP, NodeAddressType.EXTERNAL_IP, NodeAddressType.HOSTNAME)


class Kubernetes(Model, frozen=True, kw_only=True):
    """Version and settings of Kubernetes."""

    version: Annotated[str, described("Version of Kubernetes, such as v1.37.1.")]
    kubelet: Annotated[Kubelet, described("Settings that concern kubelets.")]
    admission_controllers: Annotated[
        tuple[Annotated[str, msgspec.Meta(extra_json_schema={"enum": list(admission_plugins.KNOWN)})], ...],
        described("Admission plugins to enable beside the built-in ones."),
    ] = admission_plugins.DEFAULT


class ImageOverride(Model, frozen=True, kw_only=True):
    """Where an add-on's image comes from, when not from its usual place."""

    image_repository: Annotated[str, described("Registry and path before the image's name.")] = ""
    image_tag: Annotated[str, described("Tag of the image.")] = ""


class WorkloadKind(enum.StrEnum):
    """What a tenant's agents run as."""

    DAEMON_SET = "DaemonSet"
    DEPLOYMENT = "Deployment"


_QUANTITIES = {"anyOf": [{"type": "integer"}, {"type": "string"}], "x-kubernetes-int-or-string": True}
_RESOURCES = {
    "properties": {
        name: {"type": "object", "additionalProperties": _QUANTITIES, "description": description}
        for name, description in (("requests", "What is reserved."), ("limits", "What is the most."))
    }
}


class KonnectivityServer(Model, frozen=True, kw_only=True):
    """The tunnel's end in the control plane's pods."""

    port: Annotated[int, described("Port of the pods and of the Service where agents come in.", format="int32")]
    image: Annotated[str, described("Image without its tag.")] = "registry.k8s.io/kas-network-proxy/proxy-server"
    version: Annotated[str, described("Tag of the image; empty means what belongs to the tenant's version.")] = ""
    resources: Annotated[Mapping[str, Any], described("Of the container.", **_RESOURCES)] = msgspec.field(
        default_factory=dict
    )
    security_context: Annotated[Mapping[str, Any], described("Of the container.", preserve_unknown_fields=True)] = (
        msgspec.field(default_factory=dict)
    )
    extra_args: Annotated[
        tuple[str, ...], described("Further flags; those that the tunnel depends on win over them.")
    ] = ()


class KonnectivityAgent(Model, frozen=True, kw_only=True):
    """The tunnel's end on the tenant's nodes."""

    image: Annotated[str, described("Image without its tag.")] = "registry.k8s.io/kas-network-proxy/proxy-agent"
    version: Annotated[str, described("Tag of the image; empty means what belongs to the tenant's version.")] = ""
    mode: Annotated[WorkloadKind, described("On every node, or a number of them.")] = WorkloadKind.DAEMON_SET
    replicas: Annotated[
        int, described("Of a Deployment; unset leaves it to the tenant's users.", format="int32", minimum=0)
    ] = 0
    host_network: Annotated[bool, described("Whether agents see the network as their node does.")] = False
    tolerations: Annotated[
        tuple[Annotated[Mapping[str, Any], described("As in Kubernetes.", preserve_unknown_fields=True)], ...],
        described("Nodes with these taints get agents too."),
    ] = ({"key": "CriticalAddonsOnly", "operator": "Exists"},)
    extra_args: Annotated[tuple[str, ...], described("Further flags; they win.")] = ()


class Konnectivity(Model, frozen=True, kw_only=True):
    """A tunnel from the API server to nodes that it cannot reach."""

    server: Annotated[KonnectivityServer, described("In the control plane's pods.", default={"port": 8132})] = (
        KonnectivityServer(port=8132)
    )
    agent: Annotated[
        KonnectivityAgent,
        described(
            "On the nodes.",
            default={},
            rules=(
                Rule(
                    "self.mode == 'Deployment' || !has(self.replicas) || self.replicas == 0",
                    "replicas means nothing in mode DaemonSet: remove it or set mode to Deployment.",
                ),
                Rule(
                    "self.mode == 'DaemonSet' || !has(self.replicas) || self.replicas != 0",
                    "replicas 0 would leave the tunnel without agents: remove it or set a number above 0.",
                ),
            ),
        ),
    ] = KonnectivityAgent()


class Addons(Model, frozen=True, kw_only=True):
    """What is kept inside the tenant's cluster; naming one turns it on, `{}` is enough."""

    core_dns: Annotated[ImageOverride | None, described("CoreDNS, the cluster's DNS.")] = msgspec.field(
        default=None, name="coreDNS"
    )
    kube_proxy: Annotated[ImageOverride | None, described("kube-proxy, which makes Services work on nodes.")] = None
    konnectivity: Annotated[
        Konnectivity | None, described("A tunnel from the API server to nodes that it cannot reach.")
    ] = None
    extra: Annotated[
        Mapping[str, Annotated[Mapping[str, Any], described("Its settings.", preserve_unknown_fields=True)]],
        described("Add-ons of other plugins by their key."),
    ] = msgspec.field(default_factory=dict)


class WritePermissions(Model, frozen=True, kw_only=True):
    """What the tenant's users may not do at present; nodes, the control plane and the operator go on."""

    block_creation: Annotated[bool, described("Refuse new objects.")] = False
    block_update: Annotated[bool, described("Refuse changes of objects.")] = False
    block_deletion: Annotated[bool, described("Refuse the deletion of objects.")] = False

    @property
    def any(self) -> bool:
        """Whether something is limited."""
        return self.block_creation or self.block_update or self.block_deletion


class TenantControlPlaneSpec(Model, frozen=True, kw_only=True):
    """What is asked for."""

    data_store: Annotated[
        str, described("Name of the DataStore; empty means the operator's default. Cannot be changed once set.")
    ] = ""
    data_store_schema: Annotated[
        str,
        described(
            "Database or key prefix in the DataStore; empty means the object's UID. Cannot be changed once set.",
            rules=(Rule("self == oldSelf", "dataStoreSchema cannot be changed: the tenant's data is there."),),
        ),
    ] = ""
    data_store_username: Annotated[
        str,
        described(
            "User at the DataStore; empty means the object's UID. Cannot be changed once set.",
            rules=(Rule("self == oldSelf", "dataStoreUsername cannot be changed: it owns the tenant's data."),),
        ),
    ] = ""
    control_plane: Annotated[ControlPlane, described("Objects in the management cluster.")]
    kubernetes: Annotated[Kubernetes, described("Version and settings of Kubernetes.")]
    network_profile: Annotated[NetworkProfile, described("Addresses and networks.", default={})] = NetworkProfile()
    addons: Annotated[Addons, described("What is kept inside the tenant's cluster.")] = Addons()
    write_permissions: Annotated[
        WritePermissions, described("What the tenant's users may not do at present, inside their cluster.")
    ] = WritePermissions()


def _not_removable(field: str) -> Rule:
    return Rule(f"!has(oldSelf.{field}) || has(self.{field})", f"{field} cannot be removed once set: put it back.")


_RULES = (
    _not_removable("dataStore"),
    Rule(
        "!has(oldSelf.dataStore) || oldSelf.dataStore == '' || !has(self.dataStore) || "
        "self.dataStore == oldSelf.dataStore",
        "dataStore cannot be changed: the tenant would start empty on another store; set it back.",
    ),
    _not_removable("dataStoreSchema"),
    _not_removable("dataStoreUsername"),
)


class TenantControlPlane(Model, frozen=True, kw_only=True):
    """A tenant's control plane, run as pods of the management cluster."""

    metadata: ObjectMeta
    spec: Annotated[TenantControlPlaneSpec, described("What is asked for.", rules=_RULES)]
    status: Annotated[TenantControlPlaneStatus, described("What is known of it.")] = TenantControlPlaneStatus()
