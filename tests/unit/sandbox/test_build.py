"""Which programs are built, where they go and how the cache is keyed."""

from __future__ import annotations

import fcntl
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from sandbox import build
from sandbox.build import FAMILIES, Family, build_programs, link_programs
from sandbox.errors import SandboxError
from sandbox.golang import needed_version, version_tuple

if TYPE_CHECKING:
    from pathlib import Path

KUBERNETES = next(family for family in FAMILIES if family.name == "kubernetes")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "kamaji-sandbox"


def finish_all() -> None:
    """Put something executable where every program should be."""
    for family in FAMILIES:
        family.directory.mkdir(parents=True, exist_ok=True)
        for name in family.packages:
            (family.directory / name).touch(mode=0o755)


def test_versions_come_from_the_pins() -> None:
    """No version stands twice: go.mod says it."""
    assert all(family.version.startswith("v") for family in FAMILIES)
    assert build.kubernetes_version() == KUBERNETES.version


def test_kubernetes_knows_its_version() -> None:
    """Without these stamps kubeadm cannot read what it talks to."""
    major, minor, _ = KUBERNETES.version.removeprefix("v").split(".")
    flags = KUBERNETES.linker_flags
    assert flags.startswith("-s -w ")
    assert f"-X k8s.io/component-base/version.gitVersion={KUBERNETES.version}" in flags
    assert f"version.gitMajor={major}" in flags
    assert f"version.gitMinor={minor}" in flags


def test_every_pinned_tool_is_built() -> None:
    """What a go.mod pins with `tool` is exactly what its family builds."""
    for family in FAMILIES:
        lines = [line.strip() for line in (family.source / "go.mod").read_text().splitlines()]
        single = [line.removeprefix("tool ") for line in lines if line.startswith("tool ") and line != "tool ("]
        start = lines.index("tool (") if "tool (" in lines else None
        block = [] if start is None else lines[start + 1 : lines.index(")", start)]
        assert sorted(family.packages.values()) == sorted(single + block)


def test_another_pin_is_another_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The directory follows go.mod and go.sum, so nothing is ever overwritten."""
    monkeypatch.setattr(build, "SOURCES", tmp_path)
    source = tmp_path / "etcd"
    source.mkdir()
    (source / "go.mod").write_text("module a\n")
    (source / "go.sum").write_text("")
    family = replace(FAMILIES[0], name="etcd")
    first = family.directory
    (source / "go.sum").write_text("x v1.0.0 h1:abc=\n")
    assert family.directory != first
    assert family.directory.name.startswith("etcd-")


def test_a_missing_pin_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence names the file."""
    monkeypatch.setattr(build, "SOURCES", tmp_path)
    (tmp_path / "none").mkdir()
    (tmp_path / "none/go.mod").write_text("module a\n")
    family = Family(name="none", packages={}, pinned="example.org/x", stamps={})
    with pytest.raises(SandboxError, match=r"go\.mod does not pin example\.org/x"):
        _ = family.version


def test_finished_programs_are_reused() -> None:
    """With everything there nothing is said and nothing is compiled."""
    finish_all()
    said: list[str] = []
    directory = build_programs(said.append)
    assert said == []
    assert {path.name for path in directory.iterdir()} == {name for family in FAMILIES for name in family.packages}


def test_all_programs_are_in_one_directory(cache: Path) -> None:
    """`programs/bin` leads to it, which is where tests look without being told."""
    finish_all()
    directory = link_programs()
    assert (cache / "programs/bin").resolve() == directory.resolve()
    assert (cache / "programs/bin/etcd").exists()
    assert link_programs() == directory


def test_unbuilt_programs_are_named() -> None:
    """The sentence says what is missing and how to get it."""
    finish_all()
    (KUBERNETES.directory / "kubelet").unlink()
    assert KUBERNETES.missing() == ["kubelet"]
    with pytest.raises(SandboxError, match="kubelet not built yet: run `make programs`"):
        link_programs()


def test_a_failed_build_leaves_no_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The compiler's words are in the error, and the unfinished file does not count as a program."""
    finish_all()
    (KUBERNETES.directory / "kubelet").unlink()
    go = tmp_path / "bin/go"
    go.parent.mkdir()
    go.write_text('#!/bin/sh\n[ "$1" = env ] && { echo go1.99.0; exit; }\necho "no space left" >&2\nexit 1\n')
    go.chmod(0o755)
    monkeypatch.setenv("PATH", f"{go.parent}:/usr/bin:/bin")
    said: list[str] = []
    with pytest.raises(SandboxError, match="exit code 1: no space left"):
        build_programs(said.append)
    assert said == [f"kubelet {KUBERNETES.version}: building"]
    assert KUBERNETES.missing() == ["kubelet"]


def test_a_build_appears_when_it_is_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The compiler writes beside the final name; the caches are outside of the work tree."""
    finish_all()
    (KUBERNETES.directory / "kubelet").unlink()
    go = tmp_path / "bin/go"
    go.parent.mkdir()
    go.write_text(
        '#!/bin/sh\n[ "$1" = env ] && { echo go1.99.0; exit; }\n'
        f'echo "$*" >{tmp_path}/arguments\necho "$GOCACHE $GOTOOLCHAIN $CGO_ENABLED" >"$4"\n',
    )
    go.chmod(0o755)
    monkeypatch.setenv("PATH", f"{go.parent}:/usr/bin:/bin")
    said: list[str] = []
    build_programs(said.append)
    assert (KUBERNETES.directory / "kubelet").read_text().endswith("/go-build local 0\n")
    assert "build -trimpath -o" in (tmp_path / "arguments").read_text()
    assert said[1] == f"kubelet {KUBERNETES.version}: built in 0 s"


def test_two_runs_do_not_build_twice(cache: Path) -> None:
    """While one run holds the lock, another one does not start compiling."""
    finish_all()
    build_programs(print)
    with (cache / "programs/.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the first run gave it back


def test_go_versions_are_compared_by_number(tmp_path: Path) -> None:
    """1.9 is older than 1.26, and the highest need counts."""
    assert version_tuple("go1.9") < version_tuple("1.26.0") <= version_tuple("go1.26.8")
    for name, text in (("a", "module a\n\ngo 1.25.0\n"), ("b", "module b\n\ngo 1.26.0\n")):
        (tmp_path / name).write_text(text)
    assert needed_version(tmp_path / "a", tmp_path / "b") == (1, 26, 0)
