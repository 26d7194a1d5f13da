"""What can go wrong between a client and an API server, as data, and the rules that say which requests it befalls.

Apart from the proxy that carries them out, so that a test reads as the fault it is about.
"""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


@dataclass(frozen=True, slots=True)
class Drop:
    """The request is taken, not forwarded and never answered; the connection stays."""


@dataclass(frozen=True, slots=True)
class Delay:
    """The request waits before it is forwarded.

    Args:
        seconds: how long.
    """

    seconds: float


@dataclass(frozen=True, slots=True)
class Refuse:
    """The request is not forwarded but answered with a `Status`.

    Args:
        status: HTTP status, such as 410, 429 or 500.
        reason: machine-readable, such as `Expired`, `TooManyRequests` or `InternalError`.
        retry_after: seconds for the `Retry-After` header; None sends none.
    """

    status: int
    reason: str = ""
    retry_after: int | None = None


@dataclass(frozen=True, slots=True)
class LoseAnswer:
    """The request is forwarded and carried out; then the connection is reset instead of answering."""


@dataclass(frozen=True, slots=True)
class Stall:
    """The answer's head passes, then so many events, then nothing, bookmarks included; the connection stays.

    Args:
        after_events: events that pass; of an answer that is no watch, the body counts as one.
    """

    after_events: int = 0


@dataclass(frozen=True, slots=True)
class Cut:
    """So many events pass, then the first half of the next; then the connection is reset (TCP RST).

    Args:
        after_events: events that pass whole; of an answer that is no watch, the body counts as one.
    """

    after_events: int = 0


@dataclass(frozen=True, slots=True)
class CloseAtOnce:
    """A watch is answered 200 and ends properly before its first event."""


@dataclass(frozen=True, slots=True)
class ErrorEvent:
    """So many events of a watch pass, then comes an ERROR event and the watch ends.

    Args:
        after_events: events that pass; the next one's place is taken by the error.
        status: the `code` in it.
        reason: the machine-readable reason in it.
    """

    after_events: int = 0
    status: int = 410
    reason: str = "Expired"


@dataclass(frozen=True, slots=True)
class ShortWatch:
    """A watch is asked to last so long only: the server sends a bookmark 2 s before that, then ends the watch.

    Args:
        seconds: whole, more than 2.
    """

    seconds: int


Fault = Drop | Delay | Refuse | LoseAnswer | Stall | Cut | CloseAtOnce | ErrorEvent | ShortWatch


class Rule:
    """Which requests a fault befalls; made by `FaultProxy.add`, which owns it.

    Attributes:
        fault: what befalls them.
        hits: how many it has befallen.
    """

    def __init__(self, fault: Fault, *, verbs: Collection[str] | None, path: str, times: int | None) -> None:
        self.fault = fault
        self.hits = 0
        self._verbs = None if verbs is None else frozenset(verbs)
        self._path = path
        self._times = times

    def take(self, verb: str, path: str) -> bool:
        """Tell whether the fault befalls this request, and count it."""
        if self._times is not None and self.hits >= self._times:
            return False
        if not fits(verb, path, verbs=self._verbs, pattern=self._path):
            return False
        self.hits += 1
        return True


def fits(verb: str, path: str, *, verbs: Collection[str] | None, pattern: str) -> bool:
    """Tell whether a request is among those verbs (None for all) and its path fits a shell pattern."""
    return (verbs is None or verb in verbs) and fnmatch.fnmatchcase(path, pattern)


def verb_of(method: str, path: str, query: Mapping[str, str]) -> str:
    """Give Kubernetes' verb: get, list, watch, create, update, patch, delete or deletecollection.

    Source: https://kubernetes.io/docs/reference/access-authn-authz/authorization/#determine-the-request-verb
    """
    whole = _is_collection(path)
    if method == "GET":
        if query.get("watch") in ("true", "1"):
            return "watch"
        return "list" if whole else "get"
    if method == "DELETE":
        return "deletecollection" if whole else "delete"
    return _VERBS.get(method, method.lower())


def _is_collection(path: str) -> bool:
    parts = path.strip("/").split("/")
    below = parts[{"api": 2, "apis": 3}.get(parts[0], len(parts)) :]
    if below[:1] == ["namespaces"] and len(below) > len(("namespaces", "name")):
        below = below[2:]
    return len(below) == 1


_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch"}
