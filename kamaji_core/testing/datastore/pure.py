"""Watching a call that must reach for nothing: no network, no file, no other program, no waiting.

The interpreter tells of each such act by its audit events, so nothing is replaced and nothing of the driver's is known.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

OUTSIDE = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.bind", "socket.sendto")
PROGRAMS = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn")
WRITING = frozenset("wax+")

_watching: list[list[tuple[str, tuple[Any, ...]]]] = []
_installed = threading.Event()


def _heard(event: str, arguments: tuple[Any, ...]) -> None:
    if _watching and (event in OUTSIDE or event in PROGRAMS or event in {"open", "time.sleep"}):
        for acts in _watching:
            acts.append((event, arguments))


@contextlib.contextmanager
def acts() -> Iterator[list[tuple[str, tuple[Any, ...]]]]:
    """Collect what this process does to the outside meanwhile: event and arguments as the interpreter names them."""
    if not _installed.is_set():  # there is no way to take a hook away again
        _installed.set()
        sys.addaudithook(_heard)
    seen: list[tuple[str, tuple[Any, ...]]] = []
    _watching.append(seen)
    try:
        yield seen
    finally:
        _watching.remove(seen)


def is_written(arguments: tuple[Any, ...]) -> bool:
    """Whether an `open` event is of a file on disk that is opened for writing and is no module's cache."""
    path, mode, flags = (*arguments, None, None)[:3]
    if isinstance(path, int):
        return False
    writes = bool(WRITING & set(mode)) if isinstance(mode, str) else bool(isinstance(flags, int) and flags & 0b11)
    name = str(path, errors="replace") if isinstance(path, bytes) else str(path)
    return writes and "__pycache__" not in name and not name.startswith(("/proc/", "/dev/"))


@contextlib.contextmanager
def nothing_outside() -> Iterator[None]:
    """Fail when something outside of the process is reached for; modules may be read, since they are loaded lazily."""
    with acts() as seen:
        yield
    reached = [event for event, _ in seen if event in OUTSIDE or event in PROGRAMS or event == "time.sleep"]
    assert reached == [], f"a pure method reaches outside: {reached}"
    written = [arguments[0] for event, arguments in seen if event == "open" and is_written(arguments)]
    assert written == [], f"a pure method writes files: {written}"
