"""The command line `python -m sandbox`.

Each command imports what it needs when it runs: `exec` is in the way of every command that runs inside, and `--help`
must answer at once.
"""

from __future__ import annotations

import sys
from typing import Any

import click

from sandbox.errors import SandboxError, require_up


class _Group(click.Group):
    """Shows an error of the sandbox as one sentence."""

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except SandboxError as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """A real Kubernetes management cluster on this machine, for trying things out and for tests.

    It has one node that runs real pods, an etcd for tenants at https://etcd.kamaji-system.svc:2379 (its credentials are
    the Secret kamaji-system/etcd-certs) and, if asked for, a PostgreSQL at postgres.kamaji-system.svc:5432 (the Secret
    kamaji-system/postgres-credentials). It lives in namespaces and a cgroup of its own. Root is needed.
    """


@main.command()
def setup() -> None:
    """Install the needed Debian packages, bring Helm, build the programs; what is there is left alone."""
    from sandbox.build import build_programs  # noqa: PLC0415 - see the module's head
    from sandbox.debian import container_runtime, install_tools, pooler  # noqa: PLC0415 - see the module's head
    from sandbox.helm import helm as bring_helm  # noqa: PLC0415 - see the module's head
    from sandbox.operator.image import make_base  # noqa: PLC0415 - see the module's head

    installed = install_tools()
    click.echo(f"Installed Debian packages: {', '.join(installed) or 'none were missing'}")
    runtime = container_runtime()
    click.echo(f"containerd and runc: {runtime.containerd.parents[2]}")
    click.echo(f"PgBouncer: {pooler()}")
    click.echo(f"Helm: {bring_helm()}")
    make_base(click.echo)
    click.echo(f"Programs: {build_programs(click.echo)}")


@main.command()
@click.option("--path", is_flag=True, help="Only print the directory of the finished programs.")
def programs(*, path: bool) -> None:
    """Build the pinned programs into the cache; finished ones are reused."""
    from sandbox.build import build_programs, link_programs  # noqa: PLC0415 - see the module's head

    click.echo(link_programs() if path else build_programs(click.echo))


@main.command()
@click.option(
    "--datastore",
    type=click.Choice(["etcd", "postgres"]),
    default="etcd",
    show_default=True,
    help="postgres: have a PostgreSQL for tenants beside the etcd, at postgres.kamaji-system.svc:5432.",
)
def up(*, datastore: str) -> None:
    """Bring the cluster up; when it is up, start again what has died.

    A PostgreSQL that was asked for once stays until the cluster is taken down.
    """
    from sandbox.up import up as bring_up  # noqa: PLC0415 - see the module's head

    bring_up(click.echo, with_postgres=datastore == "postgres")


@main.command()
def down() -> None:
    """Take the cluster down with everything in it; only the cache of programs and images stays."""
    from sandbox.down import down as take_down  # noqa: PLC0415 - see the module's head

    take_down(click.echo)


@main.command()
@click.option("--json", "wants_json", is_flag=True, help="For programs.")
def status(*, wants_json: bool) -> None:
    """Show how each server is; the exit code is 1 when one is not well."""
    import json  # noqa: PLC0415 - see the module's head

    from sandbox.status import as_json  # noqa: PLC0415 - see the module's head
    from sandbox.status import status as look  # noqa: PLC0415 - see the module's head

    statuses = look()
    if wants_json:
        click.echo(json.dumps(as_json(statuses), indent=2))
    else:
        for one in statuses:
            click.echo(f"{one.name:24} {'well' if one.well else 'NOT WELL: ' + one.why:10}  {one.log}")
    sys.exit(0 if all(one.well for one in statuses) else 1)


@main.command()
@click.option("--path", is_flag=True, help="Print where the file is instead of what it says.")
def kubeconfig(*, path: bool) -> None:
    """Print an administrator's kubeconfig, usable on this machine and inside the sandbox."""
    from sandbox.places import KUBECONFIG  # noqa: PLC0415 - see the module's head

    require_up()
    click.echo(KUBECONFIG if path else KUBECONFIG.read_text(), nl=path)


@main.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def exec(command: tuple[str, ...]) -> None:  # noqa: A001 - the command's name
    """Run COMMAND inside the cluster's network with its DNS: `exec -- curl https://TENANT.NAMESPACE.svc:6443`.

    KUBECONFIG is set; signals, exit code and terminal are the command's own.
    """
    from sandbox.enter import execute  # noqa: PLC0415 - see the module's head

    execute(command)


