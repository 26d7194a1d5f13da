"""What several commands need: a tenant, and its administrator's kubeconfig out of the management cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    from kamaji_core.api.tenant_control_plane import TenantControlPlane
    from kamaji_core.kube import KubeClient

namespace_option: Callable[[Callable[..., None]], Callable[..., None]] = click.option(
    "-n", "--namespace", default="default", show_default=True, help="Namespace of the tenant."
)


async def find_tenant(client: KubeClient, name: str, namespace: str) -> TenantControlPlane:
    """Read a tenant.

    Raises:
        ClickException: when there is none of this name.
    """
    from kamaji_core.api.tenant_control_plane import TenantControlPlane
    from kamaji_core.kube import NotFoundError
    from kamaji_core.tenancy import TENANT_CONTROL_PLANES

    try:
        return await client.get(TENANT_CONTROL_PLANES, name, namespace, type=TenantControlPlane)
    except NotFoundError:
        raise click.ClickException(
            f"there is no TenantControlPlane {name!r} in the namespace {namespace!r}; see "
            f"'kubectl get tenantcontrolplanes --all-namespaces'."
        ) from None


async def admin_kubeconfig(client: KubeClient, tenant: TenantControlPlane, key: str) -> bytes:
    """Read one of a tenant's administrator kubeconfigs.

    Raises:
        ClickException: when there is none yet, with the reason that its conditions tell.
    """
    from kamaji_core.certificates import secret_data
    from kamaji_core.kube import SECRETS, NotFoundError

    name, namespace = tenant.metadata.name, tenant.metadata.namespace
    try:
        secret = await client.get(SECRETS, f"{name}-admin-kubeconfig", namespace)
    except NotFoundError:
        secret = {}
    content = secret_data(secret).get(key)
    if not content:
        reasons = [condition.message for condition in tenant.status.conditions if condition.status != "True"]
        raise click.ClickException(" ".join([f"{namespace}/{name} has no {key} yet.", *reasons[:1]]))
    return content
