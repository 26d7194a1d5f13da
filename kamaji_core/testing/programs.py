"""Where the real programs are: one directory, found without the package that builds them.

A plugin's tests run from another repository, so they cannot ask the sandbox; `KAMAJI_PROGRAMS` tells them, and
without it the place where `make programs` leaves its last result is looked at.
"""

from __future__ import annotations

import os
from pathlib import Path

DIRECTORY_VARIABLE = "KAMAJI_PROGRAMS"


class ProgramMissingError(RuntimeError):
    """A real program is not where it should be; the message says how to get it."""


def cache_directory() -> Path:
    """The directory, outside of any work tree, that holds what is built and downloaded once."""
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "kamaji-sandbox"


def programs_directory() -> Path:
    """The directory that holds the programs: `$KAMAJI_PROGRAMS`, or what `make programs` built last."""
    named = os.environ.get(DIRECTORY_VARIABLE)
    return Path(named) if named else cache_directory() / "programs" / "bin"


def program(name: str) -> Path:
    """The path of a program such as `etcd` or `kube-apiserver`.

    Raises:
        ProgramMissingError: when it is not there or cannot be executed.
    """
    path = programs_directory() / name
    if not os.access(path, os.X_OK):
        raise ProgramMissingError(
            f"the program {name} is not at {path}: run `make programs`, "
            f"or set {DIRECTORY_VARIABLE} to a directory that has it",
        )
    return path
