"""The configuration that the tenant's kubelets start with: kubeadm's, with the user's JSON patches on it.

Only what kubeadm sets is written. A field that is left out has the default of the kubelet that reads it, so the
tenant's own version decides, never the operator's age.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from kamaji_core.soot.bootstrap.access import BOOTSTRAPPERS, NODES, SYSTEM, group, readable
from kamaji_core.soot.bootstrap.cluster import config_map, document

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kamaji_core.api.tenant_control_plane import JSONPatch, TenantControlPlane

CGROUP_DRIVER = "systemd"

EVICTION_DEFAULTS = {
    "imagefs.available": "15%",
    "imagefs.inodesFree": "5%",
    "memory.available": "100Mi",
    "nodefs.available": "10%",
    "nodefs.inodesFree": "5%",
}
"""The kubelet's own `evictionHard` on Linux, needed once a patch sets one of them: the others would then mean zero."""

PREFILLED: Mapping[str, Mapping[str, str]] = {"evictionHard": EVICTION_DEFAULTS}


class KubeletPatchError(ValueError):
    """A JSON patch of the kubelet's configuration cannot be applied; the message names it and what to do."""

    def __init__(self, number: int, patch: JSONPatch, reason: str) -> None:
        super().__init__(
            f"spec.kubernetes.kubelet.configurationJSONPatches[{number}] ({patch.op} {patch.path}) cannot be applied, "
            f"{reason}: correct or remove it."
        )


def kubelet_config(tenant: TenantControlPlane) -> tuple[dict[str, Any], ...]:
    """Build the ConfigMap `kubelet-config` and who may read it.

    Args:
        tenant: whose kubelets.

    Raises:
        KubeletPatchError: when one of its patches cannot be applied.
        ValueError: when its Service networks are unusable.
    """
    name = "kubelet-config"
    return (
        config_map(SYSTEM, name, {"kubelet": document(kubelet_configuration(tenant))}),
        *readable(SYSTEM, "kubeadm:kubelet-config", name, group(NODES), group(BOOTSTRAPPERS)),
    )


def kubelet_configuration(tenant: TenantControlPlane) -> dict[str, Any]:
    """Build the KubeletConfiguration; errors as of `kubelet_config`."""
    profile, settings = tenant.spec.network_profile, tenant.spec.kubernetes.kubelet
    configuration: dict[str, Any] = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": "/etc/kubernetes/pki/ca.crt"},
        },
        "authorization": {"mode": "Webhook"},
        "cgroupDriver": str(settings.cgroupfs or CGROUP_DRIVER),
        "clusterDNS": list(profile.dns_addresses),
        "clusterDomain": profile.cluster_domain,
        "healthzBindAddress": "127.0.0.1",
        "healthzPort": 10248,
        "kind": "KubeletConfiguration",
        "rotateCertificates": True,
        "staticPodPath": "/etc/kubernetes/manifests",
    }
    for number, patch in enumerate(settings.configuration_json_patches):
        configuration = _patched(configuration, patch, number)
    return configuration


def _patched(configuration: dict[str, Any], patch: JSONPatch, number: int) -> dict[str, Any]:
    import jsonpatch  # noqa: PLC0415 - few tenants have patches
    import jsonpointer  # noqa: PLC0415

    try:
        operation = _fitted(configuration, patch)
        result = jsonpatch.apply_patch(configuration, [operation] if operation else [])
    except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException, LookupError, TypeError) as error:
        raise KubeletPatchError(number, patch, str(error)) from None
    if not isinstance(result, dict):
        raise KubeletPatchError(number, patch, "it leaves no object")
    return result


def _fitted(configuration: dict[str, Any], patch: JSONPatch) -> dict[str, Any] | None:
    """Write the patch out as if all defaults were in the configuration, as users of Kamaji may rely on.

    What it reaches into is made, replacing what is not there adds it, and there is nothing to remove where nothing is:
    then None is given.
    """
    import jsonpointer  # noqa: PLC0415 - as above

    *parents, last = jsonpointer.JsonPointer(patch.path).parts or [""]
    place: Any = configuration
    for depth, part in enumerate(parents):
        if isinstance(place, dict) and part not in place and patch.op in {"add", "replace"}:
            place[part] = copy.copy(PREFILLED.get(part, {})) if depth == 0 else {}
        place = place[int(part)] if isinstance(place, list) and part.isdecimal() else _entry(place, part)
    is_missing = isinstance(place, dict) and last not in place
    if is_missing and patch.op == "remove":
        return None
    operation = {"op": "add" if is_missing and patch.op == "replace" else str(patch.op), "path": patch.path}
    if patch.op in {"add", "replace", "test"}:
        operation["value"] = patch.value
    else:
        operation["from"] = patch.from_
    return operation


def _entry(place: Any, part: str) -> Any:
    return place.get(part) if isinstance(place, dict) else None
