"""The operator as a process of the sandbox: inside its network with the cluster's DNS, as in a pod.

It is restarted at every start, so that what runs is the code of this tree.
"""

from __future__ import annotations

import sys
import time

from kamaji_core.testing import HttpReadiness, Server
from kamaji_core.testing.server import log_tail
from sandbox import cgroups, processes
from sandbox.errors import SandboxError, require_up
from sandbox.places import LOGS, NODE_ADDRESS

HEALTH_PORT = 18081
METRICS_PORT = 18080
_POLL = 0.02


def operator(*arguments: str) -> Server:
    """Describe it.

    Args:
        arguments: further ones of `kamaji manager`.
    """
    addresses = (f"--health-probe-bind-address=:{HEALTH_PORT}", f"--metrics-bind-address=:{METRICS_PORT}")
    manager = (sys.executable, "-m", "kamaji_core", "manager", *addresses)
    return Server(
        name="operator",
        argv=(sys.executable, "-m", "sandbox", "exec", "--", *manager, *arguments),
        log=LOGS / "operator.log",
        readiness=HttpReadiness(url=f"http://{NODE_ADDRESS}:{HEALTH_PORT}/readyz"),
        start_limit=30.0,
        stop_grace=15.0,
    )


def start(*arguments: str) -> None:
    """Start it and wait until it works; one that runs already is ended first.

    Raises:
        SandboxError: when it does not come to work.
    """
    require_up()
    server = operator(*arguments)
    stop()
    record = processes.launch(server, cgroups.detect(), enters=False)
    deadline = time.monotonic() + server.start_limit
    while (problem := server.readiness.problem()) is not None:
        if not record.is_alive or time.monotonic() > deadline:
            raise SandboxError(
                f"the operator does not work: {problem}; its log {server.log} ends:\n{log_tail(server.log)}"
            )
        time.sleep(_POLL)


def stop() -> None:
    """End it and wait for that; nothing happens when it does not run."""
    record = processes.recorded("operator")
    if record is not None:
        processes.end(record, operator().stop_grace)
