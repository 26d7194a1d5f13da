"""What plugins want in a tenant's pods: first its store's driver, then the hooks. Pure; failures are sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kamaji_core.api.model import manifest
from kamaji_core.api.versions import parse_version
from kamaji_core.contracts import SecretReferences, TenantView
from kamaji_core.extensions import ExtensionError, Extensions
from kamaji_core.render import object_name
from kamaji_core.tenant.facts import STORE_CERTIFICATE, STORE_CONFIG

if TYPE_CHECKING:
    from kamaji_core.contracts import Claim, ControlPlaneParts
    from kamaji_core.tenant.facts import Facts


def tenant_view(facts: Facts) -> TenantView:
    """What plugins may know of a tenant, whose version can be read."""
    tenant = facts.tenant
    authority = facts.secrets.get("ca")
    return TenantView(
        namespace=tenant.metadata.namespace,
        name=tenant.metadata.name,
        uid=tenant.metadata.uid,
        version=str(parse_version(tenant.spec.kubernetes.version)),
        replicas=tenant.spec.control_plane.deployment.replicas,
        generation=tenant.metadata.generation,
        spec=manifest(tenant.spec),
        endpoint=tenant.status.control_plane_endpoint or "",
        ca_cert=authority.certificates.get("ca.crt", b"") if authority else b"",
        secret_names={suffix: secret.name for suffix, secret in facts.secrets.items()},
        phase=str(tenant.status.kubernetes_resources.version.status or ""),
    )


def plugin_parts(facts: Facts, claim: Claim, extensions: Extensions) -> tuple[ControlPlaneParts, ...] | None:
    """What plugins add to the pods; None while the store is not resolved.

    Args:
        facts: of a tenant whose specification is sound.
        claim: its names at the store.
        extensions: the plugins' hooks.

    Raises:
        ExtensionError: when a plugin cannot tell.
    """
    store = facts.store
    if store is None or store.driver is None or store.view is None:
        return None
    view = tenant_view(facts)
    references = SecretReferences(
        credentials=object_name(facts.tenant, STORE_CERTIFICATE), config=object_name(facts.tenant, STORE_CONFIG)
    )
    try:
        parts = store.driver.parts(store.view, view, claim, secrets=references)
    except Exception as error:
        raise ExtensionError(store.driver.NAME, "say what the tenant's pods need", error) from error
    return (parts, *extensions.render(view, (parts,)))
