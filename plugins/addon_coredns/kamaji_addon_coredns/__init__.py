"""CoreDNS inside tenants' clusters: turned on by `spec.addons.coreDNS`."""

from kamaji_addon_coredns.addon import CoreDNS
from kamaji_core.contracts import hookimpl

__all__ = ["CoreDNS", "kamaji_addons"]


@hookimpl
def kamaji_addons() -> list[type[CoreDNS]]:
    """Hand over the add-on."""
    return [CoreDNS]
