"""The operator's image, built from the Dockerfile as it stands, without a registry or a container engine.

Buildah builds it; the base image, which no registry gives here, is made of Debian packages under the same name. Of the
builder's store only that base stays, and the finished image lies in the cache under a digest of what it is made from,
so that an unchanged tree is not built again.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from kamaji_core.testing.programs import cache_directory
from sandbox.debian import container_runtime
from sandbox.errors import SandboxError, run
from sandbox.exclusive import one_at_a_time
from sandbox.places import CONTAINERD_SOCKET

if TYPE_CHECKING:
    from sandbox.build import Say

ROOT = Path(__file__).parents[2]
NAME = "docker.io/library/kamaji"
BASE = "docker.io/library/python:3.11-slim-bookworm"
"""What the Dockerfile builds on."""

_SUITE = "bookworm"
_PACKAGES = "python3,python3-pip,ca-certificates"
_SOURCES = ("Dockerfile", ".dockerignore", "constraints.txt", "pyproject.toml", "LICENSE", "README.md")
_OTHERWISE = "Another run builds the operator's image"
_PIP_SETTING = re.compile(r"(?:global|install|site|user|:env:)\.([a-z-]+)='(.*)'")
_BASE_LIMIT, _BUILD_LIMIT, _STEP_LIMIT = 900.0, 900.0, 120.0


def sources() -> list[Path]:
    """The files that the image is made from, in a fixed order."""
    trees = [path for tree in ("kamaji_core", "plugins") for path in (ROOT / tree).rglob("*") if path.is_file()]
    kept = [path for path in trees if not {"__pycache__", "tests"} & set(path.relative_to(ROOT).parts)]
    return [*(ROOT / name for name in _SOURCES), *sorted(kept)]


def tag() -> str:
    """The image's tag: a digest of what it is made from."""
    digest = hashlib.sha256(_PACKAGES.encode())
    for path in sources():
        digest.update(str(path.relative_to(ROOT)).encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def build(say: Say) -> Path:
    """Build the image unless this tree's is there; gives its archive.

    Args:
        say: takes a line of progress.

    Raises:
        SandboxError: when a step fails; the message carries what it said.
    """
    archive = cache_directory() / "images" / f"kamaji-{tag()}.tar"
    if archive.exists():
        return archive
    archive.parent.mkdir(parents=True, exist_ok=True)
    make_base(say)
    with one_at_a_time(cache_directory() / "buildah", say, _OTHERWISE):
        say("The operator's image: building (about 20 s)")
        _build(f"{NAME}:{tag()}", archive)
    return archive


def make_base(say: Say) -> None:
    """Make the base image unless it is there.

    Args:
        say: takes a line of progress.

    Raises:
        SandboxError: when a step fails.
    """
    with one_at_a_time(cache_directory() / "buildah", say, _OTHERWISE):
        if BASE not in _buildah("images", "--format", "{{.Name}}:{{.Tag}}").split():
            say("The base of the operator's image: made of Debian packages, once (about a minute)")
            _make_base()


def bring(say: Say) -> None:
    """Build the image unless it is there, and have the management cluster's node know it.

    Args:
        say: takes a line of progress.

    Raises:
        SandboxError: when a step fails.
    """
    ctr = (container_runtime().ctr, f"--address={CONTAINERD_SOCKET}", "--namespace=k8s.io", "images")
    if f"{NAME}:{tag()}" not in run([*ctr, "list", "--quiet"], limit=_STEP_LIMIT).split():
        run([*ctr, "import", build(say)], limit=_STEP_LIMIT)


def _make_base() -> None:
    with tempfile.TemporaryDirectory(prefix="kamaji-base-") as directory:
        root = Path(directory) / "root"
        run(
            ["debootstrap", "--variant=minbase", f"--include={_PACKAGES}", _SUITE, root, _debian_source()],
            limit=_BASE_LIMIT,
        )
        for unneeded in ("var/cache/apt/archives", "var/lib/apt/lists"):
            shutil.rmtree(root / unneeded, ignore_errors=True)
        container = _buildah("from", "scratch").strip()
        _buildah("add", "--quiet", container, str(root), "/")
        path = "PATH=/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin"
        _buildah("config", f"--env={path}", container)
        _buildah("commit", "--quiet", "--rm", container, BASE)


def _build(reference: str, archive: Path) -> None:
    unfinished = archive.with_name(f".{archive.name}")
    with tempfile.TemporaryDirectory(prefix="kamaji-pip-") as directory:
        settings = _pip_settings()
        file = Path(directory) / "pip.conf"
        file.write_text("[global]\n" + "".join(f"{name} = {value}\n" for name, value in settings.items()))
        places = [path for value in settings.values() if (path := Path(value)).is_absolute() and path.exists()]
        volumes = [f"--volume={file}:/etc/pip.conf:ro", *(f"--volume={path}:{path}:ro" for path in places)]
        _buildah("bud", "--isolation=chroot", "--pull-never", f"--tag={reference}", *volumes, str(ROOT))
    _buildah("push", "--quiet", reference, f"oci-archive:{unfinished}:{reference}")
    for older in archive.parent.glob("kamaji-*.tar"):
        older.unlink()
    unfinished.rename(archive)
    _buildah("rmi", "--force", reference)
    _buildah("rmi", "--prune")


def _pip_settings() -> dict[str, str]:
    """How pip reaches its packages on this machine: the image's build reaches them in the same way."""
    listed = run([sys.executable, "-m", "pip", "config", "list"], limit=_STEP_LIMIT)
    return {found[1]: found[2] for line in listed.splitlines() if (found := _PIP_SETTING.fullmatch(line))}


def _debian_source() -> str:
    """Where this machine gets Debian's packages from."""
    wanted = ("Identifier: Packages", "Component: main", f"Codename: {_SUITE}")
    listed = run(["apt-get", "indextargets", "--format", "$(REPO_URI)", *wanted], limit=_STEP_LIMIT).split()
    if not listed:
        raise SandboxError(f"apt has no source of Debian {_SUITE}: add one to make the operator's image")
    return listed[0]


def _buildah(*arguments: str) -> str:
    store = cache_directory() / "buildah"
    places = (f"--root={store}/store", f"--runroot={store}/run", "--storage-driver=vfs")
    try:
        return run(["buildah", *places, *arguments], limit=_BUILD_LIMIT)
    except SandboxError as error:
        raise SandboxError(str(error)[-4000:]) from error
