"""What comes from Debian: a few tools as installed packages, those that are daemons as unpacked ones.

Installing the package of containerd or PgBouncer would start a daemon, or replace the one that this machine works with;
so its files are taken out of the package into the cache, where nothing else sees them. PostgreSQL's package is
installed, but told beforehand not to make and start a server of its own.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kamaji_core.testing.programs import cache_directory
from sandbox.errors import SandboxError, run

if TYPE_CHECKING:
    from collections.abc import Iterator

TOOLS = {
    "iproute2": "/sbin/ip",
    "nftables": "/usr/sbin/nft",
    "busybox-static": "/bin/busybox",
    "containernetworking-plugins": "/usr/lib/cni/ptp",
    "libseccomp2": "/usr/lib/*/libseccomp.so.2",
    "util-linux": "/usr/bin/nsenter",
    "conntrack": "/usr/sbin/conntrack",
    "iptables": "/usr/sbin/iptables",
    "ethtool": "/sbin/ethtool",
    "socat": "/usr/bin/socat",
    "buildah": "/usr/bin/buildah",
    "debootstrap": "/usr/sbin/debootstrap",
    "postgresql": "/usr/lib/postgresql/*/bin/postgres",
}
"""Packages to install when the file named beside them is not there."""

UNPACKED = {
    "runtime": ("containerd", "runc"),
    "pooler": ("pgbouncer", "libc-ares2", "libevent-2.1-7"),
}
"""Packages by the directory of the cache that they are unpacked into; PgBouncer with libraries that only it needs."""

CNI_PLUGINS = Path("/usr/lib/cni")

_APT_LIMIT = 600.0
_POSTGRES_SETTINGS = Path("/etc/postgresql-common/createcluster.d/kamaji-sandbox.conf")


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerRuntime:
    """Where containerd and its companions are.

    Args:
        containerd: the daemon; its shim lies beside it.
        ctr: its command line.
        runc: the low-level runtime.
    """

    containerd: Path
    ctr: Path
    runc: Path


def missing_tools() -> list[str]:
    """Names of the packages that are not installed yet."""
    return [package for package, file in TOOLS.items() if not _exists(file)]


def install_tools() -> list[str]:
    """Install the missing packages; returns their names.

    Raises:
        SandboxError: when apt-get fails or this is not root.
    """
    missing = missing_tools()
    if missing:
        with _no_server_of_debians():
            _apt("install", "--yes", "--no-install-recommends", *missing)
        # `make clean` names them: what was on the machine before is not ours to name.
        noted = cache_directory() / "debian" / "installed"
        noted.parent.mkdir(parents=True, exist_ok=True)
        with noted.open("a", encoding="utf-8") as file:
            file.writelines(f"{package}\n" for package in missing)
    return missing


@contextlib.contextmanager
def _no_server_of_debians() -> Iterator[None]:
    """Keep PostgreSQL's package from making a server that starts with the machine; the setting goes afterwards."""
    made = [path for path in (_POSTGRES_SETTINGS.parent.parent, _POSTGRES_SETTINGS.parent) if not path.exists()]
    try:
        _POSTGRES_SETTINGS.parent.mkdir(parents=True, exist_ok=True)
        _POSTGRES_SETTINGS.write_text("create_main_cluster = false\n")
        yield
    except PermissionError as error:
        raise SandboxError("root is needed to install Debian packages: run this as root") from error
    finally:
        with contextlib.suppress(OSError):
            _POSTGRES_SETTINGS.unlink()
            for path in reversed(made):
                path.rmdir()


def container_runtime() -> ContainerRuntime:
    """Where containerd and runc are in the cache, unpacked now when they are not there yet.

    Raises:
        SandboxError: when the packages cannot be downloaded.
    """
    directory = _unpacked("runtime", "usr/bin/containerd", "usr/bin/ctr", "usr/sbin/runc")
    return ContainerRuntime(
        containerd=directory / "usr/bin/containerd",
        ctr=directory / "usr/bin/ctr",
        runc=directory / "usr/sbin/runc",
    )


def pooler() -> Path:
    """Where PgBouncer is in the cache, for the tests of the PostgreSQL driver; unpacked now when it is not there yet.

    Raises:
        SandboxError: when the packages cannot be downloaded.
    """
    return _unpacked("pooler", "usr/sbin/pgbouncer") / "usr/sbin/pgbouncer"


def _unpacked(name: str, *programs: str) -> Path:
    """The directory of some unpacked packages, in which these programs are."""
    directory = cache_directory() / "debian" / name

    def is_complete() -> bool:
        return all((directory / program).exists() for program in programs)

    if not is_complete():
        _unpack(directory)
    if not is_complete():
        packages = ", ".join(UNPACKED[name])
        raise SandboxError(f"the Debian packages {packages} are not laid out as expected: look at {directory}")
    return directory


def _unpack(directory: Path) -> None:
    unfinished = directory.with_name(f".{directory.name}.{os.getpid()}")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    try:
        # apt's downloader may give up root; without the right to write here it only warns.
        _apt("download", *UNPACKED[directory.name], directory=unfinished)
        for package in sorted(unfinished.glob("*.deb")):
            run(["dpkg-deb", "-x", package, unfinished], limit=120)
            package.unlink()
        shutil.rmtree(directory, ignore_errors=True)
        unfinished.rename(directory)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _apt(*arguments: str, directory: Path | None = None) -> None:
    """Run apt-get; once more with fresh package lists when the first try fails."""
    if os.geteuid() != 0:
        raise SandboxError(f"root is needed to run `apt-get {' '.join(arguments)}`: run this as root")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    wait = ("-o", "DPkg::Lock::Timeout=300")
    try:
        run(["apt-get", *wait, *arguments], limit=_APT_LIMIT, environment=environment, directory=directory)
    except SandboxError:
        run(["apt-get", *wait, "update"], limit=_APT_LIMIT, environment=environment)
        run(["apt-get", *wait, *arguments], limit=_APT_LIMIT, environment=environment, directory=directory)


def _exists(file: str) -> bool:
    if re.search(r"[*?]", file):
        return any(Path("/").glob(file.lstrip("/")))
    return Path(file).exists() or shutil.which(Path(file).name) is not None
