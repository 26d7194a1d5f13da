"""`kamaji manager`: run the operator until it is asked to stop."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

import click

from kamaji_core.cli.options import kubeconfig_option

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable


@click.command()
@kubeconfig_option
@click.option("--datastore", default="", metavar="NAME", help="DataStore of tenants that name none.")
@click.option(
    "--max-concurrent-tcp-reconciles",
    type=click.IntRange(min=1),
    default=8,
    show_default=True,
    help="Tenants worked on at a time.",
)
@click.option(
    "--max-concurrent-boots",
    type=click.IntRange(min=0),
    default=0,
    show_default="two for each core of the schedulable nodes",
    help="Control planes that may start at once; the others wait with the reason Queued.",
)
@click.option(
    "--tenant-sessions/--no-tenant-sessions",
    default=True,
    show_default=True,
    help="Keep kubeadm's objects and the add-ons inside tenants' clusters.",
)
@click.option(
    "--tenant-look-interval",
    type=click.FloatRange(min=1),
    default=600,
    show_default=True,
    metavar="SECONDS",
    help="Between two looks at everything of ours inside a tenant's cluster; add-ons are watched besides.",
)
@click.option(
    "--leader-elect/--no-leader-elect",
    default=True,
    show_default=True,
    help="Work only while holding the Lease kamaji.clastix.io, so that several operators can run.",
)
@click.option(
    "--leader-election-namespace",
    default="",
    envvar="POD_NAMESPACE",
    metavar="NAMESPACE",
    show_default="the pod's own, or that of the kubeconfig's context",
    help="Where the Lease is.",
)
@click.option(
    "--health-probe-bind-address",
    default=":8081",
    show_default=True,
    metavar="HOST:PORT",
    help="Where /healthz and /readyz are served; empty for nowhere.",
)
@click.option(
    "--metrics-bind-address",
    default=":8080",
    show_default=True,
    metavar="HOST:PORT",
    help="Where /metrics is served; empty for nowhere.",
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    help="The least severe messages that are printed.",
)
@click.option(
    "--log-format",
    type=click.Choice(["json", "console"]),
    default="json",
    show_default=True,
    help="One JSON object a line, or text for people.",
)
def manager(
    *,
    kubeconfig_path: str | None,
    datastore: str,
    max_concurrent_tcp_reconciles: int,
    max_concurrent_boots: int,
    tenant_sessions: bool,
    tenant_look_interval: float,
    leader_elect: bool,
    leader_election_namespace: str,
    health_probe_bind_address: str,
    metrics_bind_address: str,
    log_level: str,
    log_format: str,
) -> None:
    """Run the operator.

    It works on every TenantControlPlane and DataStore of the management cluster and ends cleanly on SIGTERM or SIGINT.
    """
    import asyncio
    import signal
    from concurrent.futures import ThreadPoolExecutor

    from kamaji_core.health import AddressError
    from kamaji_core.kube import ApiError, ConfigError, LeaseSettings, load_config
    from kamaji_core.logs import configure_logs
    from kamaji_core.manager import Settings, run_manager
    from kamaji_core.plugins import load_plugins

    configure_logs(level=log_level, form=log_format)
    _give_memory_back()

    async def run() -> None:
        stop = asyncio.Event()
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(max_workers=_THREADS))
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        config = load_config(kubeconfig_path)
        settings = Settings(
            default_store=datastore,
            tenant_workers=max_concurrent_tcp_reconciles,
            boot_width=max_concurrent_boots,
            tenant_sessions=tenant_sessions,
            tenant_look_seconds=tenant_look_interval,
            lease=LeaseSettings(namespace=leader_election_namespace or config.namespace) if leader_elect else None,
            health_address=health_probe_bind_address,
            metrics_address=metrics_bind_address,
        )
        await run_manager(config, plugins=load_plugins(), settings=settings, stop=stop)

    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(run())
    except (ConfigError, AddressError, ApiError) as error:
        raise click.ClickException(str(error)) from error


_THREADS = 2
"""For keys, metrics and look-ups; each takes memory that is not given back."""


def _give_memory_back() -> None:
    """Have large blocks come from the kernel each time and go back to it.

    Uvloop reserves 256 KiB for each TLS connection and touches a few of them. By default glibc, once one was freed,
    takes the next from its heap, where all of it has been touched and lies between what others use: 25 KiB a session.
    """
    import ctypes

    with contextlib.suppress(OSError, AttributeError):  # another libc
        libc = ctypes.CDLL(None)
        libc.mallopt(_MMAP_THRESHOLD, _LARGE)
        libc.mallopt(_ARENA_MAX, 1)  # the few threads need none of their own


_MMAP_THRESHOLD, _ARENA_MAX = -3, -8
"""`M_MMAP_THRESHOLD` and `M_ARENA_MAX` of malloc.h."""
_LARGE = 128 * 1024


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Uvloop where it is installed: an idle TLS connection costs it a quarter of what it costs asyncio's own loop."""
    # Name look-ups of that loop have threads of their own.
    os.environ.setdefault("UV_THREADPOOL_SIZE", str(_THREADS))
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
