"""Ports on the loopback interface that nobody uses now.

Asking the kernel for "any" port gives one of the range that outgoing connections take theirs from, so a busy test
run can lose it again before the server binds it. Ports below that range, chosen at random, do not have this fault,
and neither do two test runs on one machine get in each other's way.
"""

from __future__ import annotations

import random
import socket

_RANGE = range(20000, 32000)  # below Linux' ephemeral ports (32768-60999), above what services are known by
_ATTEMPTS = 200


def free_port() -> int:
    """A TCP port of 127.0.0.1 that could be bound a moment ago.

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
            return port
    raise RuntimeError(f"no free port was found between {_RANGE.start} and {_RANGE.stop}: end what occupies them")
