"""What the operator asked of the management API server: its own lines of the audit log, read as they are written.

Leases are left out everywhere: every replica of every operator renews one, whatever it has to do.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import IO, TYPE_CHECKING, Self

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})
_CONFLICT = 409


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedRequest:
    """One request, or the beginning of one watch.

    Args:
        at: when it was received, seconds since the epoch.
        verb: `get`, `watch`, `patch` and so on.
        resource: plural name with its subresource, or the path of something that is no resource.
        status: of the answer.
    """

    at: float
    verb: str
    resource: str
    status: int

    @property
    def is_write(self) -> bool:
        """Whether it asks for a change."""
        return self.verb in WRITES


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestCounts:
    """The requests of some time.

    Args:
        requests: all of them, watches counted when they begin.
        writes: those that ask for a change.
        conflicts: those answered with 409.
        kinds: how many by `verb resource`, the most frequent first.
    """

    requests: int
    writes: int
    conflicts: int
    kinds: dict[str, int]


def counts(requests: Iterable[AskedRequest]) -> RequestCounts:
    """Count requests."""
    present = list(requests)
    kinds = Counter(f"{request.verb} {request.resource}" for request in present)
    return RequestCounts(
        requests=len(present),
        writes=sum(request.is_write for request in present),
        conflicts=sum(request.status == _CONFLICT for request in present),
        kinds=dict(kinds.most_common()),
    )


class AuditTail:
    """Follows one user's requests in an audit log, over its rotations.

    Args:
        log: the file that the API server writes to.
        user: whose requests count.
    """

    def __init__(self, log: Path, user: str) -> None:
        self._log = log
        self._user = user.encode()
        self._file: IO[bytes] | None = None
        self._unfinished = b""
        self._requests: list[AskedRequest] = []

    def __enter__(self) -> Self:
        """Begin at the log's present end."""
        self._file = self._log.open("rb")
        self._file.seek(0, 2)
        return self

    def __exit__(self, *_: object) -> None:
        if self._file:
            self._file.close()

    def read(self) -> list[AskedRequest]:
        """Everything that was asked since the beginning, in the order of the log, read up to now."""
        if self._file is None:
            raise RuntimeError("Enter the tail's context before reading: it owns the open file.")
        self._take(self._file.read())
        if self._is_rotated(self._file):
            self._take(self._file.read())  # what was written between the read and the rotation
            self._file.close()
            self._file = self._log.open("rb")
            self._take(self._file.read())
        return self._requests

    def _take(self, content: bytes) -> None:
        *lines, self._unfinished = (self._unfinished + content).split(b"\n")
        for line in lines:
            if self._user in line and (request := parse(line, self._user.decode())) is not None:
                self._requests.append(request)

    def _is_rotated(self, file: IO[bytes]) -> bool:
        try:
            return self._log.stat().st_ino != os.fstat(file.fileno()).st_ino
        except FileNotFoundError:  # the next file is about to be made
            return False


def parse(line: bytes, user: str) -> AskedRequest | None:
    """Read one line of an audit log; nothing when it is another user's, a Lease's or the end of a watch."""
    try:
        event = msgspec.json.decode(line, type=_Event)
    except msgspec.DecodeError:
        return None
    target = event.object_ref
    is_end_of_watch = event.verb == "watch" and event.stage == "ResponseComplete"
    if event.user.username != user or target.resource == "leases" or is_end_of_watch:
        return None
    resource = "/".join(part for part in (target.resource, target.subresource) if part)
    return AskedRequest(
        at=datetime.fromisoformat(event.request_received_timestamp).timestamp(),
        verb=event.verb,
        resource=resource or event.request_uri.partition("?")[0],
        status=event.response_status.code,
    )


class _User(msgspec.Struct, frozen=True):
    username: str = ""


class _Target(msgspec.Struct, frozen=True):
    resource: str = ""
    subresource: str = ""


class _Status(msgspec.Struct, frozen=True):
    code: int = 0


class _Event(msgspec.Struct, rename="camel"):
    request_received_timestamp: str
    verb: str = ""
    stage: str = ""
    request_uri: str = msgspec.field(default="", name="requestURI")
    user: _User = _User()
    object_ref: _Target = _Target()
    response_status: _Status = _Status()
