"""Running a command inside the sandbox's network, with the cluster's name resolution.

The command takes this process's place (no shell, nobody in between), so its signals, its exit code and its terminal
are its own. It sees the host's files; only the two files that decide about name resolution are exchanged, in a mount
namespace of its own that ends with it.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from sandbox.errors import SandboxError, require_up
from sandbox.places import CONFIGURATION, KUBECONFIG, NETWORK, PROGRAMS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_CLONE_NEWNS = 0x00020000
_CLONE_NEWNET = 0x40000000
_MS_BIND = 0x1000
_MS_REC = 0x4000
_MS_SLAVE = 0x80000
_EXCHANGED = {Path("/etc/resolv.conf"): "resolv.conf", Path("/etc/nsswitch.conf"): "nsswitch.conf"}
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "ftp_proxy")


def execute(argv: Sequence[str]) -> NoReturn:
    """Become this command, inside the sandbox.

    Raises:
        SandboxError: when the sandbox is not up, this is not root or the command does not exist.
    """
    if os.geteuid() != 0:
        raise SandboxError("entering the sandbox's network needs root: run this as root")
    require_up()
    environment = inside_environment(os.environ)
    program = shutil.which(argv[0], path=environment["PATH"])
    if program is None:
        raise SandboxError(f"there is no command {argv[0]}: check its spelling and PATH")
    _enter()
    os.execve(program, list(argv), environment)  # noqa: S606 - the command is what the user asked for


def inside_environment(outside: Mapping[str, str]) -> dict[str, str]:
    """The environment of a command inside: the cluster's kubeconfig, our programs at the end of PATH, no proxies."""
    kept = {name: value for name, value in outside.items() if name.lower() not in _PROXIES}
    tools = (str(Path(sys.executable).parent), str(PROGRAMS))
    path = os.pathsep.join([outside.get("PATH", os.defpath), *tools])
    return kept | {"KUBECONFIG": str(KUBECONFIG), "PATH": path}


def _enter() -> None:
    """Join the network namespace and take a private mount namespace; this process has one thread."""
    library = ctypes.CDLL(None, use_errno=True)
    descriptor = os.open(NETWORK, os.O_RDONLY | os.O_CLOEXEC)
    _check(library.setns(descriptor, _CLONE_NEWNET), "join the sandbox's network")
    os.close(descriptor)
    _check(library.unshare(_CLONE_NEWNS), "make a mount namespace")
    _check(library.mount(b"none", b"/", None, _MS_REC | _MS_SLAVE, None), "detach the mounts")
    for place, name in _EXCHANGED.items():
        if place.exists():
            source, target = os.fsencode(CONFIGURATION / name), os.fsencode(place.resolve())
            _check(library.mount(source, target, None, _MS_BIND, None), f"exchange {place}")


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise SandboxError(f"the kernel does not let this process {what}: {os.strerror(number)}; run it as real root")
