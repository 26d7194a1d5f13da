"""`kamaji token create TENANT`: make a bootstrap token in a tenant's cluster and print the line that joins a machine.

The same as `kubeadm token create --print-join-command`, without a kubeadm and with the kubeconfig that the management
cluster holds.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from kamaji_core.cli.options import kubeconfig_option
from kamaji_core.cli.tenants import admin_kubeconfig, find_tenant, namespace_option

if TYPE_CHECKING:
    from kamaji_core.kube import ClusterConfig

LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
_UNITS = {"h": 3600, "m": 60, "s": 1}
_DURATION = re.compile(r"(\d+)(h|m|s)")


class Duration(click.ParamType[timedelta]):
    """A length of time such as `24h` or `1h30m`; 0 for no end."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Read it."""
        if isinstance(value, timedelta):
            return value
        if value == "0":
            return timedelta(0)
        if not re.fullmatch(f"(?:{_DURATION.pattern})+", value):
            self.fail(f"{value!r} is no duration: write one such as 24h or 1h30m, or 0 for no end.", param, ctx)
        return timedelta(seconds=sum(int(count) * _UNITS[unit] for count, unit in _DURATION.findall(value)))


@click.group()
def token() -> None:
    """Bootstrap tokens, with which machines join a tenant."""


@token.command()
@click.argument("tenant")
@namespace_option
@kubeconfig_option
@click.option("--ttl", type=Duration(), default="24h", show_default=True, help="How long it is good; 0 for no end.")
def create(*, tenant: str, namespace: str, kubeconfig_path: str | None, ttl: timedelta) -> None:
    """Make a token in TENANT's cluster and print the command that joins a machine.

    \b
    kamaji token create --namespace team-a shop
    """  # noqa: D301 - \b must be the character, for which click keeps the lines
    import asyncio

    from kamaji_core.kube import ApiError, ConfigError, load_config

    try:
        line = asyncio.run(_create(load_config(kubeconfig_path), tenant=tenant, namespace=namespace, ttl=ttl))
    except (ConfigError, ApiError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(line)


async def _create(config: ClusterConfig, *, tenant: str, namespace: str, ttl: timedelta) -> str:
    from urllib.parse import urlsplit

    from kamaji_core.kube import SECRETS, KubeClient, config_from_kubeconfig
    from kamaji_core.pki import read_certificate

    async with KubeClient(config) as client:
        found = await find_tenant(client, tenant, namespace)
        # Whoever may write the tenant's Secrets must not have this machine run their programs.
        inside = config_from_kubeconfig(await admin_kubeconfig(client, found, "super-admin.conf"), embedded=True)
    secret = token_secret(now=datetime.now(UTC), ttl=ttl)
    async with KubeClient(inside) as client:
        await client.create(SECRETS, secret)
    written = f"{secret['stringData']['token-id']}.{secret['stringData']['token-secret']}"
    server, pin = urlsplit(inside.server).netloc, read_certificate(inside.ca).public_key
    return f"kubeadm join {server} --token {written} --discovery-token-ca-cert-hash sha256:{pin}"


def token_secret(*, now: datetime, ttl: timedelta) -> dict[str, Any]:
    """A new token as the Secret that kube-apiserver and the bootstrap signer look for.

    Args:
        now: present time, UTC.
        ttl: how long it is good; zero for no end.
    """
    import secrets

    name, secret = ("".join(secrets.choice(LETTERS) for _ in range(length)) for length in (6, 16))
    data = {
        "description": "Made by 'kamaji token create'.",
        "token-id": name,
        "token-secret": secret,
        "usage-bootstrap-authentication": "true",
        "usage-bootstrap-signing": "true",
        "auth-extra-groups": "system:bootstrappers:kubeadm:default-node-token",
    }
    if ttl:
        data["expiration"] = (now + ttl).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": f"bootstrap-token-{name}", "namespace": "kube-system"},
        "type": "bootstrap.kubernetes.io/token",
        "stringData": data,
    }
