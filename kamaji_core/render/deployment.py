"""The Deployment that runs a tenant's control plane, named like the tenant.

The pod template holds digests only of material that a component reads once (service account key, root authority,
what a driver names); everything else is reloaded from its projected volume, so its renewal rolls nothing.
"""

from __future__ import annotations

import hashlib
from dataclasses import MISSING, dataclass, fields, is_dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from kamaji_core.api import labels as wire
from kamaji_core.api.versions import parse_version
from kamaji_core.render.components import api_server, container, controller_manager, scheduler
from kamaji_core.render.owned import object_name, owned_metadata
from kamaji_core.render.sidecars import pod_security, sidecars, volumes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kamaji_core.api.tenant_control_plane import TenantControlPlane
    from kamaji_core.certificates import SecretFacts
    from kamaji_core.contracts import ControlPlaneParts

TERMINATION_GRACE_SECONDS = 30

RENDERER = "2"
"""Revision of this renderer: to be raised with every change of what the same inputs become.

A new operator must not roll a fleet because it renders otherwise than the one before: a Deployment of another revision
is kept as it is until its inputs change or somebody asks.
"""

RENDERER_WITHOUT_SIDECARS = f"{RENDERER}-containers"
"""The same for a management cluster without native sidecars: that it learns them rolls no tenant either."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentInputs:
    """All that a Deployment is built from.

    Args:
        tenant: whose.
        address: the management-side address of the API server.
        secrets: the tenant's Secrets by suffix.
        parts: what the plugins add, in the order of their names.
        many_replicas: several pods may work on the tenant's store at the same time.
        native_sidecars: the management cluster knows init containers that go on running.
    """

    tenant: TenantControlPlane
    address: str
    secrets: Mapping[str, SecretFacts]
    parts: tuple[ControlPlaneParts, ...]
    many_replicas: bool = True
    native_sidecars: bool = True

    @property
    def renderer(self) -> str:
        """The revision of what these inputs become here."""
        return RENDERER if self.native_sidecars else RENDERER_WITHOUT_SIDECARS


def inputs_digest(inputs: DeploymentInputs) -> str:
    """Digest of everything that shapes the pods; the number of replicas does not."""
    tenant, profile, kubernetes = inputs.tenant, inputs.tenant.spec.network_profile, inputs.tenant.spec.kubernetes
    # What else is set for kubelets reaches them inside the tenant's cluster, not through these pods.
    kubelet = {"preferredAddressTypes": kubernetes.kubelet.preferred_address_types}
    content = (
        tenant.metadata.name,
        tenant.metadata.annotations.get(wire.RENDER_ANNOTATION, ""),
        tenant.spec.control_plane.deployment.registry_settings,
        (str(parse_version(kubernetes.version)), kubelet, kubernetes.admission_controllers),
        (profile.advertise_address or inputs.address, profile.port, profile.cluster_domain),
        (profile.service_networks, profile.pod_networks),
        _digests(inputs),
        [_written(part) for part in inputs.parts],
        pod_security(inputs.parts),
        inputs.many_replicas,
    )
    return hashlib.sha256(msgspec.json.encode(content, order="deterministic")).hexdigest()[:32]


def deployment(inputs: DeploymentInputs) -> dict[str, Any]:
    """Build the Deployment."""
    tenant = inputs.tenant
    selector = {wire.NAME_LABEL: tenant.metadata.name}
    templates = (api_server(tenant, address=inputs.address), scheduler(tenant), controller_manager(tenant))
    containers = [container(tenant, template, inputs.parts) for template in templates]
    beside = sidecars(inputs.parts, native=inputs.native_sidecars)
    security = pod_security(inputs.parts)
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": owned_metadata(
            tenant,
            component="deployment",
            annotations={wire.INPUTS_ANNOTATION: inputs_digest(inputs), wire.RENDERER_ANNOTATION: inputs.renderer},
        ),
        "spec": {
            "replicas": tenant.spec.control_plane.deployment.replicas,
            "selector": {"matchLabels": selector},
            "strategy": _strategy(inputs),
            "template": {
                "metadata": {
                    "labels": {**selector, wire.PROJECT_LABEL: wire.PROJECT, wire.COMPONENT_LABEL: "deployment"},
                    "annotations": _digests(inputs),
                },
                "spec": {
                    # A tenant's control plane has no business with the management cluster's API.
                    "automountServiceAccountToken": False,
                    "enableServiceLinks": False,
                    "terminationGracePeriodSeconds": TERMINATION_GRACE_SECONDS,
                    **({"securityContext": security} if security else {}),
                    **({"initContainers": beside} if beside and inputs.native_sidecars else {}),
                    "containers": containers if inputs.native_sidecars else [*beside, *containers],
                    "volumes": _volumes(inputs),
                },
            },
        },
    }


def _strategy(inputs: DeploymentInputs) -> dict[str, Any]:
    if not inputs.many_replicas:
        return {"type": "Recreate"}
    return {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": "100%"}}


_BESIDE = frozenset({"claims"})
"""Parts that are objects of their own and are made once: another size of a volume is no other pod."""


def _written(value: object) -> Any:
    """A plugin's part without what it leaves at its default, so that a field that the contract gets rolls nothing."""
    if is_dataclass(value):
        set_fields = {field.name: getattr(value, field.name) for field in fields(value)}
        defaults = {
            field.name: field.default_factory() if field.default_factory is not MISSING else field.default
            for field in fields(value)
        }
        return {
            name: _written(one) for name, one in set_fields.items() if one != defaults[name] and name not in _BESIDE
        }
    if isinstance(value, tuple):
        return [_written(one) for one in value]
    return value


