"""`kamaji kubeconfig TENANT`: print a tenant's administrator kubeconfig."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kamaji_core.cli.options import kubeconfig_option

if TYPE_CHECKING:
    from kamaji_core.kube import ClusterConfig


@click.command()
@click.argument("tenant")
@click.option("-n", "--namespace", default="default", show_default=True, help="Namespace of the tenant.")
@kubeconfig_option
@click.option(
    "--key",
    # The administrator's own group gets its rights from an object in the tenant that is not made yet.
    default="super-admin.conf",
    show_default=True,
    type=click.Choice(["admin.conf", "admin.svc", "super-admin.conf", "super-admin.svc"]),
    help="Which of the tenant's kubeconfigs: .conf names its endpoint, .svc its Service inside the management cluster.",
)
def kubeconfig(*, tenant: str, namespace: str, kubeconfig_path: str | None, key: str) -> None:
    r"""Print the administrator kubeconfig of TENANT.

    \b
    kamaji kubeconfig --namespace team-a shop > shop.conf
    kubectl --kubeconfig shop.conf get --raw /readyz
    """
    import asyncio

    from kamaji_core.kube import ApiError, ConfigError, load_config

    try:
        content = asyncio.run(_read(load_config(kubeconfig_path), tenant=tenant, namespace=namespace, key=key))
    except (ConfigError, ApiError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(content, nl=False)


async def _read(config: ClusterConfig, *, tenant: str, namespace: str, key: str) -> bytes:
    from kamaji_core.api.tenant_control_plane import TenantControlPlane
    from kamaji_core.certificates import secret_data
    from kamaji_core.kube import SECRETS, KubeClient, NotFoundError
    from kamaji_core.tenancy import TENANT_CONTROL_PLANES

    async with KubeClient(config) as client:
        try:
            found = await client.get(TENANT_CONTROL_PLANES, tenant, namespace, type=TenantControlPlane)
        except NotFoundError:
            raise click.ClickException(
                f"there is no TenantControlPlane {tenant!r} in the namespace {namespace!r}; see "
                f"'kubectl get tenantcontrolplanes --all-namespaces'."
            ) from None
        try:
            secret = await client.get(SECRETS, f"{found.metadata.name}-admin-kubeconfig", namespace)
        except NotFoundError:
            secret = {}
    content = secret_data(secret).get(key)
    if not content:
        reasons = [condition.message for condition in found.status.conditions if condition.status != "True"]
        raise click.ClickException(" ".join([f"{namespace}/{tenant} has no {key} yet.", *reasons[:1]]))
    return content
