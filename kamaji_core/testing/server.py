"""What one real server is: its command line, where it logs and how to see that it serves.

Tests run a `Server` as a child process that ends with them; the sandbox runs the same description detached, behind
a command prefix that puts it into a network namespace. So there is one description of each server's command line.
"""

from __future__ import annotations

import http.client
import socket
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_PROBE_LIMIT = 2.0
"""Seconds that one look at a server may take."""


class Readiness(Protocol):
    """A way to see whether a server serves."""

    def problem(self) -> str | None:
        """Look once, within two seconds: nothing when the server serves, else a sentence that says why not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpReadiness:
    """A server serves when a GET of `url` answers 200.

    Args:
        url: `http://` or `https://` with host, port and path.
        ca: the authority that an `https` server's certificate is verified with, PEM.
    """

    url: str
    ca: bytes | None = field(default=None, repr=False)

    def problem(self) -> str | None:
        """See `Readiness`."""
        url = urlsplit(self.url)
        connection = self._connection(url.hostname or "", url.port)
        try:
            connection.request("GET", url.path or "/")
            answer = connection.getresponse()
            body = answer.read(4096)
        except (OSError, http.client.HTTPException) as error:
            return f"{self.url} cannot be reached: {error or type(error).__name__}"
        finally:
            connection.close()
        if answer.status == http.HTTPStatus.OK:
            return None
        failed = [line for line in body.decode(errors="replace").splitlines() if line.startswith("[-]")]
        return f"{self.url} answers {answer.status}" + (f": {', '.join(failed)}" if failed else "")

    def _connection(self, host: str, port: int | None) -> http.client.HTTPConnection:
        if not self.url.startswith("https:"):
            return http.client.HTTPConnection(host, port, timeout=_PROBE_LIMIT)
        context = ssl.create_default_context(cadata=(self.ca or b"").decode() or None)
        return http.client.HTTPSConnection(host, port, timeout=_PROBE_LIMIT, context=context)


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketReadiness:
    """A server serves when its Unix socket accepts a connection."""

    path: Path

    def problem(self) -> str | None:
        """See `Readiness`."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_PROBE_LIMIT)
            try:
                connection.connect(str(self.path))
            except OSError as error:
                return f"the socket {self.path} cannot be reached: {error.strerror or error}"
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One real server.

    Args:
        name: unique among the servers that run together.
        argv: program and arguments, never a secret among them.
        log: the file that takes both its output streams.
        readiness: how to see that it serves.
        environment: added to the environment of whoever starts it.
        start_limit: seconds it may take to serve.
        stop_grace: seconds between TERM and KILL.
    """

    name: str
    argv: tuple[str, ...]
    log: Path
    readiness: Readiness
    environment: Mapping[str, str] = field(default_factory=dict)
    start_limit: float = 60.0
    stop_grace: float = 5.0


def flags(settings: Mapping[str, object]) -> tuple[str, ...]:
    """Write settings as `--name=value`, booleans in Go's spelling, in the given order; None leaves a flag out."""
    return tuple(f"--{name}={_spelt(value)}" for name, value in settings.items() if value is not None)


def log_tail(log: Path, lines: int = 20) -> str:
    """The last lines of a server's log, for an error message; empty when there is none."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - 64 * 1024))
            content = file.read().decode(errors="replace")
    except OSError:
        return ""
    return "\n".join(content.splitlines()[-lines:])


def _spelt(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
