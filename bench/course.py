"""Which measurements make up a command, and in which order they are made on one fleet.

Each begins from what the one before it leaves: a fleet that is Ready and an operator that runs. What a measurement
needs is measured too, since it costs nothing more, and so a fleet that never became Ready is seen in the table.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from bench.change import change
from bench.create import create
from bench.delete import delete
from bench.floor import floor
from bench.idle import idle
from bench.restart import restart
from bench.testbed import testbed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from bench.meter import Sample
    from bench.results import Result
    from bench.testbed import Options, Testbed

MEASUREMENTS: dict[str, Callable[[Testbed], Awaitable[Result]]] = {
    "create": create,
    "idle": idle,
    "restart": restart,
    "change": change,
    "floor": floor,
    "delete": delete,
}
"""In the order in which they are made."""

NEED_ALL_READY = frozenset({"idle", "restart", "change"})
"""Measurements that mean nothing on a fleet that did not become Ready."""


def course(command: str) -> list[str]:
    """The measurements of a command, in their order.

    Args:
        command: the name of a measurement, or `all`.
    """
    return [name for name in MEASUREMENTS if command in {name, "all"} or name == "create"]


class Records:
    """What was measured so far; filled while it is measured, so that an interrupt loses only what was under way."""

    def __init__(self) -> None:
        self.runs: list[list[Result]] = []
        self.samples: list[list[Sample]] = []


@contextlib.asynccontextmanager
async def recorded(options: Options, records: Records, say: Callable[[str], None]) -> AsyncIterator[Testbed]:
    """Give a testbed whose samples are recorded, and begin a run for what is measured on it.

    Raises:
        BenchError: when there cannot be one.
        SandboxError: when the sandbox is not up.
    """
    async with testbed(options, say) as bed:
        records.runs.append([])
        records.samples.append(bed.meter.samples)
        yield bed


async def measure(command: str, options: Options, runs: int, records: Records, say: Callable[[str], None]) -> None:
    """Make the measurements of a command, each run on a fleet of its own.

    Args:
        command: the name of a measurement, or `all`.
        options: what is measured and how.
        runs: how many times.
        records: takes what was measured.
        say: takes a line of progress.

    Raises:
        BenchError: when it cannot be measured.
        SandboxError: when the sandbox is not up.
    """
    for number in range(1, runs + 1):
        if runs > 1:
            say(f"Run {number} of {runs}")
        async with recorded(options, records, say) as bed:
            await _run(course(command), bed, records.runs[-1])


async def _run(names: list[str], bed: Testbed, results: list[Result]) -> None:
    all_ready = True
    for name in names:
        if name in NEED_ALL_READY and not all_ready:
            bed.say(f"Not all tenants became Ready: {name} is left out.")
            continue
        result = await MEASUREMENTS[name](bed)
        results.append(result)
        if name == "create":
            all_ready = len(bed.options.fleet.names) == getattr(result, "ready", 0)
