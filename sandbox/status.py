"""How each server of the sandbox is: a line per server, with the reason and its log."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from kamaji_core.testing import ProgramMissingError
from sandbox import namespaces, postgres, processes
from sandbox.api import Api
from sandbox.debian import container_runtime
from sandbox.errors import NotUpError, SandboxError
from sandbox.material import Material
from sandbox.places import LOGS, NAME, PKI
from sandbox.servers import all_servers
from sandbox.up import is_node_ready

if TYPE_CHECKING:
    from kamaji_core.testing import Server


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerStatus:
    """One server.

    Args:
        name: of the server, or `node`.
        well: whether it serves.
        why: a sentence when it does not.
        pid: process id while it runs.
        log: path of its log.
    """

    name: str
    well: bool
    why: str
    pid: int | None
    log: str


def status() -> list[ServerStatus]:
    """Look at every server at the same time, within a few seconds.

    Raises:
        SandboxError: when the sandbox is not up at all.
    """
    if not namespaces.exist() or not (PKI / "complete").exists():
        raise NotUpError
    material = Material(directory=PKI)
    try:
        servers = list(all_servers(container_runtime(), material, postgres=postgres.is_wanted()).values())
    except ProgramMissingError as error:
        raise SandboxError(str(error)) from error
    with ThreadPoolExecutor(len(servers) + 1) as threads:
        node = threads.submit(_node, material)
        return [*threads.map(_server, servers), node.result()]


def as_json(statuses: list[ServerStatus]) -> dict[str, Any]:
    """The same for programs: `well` for the whole, `servers` for each."""
    return {"well": all(one.well for one in statuses), "servers": [asdict(one) for one in statuses]}


def _server(server: Server) -> ServerStatus:
    record = processes.recorded(server.name)
    alive = record is not None and record.is_alive
    if record is None:
        why: str | None = "it was never started: run `make sandbox-up`"
    elif not alive:
        why = "its process has ended: run `make sandbox-up` to start it again"
    else:
        why = server.readiness.problem()
    pid = record.pid if record is not None and alive else None
    return ServerStatus(name=server.name, well=why is None, why=why or "", pid=pid, log=str(server.log))


def _node(material: Material) -> ServerStatus:
    well = is_node_ready(Api(material.tls("administrator")))
    why = "" if well else f"the node {NAME} is not Ready: run `kubectl describe node {NAME}`"
    return ServerStatus(name="node", well=well, why=why, pid=None, log=str(LOGS / "kubelet.log"))
