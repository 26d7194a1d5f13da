"""The operator that is measured: any command that serves a health address, run in the sandbox as in a pod.

It is started through `sandbox exec`, whose process it takes over, so the process that is recorded is the operator
itself; the tenth of a second that entering takes is part of the time until it works.
"""

from __future__ import annotations

import asyncio
import shlex
import sys
import time
from typing import TYPE_CHECKING

from bench.errors import BenchError
from kamaji_core.testing import HttpReadiness, Server
from kamaji_core.testing.server import log_tail
from sandbox import cgroups, processes
from sandbox.places import LOGS, NODE_ADDRESS

if TYPE_CHECKING:
    from pathlib import Path

HEALTH_PORT = 18081
DEFAULT_COMMAND = f"kamaji manager --health-probe-bind-address=:{HEALTH_PORT}"
DEFAULT_HEALTH = f"http://{NODE_ADDRESS}:{HEALTH_PORT}/readyz"
SERVER = "bench-operator"
LOG = LOGS / f"{SERVER}.log"
_POLL = 0.02


def server(command: str, health: str, kubeconfig: Path) -> Server:
    """Describe it.

    Args:
        command: its command line, in a shell's quoting; no shell is involved.
        health: the URL that answers 200 as soon as it works.
        kubeconfig: what `KUBECONFIG` names for it.

    Raises:
        BenchError: when the command cannot be understood.
    """
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise BenchError(f"the operator's command line {command!r} is not quoted well: {error}") from error
    if not words:
        raise BenchError("the operator's command line is empty: say what to run")
    inside = (sys.executable, "-m", "sandbox", "exec", "--", "env", f"KUBECONFIG={kubeconfig}")
    return Server(
        name=SERVER,
        argv=(*inside, *words),
        log=LOG,
        readiness=HttpReadiness(url=health),
        start_limit=60.0,
        stop_grace=30.0,
    )


class Operator:
    """The operator's process; one at a time.

    Args:
        description: how it is run.
    """

    def __init__(self, description: Server) -> None:
        self._server = description

    @property
    def pid(self) -> int | None:
        """Its process id; None while it does not run."""
        record = processes.recorded(SERVER)
        return record.pid if record is not None and record.is_alive else None

    async def start(self) -> float:
        """Start it and wait until it works; tells how many seconds that took.

        Raises:
            BenchError: when it does not come to work.
        """
        began = time.monotonic()
        record = processes.launch(self._server, cgroups.detect(), enters=False)
        while (problem := await asyncio.to_thread(self._server.readiness.problem)) is not None:
            if not record.is_alive or time.monotonic() > began + self._server.start_limit:
                raise BenchError(f"the operator does not work: {problem}; its log {LOG} ends:\n{log_tail(LOG)}")
            await asyncio.sleep(_POLL)
        return time.monotonic() - began

    async def stop(self) -> float:
        """End it and wait for that; tells how many seconds that took."""
        began = time.monotonic()
        record = processes.recorded(SERVER)
        if record is not None:
            await asyncio.to_thread(processes.end, record, self._server.stop_grace)
        return time.monotonic() - began
