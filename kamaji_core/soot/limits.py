"""Write limits: what the tenant's users may not do at present, refused by the tenant's own API server.

An admission policy needs no server of ours, so that a limit costs no request a call and holds while the operator is
away. It is a limit, not a jail: who administers the tenant can remove it, and it comes back. Nodes, the control plane
and the operator go on writing, or the cluster would fall apart instead of standing still.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kamaji_core.api import labels as wire
from kamaji_core.contracts import TenantObject

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kamaji_core.api.tenant_control_plane import TenantControlPlane, WritePermissions

OWNER = "write-permissions"
"""Value of the add-on's label on what is made here, by which it is found again when the limits are lifted."""

NAME = "kamaji-write-permissions"
ADMISSION = "admissionregistration.k8s.io/v1"

_CONTROL_PLANE = (
    "system:apiserver",
    "system:kube-controller-manager",
    "system:kube-scheduler",
    "kube-apiserver-kubelet-client",
)
_NODES = ("system:nodes", "system:bootstrappers")
_CONTROLLERS = "system:serviceaccount:kube-system:"
"""Each of the controller manager's controllers, and the add-ons, are a service account there."""

_ADMINISTRATORS = {"admin": "kubernetes-admin", "super-admin": "kubernetes-super-admin"}
"""User of each of a tenant's kubeconfigs, one of which the operator works with."""

_UNSTORED = (
    {"apiGroups": ["authentication.k8s.io"], "resources": ["*/*"]},
    {"apiGroups": ["authorization.k8s.io"], "resources": ["*/*"]},
    {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"]},
)
"""Questions that are asked by creating something, and Leases, without which whatever runs would begin to restart."""


def limit_objects(tenant: TenantControlPlane) -> tuple[TenantObject, ...]:
    """Plan the policy and what puts it into force; nothing while nothing is limited."""
    limits = tenant.spec.write_permissions
    if not limits.any:
        return ()
    metadata = {"name": NAME}
    policy = {
        "apiVersion": ADMISSION,
        "kind": "ValidatingAdmissionPolicy",
        "metadata": metadata,
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {
                "resourceRules": [_rule(operations, resources) for operations, resources in _limited(limits)],
                "excludeResourceRules": [
                    {**one, "apiVersions": ["*"], "operations": ["*"], "scope": "*"} for one in _UNSTORED
                ],
            },
            "matchConditions": _others(tenant),
            "validations": [{"expression": "false", "message": _message(limits), "reason": "Forbidden"}],
        },
    }
    binding = {
        "apiVersion": ADMISSION,
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": metadata,
        "spec": {"policyName": NAME, "validationActions": ["Deny"]},
    }
    return tuple(TenantObject(manifest=one, watch=True) for one in (policy, binding))


def _limited(limits: WritePermissions) -> list[tuple[list[str], list[str]]]:
    """Operations and what they are refused on; an eviction is created and deletes."""
    operations = {"CREATE": limits.block_creation, "UPDATE": limits.block_update, "DELETE": limits.block_deletion}
    found = [([name for name, blocked in operations.items() if blocked], ["*"])]
    if limits.block_update:
        found.append((["UPDATE"], ["*/scale", "*/resize", "*/ephemeralcontainers"]))
    if limits.block_deletion:
        found.append((["CREATE"], ["pods/eviction"]))
    return found


def _rule(operations: Sequence[str], resources: Sequence[str]) -> dict[str, Any]:
    return {
        "apiGroups": ["*"],
        "apiVersions": ["*"],
        "operations": list(operations),
        "resources": list(resources),
        "scope": "*",
    }


def _others(tenant: TenantControlPlane) -> list[dict[str, str]]:
    """Conditions that hold for everybody who is limited."""
    key = tenant.metadata.annotations.get(wire.KUBECONFIG_KEY_ANNOTATION, "super-admin.conf")
    operator = _ADMINISTRATORS.get(key.rpartition(".")[0], _ADMINISTRATORS["super-admin"])
    users = ", ".join(f"'{name}'" for name in (operator, *_CONTROL_PLANE))
    groups = ", ".join(f"'{name}'" for name in _NODES)
    return [
        {"name": "not-the-control-plane", "expression": f"!(request.userInfo.username in [{users}])"},
        {"name": "not-a-controller", "expression": f"!request.userInfo.username.startsWith('{_CONTROLLERS}')"},
        {"name": "not-a-node", "expression": f"!request.userInfo.groups.exists(one, one in [{groups}])"},
    ]


def _message(limits: WritePermissions) -> str:
    blocked = {
        "creating": limits.block_creation,
        "updating": limits.block_update,
        "deleting": limits.block_deletion,
    }
    what = ", ".join(name for name, is_blocked in blocked.items() if is_blocked)
    return (
        f"The provider of this cluster does not allow {what} objects at present (spec.writePermissions of its "
        f"TenantControlPlane): ask the provider."
    )
