"""A greeting in tenants' clusters: turned on by `spec.addons.extra.hello`."""

from kamaji_addon_hello.addon import Hello
from kamaji_core.contracts import hookimpl

__all__ = ["Hello", "kamaji_addons"]


@hookimpl
def kamaji_addons() -> list[type[Hello]]:
    """Hand over the add-on."""
    return [Hello]
