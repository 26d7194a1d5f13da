"""Images that keep Go programs small, and the stand-in's build."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.fleet import Fleet, Shape
from bench.images import ANSWERER, COMPONENTS, ENVIRONMENT, REGISTRY, bench_images, build_answerer
from sandbox.errors import SandboxError


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with something executable for each component, and an empty cache."""
    for name in COMPONENTS:
        (tmp_path / name).touch(mode=0o755)
    monkeypatch.setenv("KAMAJI_PROGRAMS", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


@pytest.fixture
def compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Go command that writes what it was told instead of compiling; its text is the caller's."""
    go = tmp_path / "tools" / "go"
    go.parent.mkdir()
    go.write_text(
        '#!/bin/sh\n[ "$1" = env ] && { echo go1.99.0; exit; }\n'
        'while [ "$1" != -o ]; do shift; done\necho built >>"$2"\n'
    )
    go.chmod(0o755)
    monkeypatch.setenv("PATH", f"{go.parent}:/usr/bin:/bin")
    return go


def test_tenants_find_their_images(programs: Path) -> None:
    """Every image that a tenant of either shape asks for is there."""
    references = {image.reference for image in bench_images(programs / "stand-in", "v1.37.1")}
    for shape in Shape:
        tenant = Fleet(size=1, shape=shape, version="v1.37.1").tenant("a")
        images = dict(tenant["spec"]["controlPlane"]["deployment"]["registrySettings"])
        wanted = {"kube-apiserver", *(images[name] for name in images if name != "registry")}
        assert {f"{images['registry']}/{name}:v1.37.1" for name in wanted} <= references


def test_every_image_keeps_its_program_small(programs: Path) -> None:
    """The same for the operator's run and its floor, whatever the tenant's specification can say."""
    images = bench_images(programs / "stand-in", "v1.37.1")
    assert {image.environment for image in images} == {ENVIRONMENT}
    assert all(image.reference.startswith(f"{REGISTRY}/") for image in images)


def test_the_stand_in_answers_to_both_names(programs: Path) -> None:
    """Pods start it as what it stands in for."""
    (stand_in,) = [image for image in bench_images(programs / "x", "v1") if ANSWERER in image.reference]
    assert set(stand_in.links) == {"usr/local/bin/kube-controller-manager", "usr/local/bin/kube-scheduler"}


def test_the_stand_in_is_built_once(programs: Path, compiler: Path) -> None:
    """It appears when it is finished, and a second call finds it."""
    said: list[str] = []
    path = build_answerer(said.append)
    assert build_answerer(said.append) == path
    assert path.read_text() == "built\n"
    assert [file.name for file in path.parent.iterdir()] == [ANSWERER]
    assert len(said) == 1


def test_another_source_is_another_program(programs: Path, compiler: Path) -> None:
    """The cache is keyed by what is compiled."""
    source = programs / "source"
    source.mkdir()
    (source / "go.mod").write_text("module a\n\ngo 1.26.0\n")
    (source / "main.go").write_text("package main\n")
    first = build_answerer(print, source=source)
    (source / "main.go").write_text("package main // changed\n")
    assert build_answerer(print, source=source) != first


def test_a_failed_build_leaves_no_program(programs: Path, compiler: Path) -> None:
    """The compiler's words are in the error."""
    compiler.write_text('#!/bin/sh\n[ "$1" = env ] && { echo go1.99.0; exit; }\necho "syntax error" >&2\nexit 1\n')
    with pytest.raises(SandboxError, match="syntax error"):
        build_answerer(print)
    assert not list((programs / "cache").rglob(ANSWERER))


def test_the_stand_in_needs_nothing_but_gos_own_library() -> None:
    """No module is downloaded for it."""
    source = Path(__file__).parents[3] / "bench" / "answerer"
    assert "require" not in (source / "go.mod").read_text()
