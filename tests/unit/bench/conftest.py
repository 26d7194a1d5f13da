"""Windows and samples as a meter would give them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import structlog

from bench.consumption import Consumption, MachineLoad
from bench.meter import Sample, Window
from bench.requests import RequestCounts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    """The commands decide what is logged in their process, which here is that of all tests."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)


@pytest.fixture
def sample() -> Callable[..., Sample]:
    """Make a sample at a moment, with so much CPU time spent by the operator."""

    def make(at: float, cpu: float = 0.0, *, resident: int = 2**20, pid: int | None = 7, busy: float = 0.0) -> Sample:
        return Sample(
            at=at,
            operator=None
            if pid is None
            else Consumption(pid=pid, cpu_seconds=cpu, resident_bytes=resident, threads=4, connections=9),
            operator_cpu_seconds=cpu,
            servers={"kube-apiserver": at / 2},
            machine=MachineLoad(busy_seconds=busy, total_seconds=at * 2, available_bytes=1000 - int(at)),
            own_cpu_seconds=at / 10,
        )

    return make


@pytest.fixture
def asked() -> RequestCounts:
    """Some requests of an operator."""
    kinds = {"create secrets": 11, "patch tenantcontrolplanes/status": 4, "watch secrets": 1}
    return RequestCounts(requests=16, writes=15, conflicts=2, kinds=kinds)


@pytest.fixture
def cost(asked: RequestCounts) -> Window:
    """What ten seconds cost."""
    return Window(
        seconds=10.0,
        operator_cpu_seconds=0.5,
        operator_resident_bytes=80 * 2**20,
        operator_resident_peak_bytes=90 * 2**20,
        operator_threads=12,
        operator_connections=7,
        operator_connections_peak=17,
        asked=asked,
        server_cpu_seconds={"kube-apiserver": 1.5},
        machine_busy=0.25,
        machine_available_bytes=2**30,
        own_cpu_seconds=0.1,
    )
