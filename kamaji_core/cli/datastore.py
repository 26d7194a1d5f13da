"""`kamaji datastore check NAME...`: load stores through a real kube-apiserver and say whether they pass."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kamaji_core.api.versions import NEWEST_MINOR
from kamaji_core.cli.options import kubeconfig_option

if TYPE_CHECKING:
    from kamaji_core.check import CheckSettings, Measures


@click.group()
def datastore() -> None:
    """DataStores, in which tenants' data lives."""


@datastore.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@kubeconfig_option
@click.option(
    "-n", "--namespace", metavar="NAMESPACE", show_default="the context's", help="Where the temporary tenants are made."
)
@click.option("--seconds", type=click.FloatRange(min=1, max=600), default=10, show_default=True, help="Writers write.")
@click.option(
    "--concurrency", type=click.IntRange(min=1, max=256), default=16, show_default=True, help="Writers at a time."
)
@click.option(
    "--objects",
    type=click.IntRange(min=1, max=100_000),
    default=10_000,
    show_default=True,
    help="Objects that there are, at least, when they are listed.",
)
@click.option("--compaction", is_flag=True, help="Wait up to 12 minutes until old states are gone.")
@click.option(
    "--kubernetes-version",
    default=f"v1.{NEWEST_MINOR}.1",
    show_default=True,
    metavar="VERSION",
    help="Of the temporary tenants.",
)
@click.option(
    "--like",
    "followed",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="TenantControlPlane whose spec they follow, such as its Service and registry; its store does not count.",
)
@click.option(
    "--key",
    default="super-admin.conf",
    show_default=True,
    type=click.Choice(["super-admin.conf", "super-admin.svc"]),
    help="Reach them at their endpoint (.conf) or, inside the management cluster, at their Service (.svc).",
)
@click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="Text for people, or a JSON list for programs.",
)
def check(
    *,
    names: tuple[str, ...],
    kubeconfig_path: str | None,
    namespace: str | None,
    seconds: float,
    concurrency: int,
    objects: int,
    compaction: bool,
    kubernetes_version: str,
    followed: Path | None,
    key: str,
    output: str,
) -> None:
    """Load each DataStore NAME through a real kube-apiserver and compare them side by side.

    A tenant is made on each, one after the other, loaded for about a minute and removed again, also after Ctrl-C. Ends
    with exit code 1 when one does not pass.

    \b
    kamaji datastore check fast
    kamaji datastore check --namespace team-a --compaction --output json fast frugal
    """  # noqa: D301 - \b must be the character, for which click keeps the lines
    import asyncio

    from kamaji_core.check import CheckSettings, LoadSettings, StandSettings, as_json, as_table
    from kamaji_core.kube import ApiError, ConfigError, load_config

    try:
        config = load_config(kubeconfig_path)
        settings = CheckSettings(
            stand=StandSettings(
                namespace=namespace or config.namespace,
                version=kubernetes_version,
                spec=_spec(followed) if followed else {},
                kubeconfig=key,
            ),
            load=LoadSettings(seconds=seconds, writers=concurrency, objects=objects, compaction=compaction),
        )
        results = asyncio.run(_check(config, tuple(dict.fromkeys(names)), settings))
    except asyncio.CancelledError:
        raise click.Abort from None  # SIGTERM; what was made is removed
    except (ConfigError, ApiError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(as_json(results) if output == "json" else as_table(results))
    if not all(result.passed for result in results):
        raise click.exceptions.Exit(1)


async def _check(config: Any, names: tuple[str, ...], settings: CheckSettings) -> list[Measures]:
    import asyncio
    import signal

    from kamaji_core.check import check_store
    from kamaji_core.kube import KubeClient

    if (task := asyncio.current_task()) is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    async with KubeClient(config) as client:
        # One after the other: they must not take each other's time.
        return [await check_store(client, name, settings=settings, progress=_tell) for name in names]


def _tell(sentence: str) -> None:
    """Say how far it is; that nobody listens any more is no reason to leave a tenant behind."""
    with contextlib.suppress(OSError):
        click.echo(sentence, err=True)


def _spec(file: Path) -> dict[str, Any]:
    """The specification in a file.

    Raises:
        ClickException: when there is none.
    """
    import yaml

    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise click.ClickException(f"{file} cannot be read ({type(error).__name__}): write YAML.") from None
    spec = document.get("spec") if isinstance(document, dict) else None
    if not isinstance(spec, dict):
        raise click.ClickException(f"{file} has no spec: write one TenantControlPlane into it.")
    return spec
