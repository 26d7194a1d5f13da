"""Control groups of the sandbox, on version 1 and version 2 alike.

Everything lives below `/kamaji-sandbox`: pods where kubelet puts them, the detached servers in `servers`. So a
process of ours is known by its group, also after a crash that lost every record. On version 1 servers enter the
`pids` hierarchy alone: whatever limits the caller's session runs under stay in force for them.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

from sandbox.errors import SandboxError
from sandbox.places import NAME

NEEDED = frozenset({"cpu", "cpuset", "memory", "pids"})
_VERSION_1_NEEDED = NEEDED | {"cpuacct"}
_SERVERS = "servers"
_OPTIONS = frozenset({"rw", "ro", "xattr", "clone_children"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Hierarchy:
    """One mounted cgroup hierarchy.

    Args:
        mount: where it is mounted.
        controllers: what it controls.
    """

    mount: Path
    controllers: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cgroups:
    """The hierarchies of this machine that kubelet uses.

    Args:
        version: 1 or 2.
        hierarchies: all of version 1, or the single one of version 2.
    """

    version: int
    hierarchies: tuple[Hierarchy, ...]

    @property
    def controllers(self) -> frozenset[str]:
        """What all hierarchies together control."""
        return frozenset().union(*(hierarchy.controllers for hierarchy in self.hierarchies))

    def problem(self) -> str | None:
        """A sentence when pods cannot be limited here, else nothing."""
        if not self.hierarchies:
            return "no cgroups are mounted at /sys/fs/cgroup: mount cgroup2 there"
        missing = (NEEDED if self.version == 2 else _VERSION_1_NEEDED) - self.controllers  # noqa: PLR2004 - cgroup v2
        if missing:
            return f"the cgroup controllers {', '.join(sorted(missing))} are missing: enable them in the kernel"
        return None


def detect(root: Path = Path("/")) -> Cgroups:
    """Find out which cgroups this machine has.

    Args:
        root: of the tree that holds `proc` and `sys`; another one in tests.
    """
    mounts = [_mount(line) for line in (root / "proc/self/mountinfo").read_text().splitlines()]
    base = Path("/sys/fs/cgroup")
    if any(kind == "cgroup2" and point == base for point, kind, _ in mounts):
        controllers = (root / base.relative_to("/") / "cgroup.controllers").read_text().split()
        return Cgroups(version=2, hierarchies=(Hierarchy(mount=base, controllers=frozenset(controllers)),))
    # Named hierarchies (systemd's) and the second version beside the first count too: kubelet has a group in each.
    hierarchies = [
        Hierarchy(mount=point, controllers=options - _OPTIONS if kind == "cgroup" else frozenset())
        for point, kind, options in mounts
        if kind in {"cgroup", "cgroup2"} and base in point.parents
    ]
    return Cgroups(version=1, hierarchies=tuple(hierarchies))


def create(cgroups: Cgroups) -> None:
    """Make the sandbox's groups; harmless when they are there.

    Raises:
        SandboxError: when a controller cannot be handed down.
    """
    for hierarchy in cgroups.hierarchies:
        group = hierarchy.mount / NAME
        if cgroups.version == 1:
            group.mkdir(exist_ok=True)
            if "cpuset" in hierarchy.controllers:
                _copy_cpuset(hierarchy.mount, group)
        else:
            _delegate(hierarchy.mount)
            group.mkdir(exist_ok=True)
            _delegate(group)
    _servers_group(cgroups).mkdir(exist_ok=True)


def add_group(cgroups: Cgroups, name: str) -> None:
    """Make a group of the sandbox's own in every hierarchy, for one further machine's pods."""
    for hierarchy in cgroups.hierarchies:
        group = hierarchy.mount / NAME / name
        group.mkdir(exist_ok=True)
        if cgroups.version == 1 and "cpuset" in hierarchy.controllers:
            _copy_cpuset(group.parent, group)
        elif cgroups.version == 2:  # noqa: PLR2004 - cgroup v2
            _delegate(group)


def remove_group(cgroups: Cgroups, name: str) -> None:
    """Remove such a group, whose processes have ended."""
    for hierarchy in cgroups.hierarchies:
        _remove_tree(hierarchy.mount / NAME / name)


def add_server(cgroups: Cgroups, pid: int) -> None:
    """Put a process into the servers' group; nothing happens when it has ended."""
    with contextlib.suppress(ProcessLookupError):
        (_servers_group(cgroups) / "cgroup.procs").write_text(str(pid))


def is_below(membership: str, group: str = f"/{NAME}") -> bool:
    """Whether the content of a `/proc/PID/cgroup` names a group, or one below it, in any hierarchy.

    Args:
        membership: the content.
        group: its path; the sandbox's own unless given.
    """
    paths = (line.split(":", 2)[-1] for line in membership.splitlines())
    return any(path == group or path.startswith(f"{group}/") for path in paths)


def remove(cgroups: Cgroups) -> list[Path]:
    """Remove the sandbox's groups, innermost first; returns those that still hold processes."""
    return [path for hierarchy in cgroups.hierarchies for path in _remove_tree(hierarchy.mount / NAME)]


def _remove_tree(group: Path) -> list[Path]:
    busy: list[Path] = []
    inner = sorted((path for path in group.rglob("*") if path.is_dir()), key=lambda path: -len(path.parts))
    for path in (*inner, group):
        try:
            path.rmdir()
        except FileNotFoundError:
            continue
        except OSError:
            busy.append(path)
    return busy


def _servers_group(cgroups: Cgroups) -> Path:
    hierarchy = next(one for one in cgroups.hierarchies if "pids" in one.controllers)
    return hierarchy.mount / NAME / _SERVERS


def _copy_cpuset(parent: Path, group: Path) -> None:
    for name in ("cpuset.cpus", "cpuset.mems"):
        if not (group / name).read_text().strip():
            (group / name).write_text((parent / name).read_text())


def _delegate(group: Path) -> None:
    available = frozenset((group / "cgroup.controllers").read_text().split())
    wanted = (NEEDED | {"io", "hugetlb"}) & available
    enabled = frozenset((group / "cgroup.subtree_control").read_text().split())
    if wanted <= enabled:
        return
    try:
        (group / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in sorted(wanted - enabled)))
    except OSError as error:
        missing = ", ".join(sorted(wanted - enabled))
        raise SandboxError(
            f"the cgroup controllers {missing} cannot be enabled in {group}: {error.strerror}"
        ) from error


def _mount(line: str) -> tuple[Path, str, frozenset[str]]:
    """Mount point, file system and its own options of a line of `/proc/self/mountinfo`."""
    before, _, after = line.partition(" - ")
    kind, _, options = after.split(" ", 2)
    return Path(before.split(" ")[4]), kind, frozenset(options.split(","))
