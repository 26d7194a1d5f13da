"""What plugins want in a tenant's pods: its store's driver, the add-ons, the hooks, in this order. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kamaji_core.contracts import Capability, SecretReferences
from kamaji_core.extensions import ExtensionError, Extensions, checked_parts
from kamaji_core.render import control_plane_names, object_name, tenant_view
from kamaji_core.tenant.facts import STORE_CERTIFICATE, STORE_CONFIG

if TYPE_CHECKING:
    from kamaji_core.contracts import Claim, ControlPlaneParts, TenantView
    from kamaji_core.tenant.facts import Facts


def view_of(facts: Facts) -> TenantView:
    """What plugins may know of a tenant, whose version can be read."""
    authority = facts.secrets.get("ca")
    return tenant_view(
        facts.tenant,
        endpoint=control_plane_names(facts.tenant, facts.service).endpoint or "",
        ca_cert=authority.certificates.get("ca.crt", b"") if authority else b"",
        secret_names={suffix: secret.name for suffix, secret in facts.secrets.items()},
    )


def plugin_parts(facts: Facts, claim: Claim, extensions: Extensions) -> tuple[ControlPlaneParts, ...] | None:
    """What plugins add to the pods; None while the store is not resolved.

    Args:
        facts: of a tenant whose specification is sound.
        claim: its names at the store.
        extensions: the plugins' hooks.

    Raises:
        ConfigurationError: when the settings of an add-on do not fit.
        ExtensionError: when a plugin cannot tell.
    """
    store = facts.store
    if store is None or store.driver is None or store.view is None:
        return None
    view = view_of(facts)
    references = SecretReferences(
        credentials=object_name(facts.tenant, STORE_CERTIFICATE), config=object_name(facts.tenant, STORE_CONFIG)
    )
    try:
        parts = checked_parts(store.driver.parts(store.view, view, claim, secrets=references))
    except Exception as error:
        raise ExtensionError(store.driver.NAME, "say what the tenant's pods need", error) from error
    beside = (parts, *extensions.addon_parts(view))
    return (*beside, *extensions.render(view, beside))


def many_replicas(facts: Facts) -> bool:
    """Whether several pods may work on the tenant's store at the same time; so while that is not known."""
    driver = facts.store.driver if facts.store else None
    return driver is None or Capability.MANY_REPLICAS in driver.CAPABILITIES
