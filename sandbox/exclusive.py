"""One command at a time changes the sandbox, or a part of the cache."""

from __future__ import annotations

import contextlib
import fcntl
import os
from typing import TYPE_CHECKING

from sandbox.places import RUN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@contextlib.contextmanager
def exclusive(say: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock on the sandbox, waiting for another command that has it.

    The lock is on the directory of the sandbox's running state, which `down` removes; whoever waited for a directory
    that is gone afterwards asks again for the new one.
    """
    while True:
        RUN.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(RUN, os.O_RDONLY | os.O_DIRECTORY)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say("Another command changes the sandbox: waiting for it.")
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            if _is_current(descriptor):
                yield
                return
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def one_at_a_time(directory: Path, say: Callable[[str], None], otherwise: str) -> Iterator[None]:
    """Hold the lock on a part of the cache, waiting for another command that has it.

    Args:
        directory: the part; made when it is not there.
        say: takes a line of progress.
        otherwise: what another run does that has the lock.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"{otherwise}: waiting for it.")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _is_current(descriptor: int) -> bool:
    try:
        return RUN.stat().st_ino == os.fstat(descriptor).st_ino
    except FileNotFoundError:
        return False
