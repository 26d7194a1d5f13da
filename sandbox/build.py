"""The pinned programs, each built once into a cache outside the work tree.

A family is one Go module here that does nothing but pin upstream commands with the `tool` directive; its directory
in the cache carries a digest of `go.mod` and `go.sum`, so that another pin is another directory and nothing is ever
overwritten. A program appears under its name when it is finished, so an interrupt costs one program at most.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from kamaji_core.testing.programs import cache_directory
from sandbox.errors import SandboxError, run
from sandbox.exclusive import one_at_a_time
from sandbox.golang import Toolchain, needed_version, toolchain

SOURCES = Path(__file__).parent / "programs"
BUILD_LIMIT = 3600.0
"""Seconds for one program; the first of a cold cache takes minutes."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Programs that one `go.mod` pins.

    Args:
        name: its folder in `sandbox/programs`.
        packages: main package by program name, in build order.
        pinned: the module whose version is the family's.
        stamps: linker variables by name; `{version}`, `{major}`, `{minor}` are filled in.
    """

    name: str
    packages: Mapping[str, str]
    pinned: str
    stamps: Mapping[str, str]

    @property
    def source(self) -> Path:
        """The folder of `go.mod` and `go.sum`."""
        return SOURCES / self.name

    @property
    def version(self) -> str:
        """The pinned version, such as `v1.37.1`."""
        found = re.search(rf"^\s*{re.escape(self.pinned)} (v\S+)", (self.source / "go.mod").read_text(), re.MULTILINE)
        if found is None:
            raise SandboxError(f"{self.source / 'go.mod'} does not pin {self.pinned}: restore the file")
        return found[1]

    @property
    def directory(self) -> Path:
        """Where its finished programs are."""
        digest = hashlib.sha256()
        for name in ("go.mod", "go.sum"):
            digest.update((self.source / name).read_bytes())
        return cache_directory() / "programs" / f"{self.name}-{digest.hexdigest()[:16]}"

    @property
    def linker_flags(self) -> str:
        """What `go build -ldflags` is told: stripped, and with the version that kubeadm and skew checks read."""
        version = self.version
        major, minor, *_ = version.removeprefix("v").split(".")
        stamps = [
            f"-X {variable}={value.format(version=version, major=major, minor=minor)}"
            for variable, value in self.stamps.items()
        ]
        return " ".join(["-s -w", *stamps])

    def missing(self) -> list[str]:
        """Names of the programs that are not built yet."""
        return [name for name in self.packages if not (self.directory / name).exists()]


_KUBERNETES = "k8s.io/kubernetes/cmd"
_VERSION = "k8s.io/component-base/version"
_STAMPS = {
    f"{_VERSION}.gitVersion": "{version}",
    f"{_VERSION}.gitMajor": "{major}",
    f"{_VERSION}.gitMinor": "{minor}",
    f"{_VERSION}.gitTreeState": "clean",
}
_KINE = "github.com/k3s-io/kine"
_KONNECTIVITY = "sigs.k8s.io/apiserver-network-proxy"

FAMILIES = (
    Family(
        name="etcd",
        packages={"etcd": "go.etcd.io/etcd/server/v3", "etcdctl": "go.etcd.io/etcd/etcdctl/v3"},
        pinned="go.etcd.io/etcd/server/v3",
        stamps={},
    ),
    Family(
        name="kubernetes",
        packages={
            name: f"{_KUBERNETES}/{name}"
            for name in (
                "kube-apiserver",
                "kube-controller-manager",
                "kube-scheduler",
                "kubelet",
                "kube-proxy",
                "kubeadm",
            )
        },
        pinned="k8s.io/kubernetes",
        stamps=_STAMPS,
    ),
    Family(
        name="kubeadm-1.36",
        packages={"kubeadm-1.36": f"{_KUBERNETES}/kubeadm"},
        pinned="k8s.io/kubernetes",
        stamps=_STAMPS,
    ),
    Family(
        name="coredns",
        packages={"coredns": "github.com/coredns/coredns"},
        pinned="github.com/coredns/coredns",
        stamps={},
    ),
    Family(
        name="kine",
        packages={"kine": _KINE},
        pinned=_KINE,
        stamps={f"{_KINE}/pkg/version.Version": "{version}"},
    ),
    Family(
        name="konnectivity",
        packages={"proxy-server": f"{_KONNECTIVITY}/cmd/server", "proxy-agent": f"{_KONNECTIVITY}/cmd/agent"},
        pinned=_KONNECTIVITY,
        stamps={},
    ),
)


def version_of(name: str) -> str:
    """The pinned version of a family, such as `v0.17.5` of `kine`."""
    return next(family.version for family in FAMILIES if family.name == name)


def kubernetes_version() -> str:
    """The pinned Kubernetes version, such as `v1.37.1`."""
    return version_of("kubernetes")


def build_programs(say: Say) -> Path:
    """Build what is missing and return the one directory that has all programs.

    Safe beside another run (one waits for the other) and after an interrupt.

    Args:
        say: takes a line of progress.

    Raises:
        SandboxError: when a build fails; the message carries what the compiler said.
    """
    with one_at_a_time(cache_directory() / "programs", say, "Another run builds the programs"):
        missing = [(family, name) for family in FAMILIES for name in family.missing()]
        if missing:
            go = toolchain(needed_version(*(family.source / "go.mod" for family in FAMILIES)))
            if len(missing) > 1 and not _is_warm():
                say("The first build downloads and compiles for about 18 minutes on two cores; later runs reuse it.")
            for family, name in missing:
                _build(family, name, go, say)
        return link_programs()


def link_programs() -> Path:
    """Make the directory that names every program, and have `programs/bin` point at it.

    Raises:
        SandboxError: when a program is not built yet.
    """
    programs = {name: family.directory / name for family in FAMILIES for name in family.packages}
    absent = [name for name, path in programs.items() if not path.exists()]
    if absent:
        raise SandboxError(f"{', '.join(absent)} not built yet: run `make programs`")
    digest = hashlib.sha256("\n".join(str(path) for path in programs.values()).encode()).hexdigest()
    root = cache_directory() / "programs"
    directory = root / f"bin-{digest[:16]}"
    directory.mkdir(parents=True, exist_ok=True)
    for name, path in programs.items():
        link(directory / name, path)
    link(root / "bin", directory)
    return directory


def _build(family: Family, name: str, go: Toolchain, say: Say) -> None:
    started = time.monotonic()
    directory = family.directory
    directory.mkdir(parents=True, exist_ok=True)
    unfinished = directory / f".{name}"  # the lock makes it ours; an interrupted one is overwritten
    say(f"{name} {family.version}: building")
    argv: list[str | Path] = [
        go.go,
        "build",
        "-trimpath",
        "-o",
        unfinished,
        "-ldflags",
        family.linker_flags,
        family.packages[name],
    ]
    with _ticking(name, started, say):
        run(argv, limit=BUILD_LIMIT, environment=go.environment, directory=family.source)
    unfinished.rename(directory / name)
    say(f"{name} {family.version}: built in {time.monotonic() - started:.0f} s")


@contextlib.contextmanager
def _ticking(name: str, started: float, say: Say) -> Iterator[None]:
    """Say once a minute that a build goes on."""
    finished = threading.Event()

    def tick() -> None:
        while not finished.wait(60):
            say(f"{name}: still building after {time.monotonic() - started:.0f} s")

    ticker = threading.Thread(target=tick, daemon=True)
    ticker.start()
    try:
        yield
    finally:
        finished.set()
        ticker.join()


def _is_warm() -> bool:
    return (cache_directory() / "go-build" / "trim.txt").exists()


def link(name: Path, target: Path) -> None:
    """Make a symbolic link, in one step also where another one is."""
    if name.is_symlink() and name.readlink() == target:
        return
    unfinished = name.with_name(f".{name.name}.{os.getpid()}")
    unfinished.unlink(missing_ok=True)
    unfinished.symlink_to(target)
    unfinished.replace(name)
