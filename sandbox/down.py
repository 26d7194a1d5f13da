"""Taking the sandbox down: nothing of it stays but the cache.

It does not matter what state it is in: processes are found by their cgroup and namespaces, mounts go with their
namespace, and every step is harmless when there is nothing to do.
"""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox import cgroups, host, namespaces, processes
from sandbox.errors import SandboxError, run
from sandbox.exclusive import exclusive
from sandbox.places import RUN, STATE

if TYPE_CHECKING:
    from collections.abc import Callable

_CGROUP_LIMIT = 10.0


def down(say: Callable[[str], None]) -> None:
    """End and remove everything that `up` made.

    Raises:
        SandboxError: when a process does not die or a mount stays; running it again goes on from there.
    """
    if os.geteuid() != 0:
        raise SandboxError("the sandbox belongs to root: run this as root")
    started = time.monotonic()
    with exclusive(say):
        if alive := processes.end_all():
            raise SandboxError(f"the processes {', '.join(map(str, alive))} do not die: look at `ps` and try again")
        namespaces.drop()
        _remove_cgroups()
        namespaces.wait_until_gone()
        host.restore()
        _detach(STATE, RUN)
        for directory in (STATE, RUN):  # RUN last: it is what other commands wait for
            if directory.exists():
                shutil.rmtree(directory)
    say(f"The sandbox is down after {time.monotonic() - started:.1f} s.")


def _remove_cgroups() -> None:
    groups = cgroups.detect()
    deadline = time.monotonic() + _CGROUP_LIMIT
    while busy := cgroups.remove(groups):
        if time.monotonic() > deadline:
            raise SandboxError(f"the cgroup {busy[0]} is in use: end the processes in it and try again")
        time.sleep(0.05)


def _detach(*directories: Path) -> None:
    """Take mounts off directories that are about to be deleted, so that nobody's files go with them."""
    for point in reversed(_mounts_below(directories)):
        run(["umount", "--lazy", point], limit=20)
    if mounted := _mounts_below(directories):
        raise SandboxError(f"{mounted[0]} is still mounted: run `umount {mounted[0]}` and try again")


def _mounts_below(directories: tuple[Path, ...]) -> list[Path]:
    points = [Path(line.split(" ")[4]) for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return [point for point in points if any(point.is_relative_to(directory) for directory in directories)]
