"""kube-proxy inside tenants' clusters: turned on by `spec.addons.kubeProxy`."""

from kamaji_addon_kubeproxy.addon import KubeProxy
from kamaji_core.contracts import hookimpl

__all__ = ["KubeProxy", "kamaji_addons"]


@hookimpl
def kamaji_addons() -> list[type[KubeProxy]]:
    """Hand over the add-on."""
    return [KubeProxy]
