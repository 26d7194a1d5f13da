"""konnectivity, the tunnel from tenants' API servers to their nodes: turned on by `spec.addons.konnectivity`."""

from kamaji_addon_konnectivity.addon import Konnectivity
from kamaji_core.contracts import hookimpl

__all__ = ["Konnectivity", "kamaji_addons"]


@hookimpl
def kamaji_addons() -> list[type[Konnectivity]]:
    """Hand over the add-on."""
    return [Konnectivity]
