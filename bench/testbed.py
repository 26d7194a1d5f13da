"""What every measurement stands on: the fleet, the operator, the observer and the meter, made and removed together.

Entering refuses politely where something would be disturbed; leaving removes whatever the fleet made anywhere, also
when the operator does not help with it, and also when the measurement was interrupted.
"""

from __future__ import annotations

import asyncio
import contextlib
import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench import packets, storage
from bench.errors import BenchError
from bench.identity import USER, write_kubeconfig
from bench.images import import_images
from bench.meter import Meter
from bench.observer import Observer
from bench.operator import SERVER, Operator, server
from bench.preparation import (
    clean,
    ensure_free,
    install,
    missing_definitions,
    remove_definitions,
    wait_for_store,
)
from bench.requests import AuditTail
from bench.silence import silent_store
from kamaji_core.kube import KubeClient, config_from_kubeconfig
from kamaji_core.pki import KeyPair
from sandbox import places, processes
from sandbox.errors import SandboxError
from sandbox.material import Material
from sandbox.status import status

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from bench.fleet import Fleet

SERVERS = ("kube-apiserver", "etcd", "etcd-tenants", "kube-controller-manager", "kubelet", "containerd")
"""Servers of the sandbox whose CPU time is told."""

KUBECONFIG = places.STATE / "bench" / "operator.kubeconfig"
"""The operator's own, for as long as a testbed is there."""

_CLEANING_LIMIT = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What is measured and how.

    Args:
        fleet: the tenants.
        command: the operator's command line.
        health: the URL that answers 200 as soon as it works.
        widths: how many control planes of the floor boot at a time, tried one after the other; 0 is all at once.
        limit: seconds that the fleet may take to become Ready, or to be gone.
        idle_seconds: how long an idle operator is watched.
        silent_store: whether a store that never answers stands beside the fleet's, with tenants that want it.
    """

    fleet: Fleet
    command: str
    health: str
    widths: tuple[int, ...] = (0,)
    limit: float
    idle_seconds: float = 180.0
    silent_store: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Testbed:
    """Everything that a measurement works with.

    Args:
        options: what is measured and how.
        client: of the management cluster, as its administrator.
        operator: the operator, running.
        observer: the fleet as watches show it.
        meter: what time costs.
        store: the fleet's store, by its own client.
        store_before: what was there before the fleet.
        say: takes a line of progress.
    """

    options: Options
    client: KubeClient
    operator: Operator
    observer: Observer
    meter: Meter
    store: storage.StoreClient
    store_before: storage.StoreContent
    say: Callable[[str], None] = field(repr=False)

    def operator_with(self, *arguments: str, kubeconfig: Path | None = None) -> Operator:
        """Give the same operator with further arguments; it takes the place of the other, which must have ended.

        Args:
            arguments: come behind those of its command line.
            kubeconfig: what `KUBECONFIG` names for it; its own unless given.
        """
        command = shlex.join([*shlex.split(self.options.command), *arguments])
        return Operator(server(command, self.options.health, kubeconfig or KUBECONFIG))


@contextlib.asynccontextmanager
async def testbed(options: Options, say: Callable[[str], None]) -> AsyncIterator[Testbed]:
    """Make everything, give it and remove it.

    Args:
        options: what is measured and how.
        say: takes a line of progress.

    Raises:
        BenchError: when tenants exist, when the store is not there, or when the operator does not come to work.
        SandboxError: when the sandbox is not up.
    """
    store = storage.client_of(options.fleet.datastore)
    description = server(options.command, options.health, KUBECONFIG)
    async with contextlib.AsyncExitStack() as stack:
        client = await stack.enter_async_context(await administrator())
        ensure_no_operator()
        await ensure_free(client)
        await asyncio.to_thread(import_images, options.fleet.version, say)
        store_before = await asyncio.to_thread(store.content)
        operator = Operator(description)
        stack.push_async_callback(remove_definitions, client, await missing_definitions(client))
        stack.push_async_callback(remove_all, client, operator, say)
        await install(client, options.fleet)
        stack.callback(KUBECONFIG.unlink, missing_ok=True)
        _issue_kubeconfig(KUBECONFIG)
        observer = await stack.enter_async_context(Observer(client))
        tail = stack.enter_context(AuditTail(places.AUDIT_LOG, USER))
        meter = await stack.enter_async_context(Meter(lambda: operator.pid, _servers(), tail))
        say(f"Starting the operator: {options.command}")
        await operator.start()
        await wait_for_store(client, say)
        if options.silent_store:
            await stack.enter_async_context(silent_store(client, options.fleet))
        yield Testbed(
            options=options,
            client=client,
            operator=operator,
            observer=observer,
            meter=meter,
            store=store,
            store_before=store_before,
            say=say,
        )


async def remove_all(client: KubeClient, operator: Operator, say: Callable[[str], None]) -> None:
    """End the operator and remove everything that a fleet has anywhere.

    Raises:
        BenchError: when something does not go in time.
    """
    say("Cleaning up.")
    try:
        async with asyncio.timeout(_CLEANING_LIMIT):
            await operator.stop()
            await asyncio.to_thread(packets.remove)
            await clean(client)
    except TimeoutError as error:
        raise BenchError(f"cleaning up takes more than {_CLEANING_LIMIT:.0f} s: try `python -m bench clean`") from error


async def administrator() -> KubeClient:
    """A client of the management cluster as its administrator; the caller closes it.

    Raises:
        SandboxError: when the sandbox is not up or not well.
    """
    unwell = [one for one in await asyncio.to_thread(status) if not one.well]
    if unwell:
        raise SandboxError(f"{unwell[0].name} is not well: {unwell[0].why}; run `make sandbox-up`")
    config = config_from_kubeconfig(await asyncio.to_thread(places.KUBECONFIG.read_bytes))
    return KubeClient(config, user_agent="bench/1")


def ensure_no_operator() -> None:
    """Make sure that the sandbox runs no operator: two would work on the same tenants.

    Raises:
        BenchError: when one runs.
    """
    for name in ("operator", SERVER):
        record = processes.recorded(name)
        if record is not None and record.is_alive:
            raise BenchError(f"an operator runs in the sandbox already: end it with `kill {record.pid}`")


def _issue_kubeconfig(path: Path) -> None:
    material = Material(directory=places.PKI)
    ca = material.tls("cluster").certificate.read_bytes()
    write_kubeconfig(path, ca=KeyPair(certificate=ca, key=material.ca_key.read_bytes()))


def _servers() -> dict[str, int]:
    records = {name: processes.recorded(name) for name in SERVERS}
    return {name: record.pid for name, record in records.items() if record is not None and record.is_alive}