@main.group()
def node() -> None:
    """Further machines of this sandbox, each a node of a tenant."""


@node.command()
@click.argument("tenant")
@click.option("-n", "--namespace", default="default", show_default=True, help="Namespace of the tenant.")
@click.option("--name", default="", metavar="NAME", show_default="TENANT and a number", help="Name of the node.")
@click.option("--unreachable", is_flag=True, help="Nobody may begin a connection to it, as behind a firewall.")
def add(*, tenant: str, namespace: str, name: str, unreachable: bool) -> None:
    """Make a machine and have the real kubeadm join it to TENANT."""
    from sandbox.node.join import add as add_machine  # noqa: PLC0415 - see the module's head
    from sandbox.node.machine import free_name  # noqa: PLC0415 - see the module's head

    add_machine(name or free_name(tenant), tenant=tenant, namespace=namespace, is_open=not unreachable, say=click.echo)


@node.command("list")
def list_() -> None:
    """Show the machines with their addresses."""
    from sandbox.node.machine import known  # noqa: PLC0415 - see the module's head

    for machine in known():
        click.echo(f"{machine.name:24} {machine.address:16} {machine.log('kubelet')}")


@node.command()
@click.argument("name")
def remove(*, name: str) -> None:
    """End everything on a machine and take it away; its Node object stays in the tenant."""
    from sandbox.node.join import leave  # noqa: PLC0415 - see the module's head

    leave(name, click.echo)


@main.group()
def operator() -> None:
    """The operator: as pods that Helm installs, or as a process of this tree's code."""


@operator.command("install")
@click.option("--set", "values", multiple=True, metavar="PATH=VALUE", help="A value of the chart charts/kamaji.")
def install_operator(*, values: tuple[str, ...]) -> None:
    """Build the image and install, or upgrade, both charts."""
    from sandbox.operator.pods import install  # noqa: PLC0415 - see the module's head

    click.echo(install(click.echo, *values))


@operator.command("uninstall")
def uninstall_operator() -> None:
    """Take the pods away; tenants and definitions stay."""
    from sandbox.operator.pods import uninstall  # noqa: PLC0415 - see the module's head

    click.echo(uninstall())


@operator.command("start")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def start_operator(*, arguments: tuple[str, ...]) -> None:
    """Start it anew as a process; ARGUMENTS after `--` are those of `kamaji manager`."""
    from sandbox.operator.process import operator as described  # noqa: PLC0415 - see the module's head
    from sandbox.operator.process import start as start_process  # noqa: PLC0415 - see the module's head

    start_process(*arguments)
    click.echo(f"The operator works; its log is {described().log}")


@operator.command("stop")
def stop_operator() -> None:
    """End the process."""
    from sandbox.operator.process import stop  # noqa: PLC0415 - see the module's head

    stop()


@main.command(
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False, "help_option_names": []}
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def helm(arguments: tuple[str, ...]) -> None:
    """Run the pinned Helm against the cluster, as its administrator."""
    import os  # noqa: PLC0415 - see the module's head

    from sandbox.helm import environment  # noqa: PLC0415 - see the module's head
    from sandbox.helm import helm as program  # noqa: PLC0415 - see the module's head

    require_up()
    found = program()
    os.execve(found, [str(found), *arguments], environment())  # noqa: S606 - it is what the user asked for


@main.command()
@click.option("--since", type=float, metavar="SECONDS", help="Only the last SECONDS.")
@click.option("--detail", is_flag=True, help="Split by verb and resource.")
@click.option("--json", "wants_json", is_flag=True, help="For programs; always in detail.")
def requests(*, since: float | None, detail: bool, wants_json: bool) -> None:
    """Count the requests that the API server was asked, by user."""
    import json  # noqa: PLC0415 - see the module's head

    from sandbox import audit  # noqa: PLC0415 - see the module's head

    counts = audit.requests_since(None if since is None else audit.seconds_ago(since))
    if wants_json:
        click.echo(json.dumps(audit.as_json(counts), indent=2))
    elif detail:
        for request, count in counts.most_common():
            click.echo(f"{count:7} {request.user} {request.verb} {request.resource}")
    else:
        for user, count in audit.by_user(counts).most_common():
            click.echo(f"{count:7} {user}")
