# ruff: noqa: S607 - ip, nft, sleep and python are where the machine has them
"""Taking the sandbox down leaves nothing, in whatever state it was."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sandbox.places import BORROWED_DIRECTORIES, RUN, STATE
from sandbox.processes import owned

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import SandboxCommand

pytestmark = pytest.mark.root

SYSCTLS = ("fs/inotify/max_user_instances", "kernel/panic", "kernel/panic_on_oops", "vm/overcommit_memory")
PODS = ["run", "left", "--image=kamaji.sandbox/busybox:1", "--restart=Never", "--command", "--", "sleep", "3600"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What of the machine the sandbox could leave traces in."""

    processes: frozenset[int]
    mounts: tuple[str, ...]
    links: tuple[str, ...]
    routes: tuple[str, ...]
    tables: str
    groups: tuple[str, ...]
    namespaces: frozenset[str]
    directories: tuple[str, ...]
    settings: tuple[str, ...]
    shared_memory: tuple[str, ...]


def look() -> Machine:
    """The machine as it is."""
    links = json.loads(subprocess.check_output(["ip", "-json", "link"], text=True))
    routes = json.loads(subprocess.check_output(["ip", "-json", "route"], text=True))
    places = (*BORROWED_DIRECTORIES, RUN, STATE, Path("/run/netns"), Path("/opt/containerd"), Path("/opt/cni"))
    return Machine(
        processes=frozenset(owned()),
        mounts=tuple(line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()),
        links=tuple(sorted(link["ifname"] for link in links)),
        routes=tuple(sorted(route["dst"] for route in routes)),
        tables=subprocess.check_output(["nft", "list", "tables"], text=True),
        groups=tuple(str(path) for path in Path("/sys/fs/cgroup").glob("**/kamaji-sandbox*")),
        namespaces=frozenset(network_namespaces()),
        directories=tuple(str(path) for path in places if path.exists()),
        settings=tuple((Path("/proc/sys") / name).read_text() for name in SYSCTLS),
        shared_memory=(*segments(), *(path.name for path in Path("/dev/shm").iterdir())),  # noqa: S108 - it is looked at
    )


def segments() -> Iterator[str]:
    """Keys of System V shared memory, which outlives its processes."""
    for line in Path("/proc/sysvipc/shm").read_text().splitlines()[1:]:
        yield line.split()[0]


def network_namespaces() -> Iterator[str]:
    """Network namespaces that a process is in."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                yield (entry / "ns/net").readlink().name
            except OSError:
                continue


def differences(before: Machine, after: Machine) -> dict[str, object]:
    """What is not as it was; empty when all is."""
    pairs = {field.name: (getattr(before, field.name), getattr(after, field.name)) for field in fields(Machine)}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


@pytest.fixture(scope="module")
def ours(sandbox: SandboxCommand) -> Iterator[SandboxCommand]:
    """The sandbox, of which nobody else makes use; afterwards it is up again for the tests that follow."""
    if sandbox.was_up:
        pytest.skip("the sandbox was up before the tests: taking it down would end what somebody works with")
    yield sandbox
    sandbox.run("up")


@pytest.fixture
def clean(ours: SandboxCommand) -> Machine:
    """The machine without the sandbox."""
    ours.run("down")
    return look()


def test_nothing_is_left_of_a_cluster_with_pods(sandbox: SandboxCommand, clean: Machine) -> None:
    """Processes, mounts, links, routes, tables, groups, namespaces, directories, settings, memory: all as before."""
    sandbox.run("up", "--datastore", "postgres")
    sandbox.kubectl(*PODS)
    sandbox.kubectl("wait", "pod/left", "--for=condition=Ready", "--timeout=60s")
    assert differences(clean, look())
    sandbox.run("down")
    assert differences(clean, look()) == {}


def test_nothing_is_left_after_a_crash_while_coming_up(sandbox: SandboxCommand, clean: Machine) -> None:
    """`up` killed at any point, its servers running or half started, is cleaned up."""
    argv = [sys.executable, "-m", "sandbox", "up"]
    for lines in (0, 1, 3):
        with subprocess.Popen(argv, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2], text=True) as process:
            assert process.stdout is not None
            for _ in range(lines):
                process.stdout.readline()
            process.kill()
        sandbox.run("down")
        assert differences(clean, look()) == {}


def test_up_goes_on_after_a_crash(sandbox: SandboxCommand, clean: Machine) -> None:
    """`up` killed in the middle is repeated and comes to its end."""
    with subprocess.Popen(
        [sys.executable, "-m", "sandbox", "up"], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2], text=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.kill()
    sandbox.run("up")
    assert sandbox.run("status").returncode == 0


def test_a_command_inside_ends_with_the_sandbox(sandbox: SandboxCommand, clean: Machine) -> None:
    """What was started with `exec` does not keep the network namespace alive."""
    sandbox.run("up")
    argv = [sys.executable, "-m", "sandbox", "exec", "--", "sh", "-c", "echo; exec sleep 3600"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]) as process:
        assert process.stdout is not None
        process.stdout.readline()
        sandbox.run("down")
        assert process.wait(10) == -signal.SIGKILL
    assert differences(clean, look()) == {}


def test_down_twice_is_harmless(sandbox: SandboxCommand, clean: Machine) -> None:
    """With nothing up there is nothing to do."""
    sandbox.run("down")
    assert differences(clean, look()) == {}


def test_a_stranger_survives(sandbox: SandboxCommand, clean: Machine) -> None:
    """A process and a directory that only look like ours are left alone."""
    own = Path("/run/containerd")
    existed = own.exists()
    own.mkdir(exist_ok=True)
    try:
        sandbox.run("up")
        with subprocess.Popen(["sleep", "600"], env={**os.environ, "HOSTNAME": "kamaji-sandbox"}) as process:
            sandbox.run("down")
            assert process.poll() is None
            process.kill()
        assert own.is_dir()
        assert not any(own.iterdir())
    finally:
        if not existed:
            own.rmdir()
