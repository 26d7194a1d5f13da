"""`kamaji kubeconfig TENANT`: print a tenant's administrator kubeconfig."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kamaji_core.cli.options import kubeconfig_option
from kamaji_core.cli.tenants import admin_kubeconfig, find_tenant, namespace_option

if TYPE_CHECKING:
    from kamaji_core.kube import ClusterConfig


@click.command()
@click.argument("tenant")
@namespace_option
@kubeconfig_option
@click.option(
    "--key",
    default="admin.conf",
    show_default=True,
    type=click.Choice(["admin.conf", "admin.svc", "super-admin.conf", "super-admin.svc"]),
    help="Which of the tenant's kubeconfigs: .conf names its endpoint, .svc its Service inside the management cluster.",
)
def kubeconfig(*, tenant: str, namespace: str, kubeconfig_path: str | None, key: str) -> None:
    """Print the administrator kubeconfig of TENANT.

    \b
    kamaji kubeconfig --namespace team-a shop > shop.conf
    kubectl --kubeconfig shop.conf get --raw /readyz
    """  # noqa: D301 - \b must be the character, for which click keeps the lines
    import asyncio

    from kamaji_core.kube import ApiError, ConfigError, load_config

    try:
        content = asyncio.run(_read(load_config(kubeconfig_path), tenant=tenant, namespace=namespace, key=key))
    except (ConfigError, ApiError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(content, nl=False)


async def _read(config: ClusterConfig, *, tenant: str, namespace: str, key: str) -> bytes:
    from kamaji_core.kube import KubeClient

    async with KubeClient(config) as client:
        return await admin_kubeconfig(client, await find_tenant(client, tenant, namespace), key)
