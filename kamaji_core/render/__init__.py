"""Pure builders of one tenant's objects in the management cluster.

Each returns exactly the fields that we own, ready for server-side apply. What drivers add comes in as
`ControlPlaneParts`, so that nothing here knows any of them.
"""

from kamaji_core.render.deployment import RENDERER, DeploymentInputs, deployment, inputs_digest
from kamaji_core.render.endpoint import assigned_address, control_plane_names, endpoint
from kamaji_core.render.kubeadm import kubeadm_config_map
from kamaji_core.render.owned import object_name, owned_metadata
from kamaji_core.render.secret import secret
from kamaji_core.render.service import service
from kamaji_core.render.sidecars import config_map, volume_claim
from kamaji_core.render.view import tenant_view

__all__ = [
    "RENDERER",
    "DeploymentInputs",
    "assigned_address",
    "config_map",
    "control_plane_names",
    "deployment",
    "endpoint",
    "inputs_digest",
    "kubeadm_config_map",
    "object_name",
    "owned_metadata",
    "secret",
    "service",
    "tenant_view",
    "volume_claim",
]
