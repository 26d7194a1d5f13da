"""Ports on the loopback interface that nobody uses now.

Asking the kernel for "any" port gives one of the range that outgoing connections take theirs from, so a busy test
run can lose it again before the server binds it. Ports below that range, chosen at random, do not have this fault.
Which of them a process was given stands in the kernel, so that no other one is given it before its server has bound it.
"""

from __future__ import annotations

import collections
import random
import socket

_RANGE = range(20000, 32000)  # below Linux' ephemeral ports (32768-60999), above what services are known by
_ATTEMPTS = 200
_KEPT = 100
"""So many of the last ports that a process was given are kept for it; what was given earlier has long been bound."""
_reservations: collections.deque[socket.socket] = collections.deque()


def free_port() -> int:
    """A TCP port of 127.0.0.1 that could be bound a moment ago, and that no other process of tests is given.

    Raises:
        RuntimeError: when 200 attempts found none.
    """
    for _ in range(_ATTEMPTS):
        port = random.choice(_RANGE)  # noqa: S311 - a port, not a secret
        with socket.socket() as attempt:
            try:
                attempt.bind(("127.0.0.1", port))
            except OSError:
                continue
        if _reserve(port):
            return port
    raise RuntimeError(f"no free port was found between {_RANGE.start} and {_RANGE.stop}: end what occupies them")


def _reserve(port: int) -> bool:
    """Take a name in Linux' abstract namespace, which is in no file system and goes with its process."""
    reservation = socket.socket(socket.AF_UNIX)
    try:
        reservation.bind(f"\0kamaji-testing-port-{port}")
    except OSError:
        reservation.close()
        return False
    _reservations.append(reservation)
    if len(_reservations) > _KEPT:
        _reservations.popleft().close()
    return True
