"""Which cgroups a machine has, told from trees like those of real machines."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox import cgroups
from sandbox.cgroups import Cgroups, Hierarchy

CONTROLLERS = ("cpu", "cpuacct", "cpuset", "memory", "devices", "pids")
V1_LINES = [
    "20 1 0:20 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755",
    *(f"3{n} 20 0:3{n} / /sys/fs/cgroup/{name} rw - cgroup cgroup rw,{name}" for n, name in enumerate(CONTROLLERS)),
    "40 20 0:40 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd",
]
HYBRID_LINE = "41 20 0:41 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw"
V2_LINE = "20 1 0:20 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate"


def tree(root: Path, lines: list[str], controllers: str = "") -> Path:
    """A file tree with these mounts and, for version 2, these controllers."""
    (root / "proc/self").mkdir(parents=True)
    every = ["1 0 8:1 / / rw - ext4 /dev/vda rw", *lines]
    (root / "proc/self/mountinfo").write_text("".join(f"{line}\n" for line in every))
    (root / "sys/fs/cgroup").mkdir(parents=True)
    (root / "sys/fs/cgroup/cgroup.controllers").write_text(controllers)
    return root


def version_1(tmp_path: Path) -> Cgroups:
    """Version 1 hierarchies in a temporary directory that behaves like plain files."""
    hierarchies = []
    for name in ("cpuset", "memory", "pids"):
        mount = tmp_path / name
        mount.mkdir()
        hierarchies.append(Hierarchy(mount=mount, controllers=frozenset({name})))
    (tmp_path / "cpuset/cpuset.cpus").write_text("0-1\n")
    (tmp_path / "cpuset/cpuset.mems").write_text("0\n")
    return Cgroups(version=1, hierarchies=tuple(hierarchies))


def test_version_1_is_found(tmp_path: Path) -> None:
    """Each controller has its hierarchy, and a complete set is no problem."""
    found = cgroups.detect(tree(tmp_path, V1_LINES))
    assert found.version == 1
    assert set(CONTROLLERS) <= found.controllers
    assert found.problem() is None


def test_a_named_hierarchy_counts(tmp_path: Path) -> None:
    """Kubelet wants its group in systemd's hierarchy too."""
    assert Path("/sys/fs/cgroup/systemd") in {one.mount for one in cgroups.detect(tree(tmp_path, V1_LINES)).hierarchies}


def test_the_second_version_beside_the_first_counts_without_controllers(tmp_path: Path) -> None:
    """On a hybrid machine version 1 is used, and kubelet's group in version 2 is known for its removal."""
    found = cgroups.detect(tree(tmp_path, [*V1_LINES, HYBRID_LINE]))
    assert found.version == 1
    assert Hierarchy(mount=Path("/sys/fs/cgroup/unified"), controllers=frozenset()) in found.hierarchies


def test_version_2_is_found(tmp_path: Path) -> None:
    """One hierarchy with the controllers that the kernel names."""
    found = cgroups.detect(tree(tmp_path, [V2_LINE], "cpuset cpu io memory pids"))
    assert found.version == 2
    assert found.problem() is None


def test_a_missing_controller_is_named() -> None:
    """The sentence says which one and what to do."""
    found = Cgroups(version=2, hierarchies=(Hierarchy(mount=Path("/x"), controllers=frozenset({"cpu", "cpuset"})),))
    assert found.problem() == "the cgroup controllers memory, pids are missing: enable them in the kernel"


def test_no_cgroups_at_all_is_said(tmp_path: Path) -> None:
    """A machine without cgroups is told to mount them."""
    problem = cgroups.detect(tree(tmp_path, [])).problem()
    assert problem is not None
    assert "mount cgroup2" in problem


@pytest.mark.parametrize(
    ("membership", "ours"),
    [
        ("8:pids:/kamaji-sandbox/servers\n4:memory:/user\n", True),
        ("4:memory:/kamaji-sandbox/kubepods/pod1/c1\n", True),
        ("0::/kamaji-sandbox\n", True),
        ("0::/kamaji-sandbox-of-someone\n", False),
        ("0::/user.slice/kamaji-sandbox\n", False),
        ("", False),
    ],
)
def test_a_process_of_ours_is_known_by_its_group(membership: str, *, ours: bool) -> None:
    """Only the group at the root with exactly our name is ours."""
    assert cgroups.is_below(membership) is ours


def test_groups_are_made_once_and_removed(tmp_path: Path) -> None:
    """Making them twice is harmless, and nothing of them stays after removal."""
    groups = version_1(tmp_path)
    group = tmp_path / "cpuset/kamaji-sandbox"
    group.mkdir()
    for name in ("cpuset.cpus", "cpuset.mems"):
        (group / name).write_text("\n")  # a real hierarchy makes these files with the group
    cgroups.create(groups)
    cgroups.create(groups)
    assert (group / "cpuset.cpus").read_text() == "0-1\n"
    assert (tmp_path / "pids/kamaji-sandbox/servers").is_dir()
    for name in ("cpuset.cpus", "cpuset.mems"):
        (group / name).unlink()
    assert cgroups.remove(groups) == []
    assert not any(tmp_path.rglob("kamaji-sandbox"))
    assert cgroups.remove(groups) == []


def test_a_busy_group_is_named(tmp_path: Path) -> None:
    """What cannot be removed is returned, so that the caller can try again."""
    groups = version_1(tmp_path)
    busy = tmp_path / "memory/kamaji-sandbox"
    busy.mkdir()
    (busy / "occupied").touch()
    assert cgroups.remove(groups) == [busy]


def test_version_2_hands_its_controllers_down(tmp_path: Path) -> None:
    """The missing ones are enabled at the root."""
    (tmp_path / "cgroup.controllers").write_text("cpuset cpu io memory hugetlb pids rdma")
    (tmp_path / "cgroup.subtree_control").write_text("cpu memory")
    cgroups._delegate(tmp_path)
    assert (tmp_path / "cgroup.subtree_control").read_text() == "+cpuset +hugetlb +io +pids"
