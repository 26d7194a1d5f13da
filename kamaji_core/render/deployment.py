"""The Deployment that runs a tenant's control plane, named like the tenant.

The pod template holds digests only of material that a component reads once (service account key, root authority,
what a driver names); everything else is reloaded from its projected volume, so its renewal rolls nothing.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from kamaji_core.api import labels as wire
from kamaji_core.api.versions import parse_version
from kamaji_core.render.components import api_server, container, controller_manager, scheduler
from kamaji_core.render.owned import object_name, owned_metadata

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kamaji_core.api.tenant_control_plane import TenantControlPlane
    from kamaji_core.certificates import SecretFacts
    from kamaji_core.contracts import ControlPlaneParts

TERMINATION_GRACE_SECONDS = 30

RENDERER = "1"
"""Revision of this renderer: to be raised with every change of what the same inputs become.

A new operator must not roll a fleet because it renders otherwise than the one before: a Deployment of another revision
is kept as it is until its inputs change or somebody asks.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentInputs:
    """All that a Deployment is built from.

    Args:
        tenant: whose.
        address: the management-side address of the API server.
        secrets: the tenant's Secrets by suffix.
        parts: what the plugins add, in the order of their names.
    """

    tenant: TenantControlPlane
    address: str
    secrets: Mapping[str, SecretFacts]
    parts: tuple[ControlPlaneParts, ...]


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
        inputs.parts,
    )
    return hashlib.sha256(msgspec.json.encode(content, order="deterministic")).hexdigest()[:32]


def deployment(inputs: DeploymentInputs) -> dict[str, Any]:
    """Build the Deployment."""
    tenant = inputs.tenant
    selector = {wire.NAME_LABEL: tenant.metadata.name}
    templates = (api_server(tenant, address=inputs.address), scheduler(tenant), controller_manager(tenant))
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": owned_metadata(
            tenant,
            component="deployment",
            annotations={wire.INPUTS_ANNOTATION: inputs_digest(inputs), wire.RENDERER_ANNOTATION: RENDERER},
        ),
        "spec": {
            "replicas": tenant.spec.control_plane.deployment.replicas,
            "selector": {"matchLabels": selector},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": "100%"}},
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
                    "containers": [container(tenant, template, inputs.parts) for template in templates],
                    "volumes": _volumes(inputs),
                },
            },
        },
    }


def _digests(inputs: DeploymentInputs) -> dict[str, str]:
    secrets = inputs.secrets
    digests = {
        "ca": secrets["ca"].digests["ca.crt"],
        "service-account": secrets["sa-certificate"].digests["sa.key"],
    }
    by_name = {facts.name: facts for facts in secrets.values()}
    for part in inputs.parts:
        for item in part.restart_on:
            digests[item.name] = by_name[item.secret].digests[item.key]
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
    volumes = [
        _projected(tenant, "etc-kubernetes-pki", serving),
        _projected(tenant, "controller-manager-pki", signing),
        _component_kubeconfig(tenant, "controller-manager"),
        _component_kubeconfig(tenant, "scheduler"),
    ]
    for part in inputs.parts:
        for volume in part.volumes:
            source: dict[str, Any] = {"secretName": volume.secret}
            if volume.items:
                source["items"] = [{"key": key, "path": path} for key, path in volume.items.items()]
            volumes.append({"name": volume.name, "secret": source})
    return volumes


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