def _digests(inputs: DeploymentInputs) -> dict[str, str]:
    secrets = inputs.secrets
    digests = {
        "ca": secrets["ca"].digests["ca.crt"],
        "service-account": secrets["sa-certificate"].digests["sa.key"],
    }
    for part in inputs.parts:
        for item in part.restart_on:
            # By suffix: those that plugins want are known by nothing else.
            known = secrets.get(item.secret.removeprefix(f"{inputs.tenant.metadata.name}-"))
            digests[item.name] = known.digests.get(item.key, "") if known else ""
    return {f"{wire.COMPONENT_DIGEST_PREFIX}{name}": digest[:32] for name, digest in sorted(digests.items())}


def _volumes(inputs: DeploymentInputs) -> list[dict[str, Any]]:
    tenant = inputs.tenant
    serving = {
        "api-server-certificate": ("apiserver.crt", "apiserver.key"),
        "api-server-kubelet-client-certificate": (
            "apiserver-kubelet-client.crt",
            "apiserver-kubelet-client.key",
        ),
        "ca": ("ca.crt",),
        "front-proxy-ca-certificate": ("front-proxy-ca.crt",),
        "front-proxy-client-certificate": ("front-proxy-client.crt", "front-proxy-client.key"),
        "sa-certificate": ("sa.key", "sa.pub"),
    }
    signing = {
        "ca": ("ca.crt", "ca.key"),
        "front-proxy-ca-certificate": ("front-proxy-ca.crt",),
        "sa-certificate": ("sa.key",),
    }
    own = [
        _projected(tenant, "etc-kubernetes-pki", serving),
        _projected(tenant, "controller-manager-pki", signing),
        _component_kubeconfig(tenant, "controller-manager"),
        _component_kubeconfig(tenant, "scheduler"),
    ]
    return [*own, *volumes(tenant, inputs.parts)]


def _projected(tenant: TenantControlPlane, name: str, sources: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    return {
        "name": name,
        "projected": {
            "sources": [
                {
                    "secret": {
                        "name": object_name(tenant, suffix),
                        "items": [{"key": key, "path": key} for key in keys],
                    }
                }
                for suffix, keys in sources.items()
            ]
        },
    }


def _component_kubeconfig(tenant: TenantControlPlane, component: str) -> dict[str, Any]:
    # The form that names the certificate's files: client-go reloads those.
    suffix = f"{component}-kubeconfig"
    items = {
        "kubeconfig": f"{component}.conf",
        "tls.crt": f"{component}.crt",
        "tls.key": f"{component}.key",
    }
    return {
        "name": suffix,
        "secret": {
            "secretName": object_name(tenant, suffix),
            "items": [{"key": key, "path": path} for key, path in items.items()],
        },
    }
