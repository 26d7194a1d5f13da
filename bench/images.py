"""Images for measuring many tenants on one machine, under a registry name of their own.

They hold the sandbox's own programs and differ in two things. Their environment keeps Go programs small (`GOGC=25`,
`GOMAXPROCS=1`), so that a hundred API servers fit into a machine's memory; an operator run and its floor use the same
images. And there is a stand-in for controller manager and scheduler, which answers their probes: what an operator
does for a tenant does not depend on them, and a fleet without them fits on two cores.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from kamaji_core.testing.programs import cache_directory, program
from sandbox.debian import container_runtime
from sandbox.errors import run
from sandbox.golang import needed_version, toolchain
from sandbox.images import Image
from sandbox.places import CONTAINERD_SOCKET

if TYPE_CHECKING:
    from collections.abc import Callable

REGISTRY = "bench.kamaji.sandbox"
ANSWERER = "probe-answerer"
ENVIRONMENT = ("GOGC=25", "GOMAXPROCS=1")
COMPONENTS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")

_SOURCE = Path(__file__).parent / "answerer"
_BUILD_LIMIT = 300.0
_CTR_LIMIT = 120.0


def bench_images(answerer: Path, tag: str) -> tuple[Image, ...]:
    """The images, each of one program.

    Args:
        answerer: the program that stands in for controller manager and scheduler.
        tag: the Kubernetes version that tenants ask for, such as `v1.37.1`.

    Raises:
        ProgramMissingError: when a program is not built yet.
    """
    components = [
        Image(
            reference=f"{REGISTRY}/{name}:{tag}",
            program=program(name).resolve(),
            target=f"usr/local/bin/{name}",
            entrypoint=(f"/usr/local/bin/{name}",),
            environment=ENVIRONMENT,
        )
        for name in COMPONENTS
    ]
    stand_in = Image(
        reference=f"{REGISTRY}/{ANSWERER}:{tag}",
        program=answerer,
        target=f"usr/local/bin/{ANSWERER}",
        entrypoint=("/usr/local/bin/kube-scheduler",),
        links=tuple(f"usr/local/bin/{name}" for name in COMPONENTS if name != "kube-apiserver"),
        environment=ENVIRONMENT,
    )
    return (*components, stand_in)


def build_answerer(say: Callable[[str], None], *, source: Path = _SOURCE) -> Path:
    """Build the stand-in into the cache, named by a digest of its source; a finished one is reused.

    Args:
        say: takes a line of progress.
        source: the folder of its Go module, which needs nothing but Go's own library.

    Raises:
        SandboxError: when it does not compile; the message carries what the compiler said.
    """
    digest = hashlib.sha256(b"".join((source / name).read_bytes() for name in ("go.mod", "main.go"))).hexdigest()
    path = cache_directory() / "programs" / f"{ANSWERER}-{digest[:16]}" / ANSWERER
    if not path.exists():
        say(f"Building {ANSWERER}, once.")
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".{ANSWERER}")
        go = toolchain(needed_version(source / "go.mod"))
        argv: list[str | Path] = [go.go, "build", "-trimpath", "-ldflags=-s -w", "-o", unfinished, "."]
        run(argv, limit=_BUILD_LIMIT, environment=go.environment, directory=source)
        unfinished.rename(path)
    return path


def import_images(tag: str, say: Callable[[str], None]) -> None:
    """Give the images to the sandbox's containerd; those that it has are left alone.

    Args:
        tag: the Kubernetes version that tenants ask for.
        say: takes a line of progress.

    Raises:
        SandboxError: when one cannot be made or imported.
    """
    ctr = (container_runtime().ctr, f"--address={CONTAINERD_SOCKET}", "--namespace=k8s.io", "images")
    known = run([*ctr, "list", "--quiet"], limit=_CTR_LIMIT).split()
    missing = [image for image in bench_images(build_answerer(say), tag) if image.reference not in known]
    for image in missing:
        say(f"Importing {image.reference}")
        run([*ctr, "import", image.archive()], limit=_CTR_LIMIT)
