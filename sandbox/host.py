"""Whether this machine can run the sandbox, and the settings of its kernel that the sandbox changes.

Each obstacle is one sentence that says what to do; all are looked for at once, so that nobody meets them one by one.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from sandbox import cgroups, namespaces
from sandbox.debian import missing_tools
from sandbox.places import STATE

GIB = 2**30
STATE_SPACE = 3 * GIB
MEMORY = 2 * GIB
INOTIFY_INSTANCES = 8192
"""Kubelet, containerd and every control plane in a pod watch files; Linux' default of 128 ends after a few tenants."""

_INOTIFY = "fs/inotify/max_user_instances"
_SET_BY_KUBELET = (
    "kernel/keys/root_maxbytes",
    "kernel/keys/root_maxkeys",
    "kernel/panic",
    "kernel/panic_on_oops",
    "vm/overcommit_memory",
    "vm/panic_on_oom",
)
_FILE_SYSTEMS = ("overlay",)
_TRACKED = "net/netfilter/nf_conntrack_max"
_TRACKED_PER_CORE = 32768
_TRACKED_AT_LEAST = 131072
"""kube-proxy's own defaults."""


def problems(groups: cgroups.Cgroups) -> list[str]:
    """What keeps the sandbox from working here, a sentence each; empty when nothing does."""
    if os.geteuid() != 0:
        return ["the sandbox makes network namespaces and cgroups: run this as root"]
    if missing := missing_tools():
        return [f"the Debian packages {', '.join(missing)} are missing: run `make programs`"]
    found = [_space_problem(), _memory_problem(), groups.problem(), *map(_file_system_problem, _FILE_SYSTEMS)]
    if occupied := namespaces.occupied_ranges():
        found.append(f"the machine already routes addresses of the sandbox: remove {', '.join(occupied)}")
    return [problem for problem in found if problem]


def prepare() -> list[str]:
    """Raise the inotify limit when it is low, and remember what kubelet will set; returns what was changed."""
    for name in _SET_BY_KUBELET:
        _remember(name)
    present = int(_sysctl(_INOTIFY).read_text())
    if present >= INOTIFY_INSTANCES:
        return []
    _remember(_INOTIFY)
    _sysctl(_INOTIFY).write_text(str(INOTIFY_INSTANCES))
    return [f"fs.inotify.max_user_instances is raised from {present} to {INOTIFY_INSTANCES} until `down`"]


def prepare_for_machines() -> None:
    """Set the connection tracking's size to what kube-proxy will ask for.

    It is one size for the whole kernel that cannot be set from a network namespace, where kube-proxy would end of that.
    """
    wanted = max(_TRACKED_PER_CORE * (os.cpu_count() or 1), _TRACKED_AT_LEAST)
    if int(_sysctl(_TRACKED).read_text()) != wanted:
        _remember(_TRACKED)
        _sysctl(_TRACKED).write_text(str(wanted))


def restore() -> None:
    """Put back what `prepare` remembered and remove the directories that were made outside of the sandbox's own."""
    changes = namespaces.remembered_changes()
    for name, old in changes.get("sysctl", {}).items():
        if _sysctl(name).read_text().strip() != old:
            _sysctl(name).write_text(old)
    for directory in sorted(changes.get("directory", {}), key=len, reverse=True):
        path = Path(directory)
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()


def _remember(name: str) -> None:
    if _sysctl(name).exists():
        namespaces.remember_change("sysctl", name, _sysctl(name).read_text().strip())


def _sysctl(name: str) -> Path:
    return Path("/proc/sys") / name


def _space_problem() -> str | None:
    existing = next(path for path in (STATE, *STATE.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    if free >= STATE_SPACE:
        return None
    return f"{existing} has {free / GIB:.1f} GiB left and the sandbox needs {STATE_SPACE / GIB:.0f}: make room there"


def _memory_problem() -> str | None:
    for line in Path("/proc/meminfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            available = int(value.split()[0]) * 1024
            if available < MEMORY:
                return f"{available / GIB:.1f} GiB of memory are available and {MEMORY / GIB:.0f} are needed: free some"
    return None


def _file_system_problem(name: str) -> str | None:
    if any(line.split()[-1] == name for line in Path("/proc/filesystems").read_text().splitlines()):
        return None
    return f"the kernel has no {name} file system: run `modprobe {name}`"
