"""Who asked the management API server for what: counted from its audit log.

This is how one sees that an operator at rest writes nothing: count, wait, count again.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sandbox.errors import NotUpError
from sandbox.places import AUDIT_LOG

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


_REFUSAL = '"authorization.k8s.io/decision":"forbid"'


@dataclass(frozen=True, slots=True, order=True, kw_only=True)
class Request:
    """A kind of request.

    Args:
        user: who asked.
        verb: `get`, `list`, `watch`, `create`, `patch` and so on.
        resource: plural name with its subresource, or the path of something that is no resource.
    """

    user: str
    verb: str
    resource: str


def count_requests(lines: Iterable[str], since: datetime | None = None) -> Counter[Request]:
    """Count the requests in an audit log; an unfinished last line is passed over.

    Args:
        lines: of the log.
        since: leave out what was received before.
    """
    counts: Counter[Request] = Counter()
    for line in lines:
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if since is None or datetime.fromisoformat(event["requestReceivedTimestamp"]) >= since:
            counts[_request(event)] += 1
    return counts


def requests_since(since: datetime | None) -> Counter[Request]:
    """Count the requests of the running sandbox.

    Raises:
        NotUpError: when there is no audit log.
    """
    return count_requests(_log(), since)


def refused_since(since: datetime | None) -> Counter[Request]:
    """Count the requests of the running sandbox whose user has not the right to them.

    Raises:
        NotUpError: when there is no audit log.
    """
    return count_requests(refused(_log()), since)


def refused(lines: Iterable[str]) -> Iterator[str]:
    """Those lines of an audit log that tell of a request whose user has not the right to it."""
    return (line for line in lines if _REFUSAL in line)


def by_user(counts: Counter[Request]) -> Counter[str]:
    """The requests of each user."""
    users: Counter[str] = Counter()
    for request, count in counts.items():
        users[request.user] += count
    return users


def as_json(counts: Counter[Request]) -> list[dict[str, Any]]:
    """The counts for programs, the most frequent first."""
    return [{**asdict(request), "count": count} for request, count in counts.most_common()]


def seconds_ago(seconds: float) -> datetime:
    """The time so many seconds before now."""
    return datetime.fromtimestamp(datetime.now(UTC).timestamp() - seconds, UTC)


def _request(event: dict[str, Any]) -> Request:
    target = event.get("objectRef") or {}
    resource = "/".join(target[part] for part in ("resource", "subresource") if target.get(part))
    path = str(event.get("requestURI", "")).partition("?")[0]
    return Request(
        user=event.get("user", {}).get("username", ""), verb=event.get("verb", ""), resource=resource or path
    )


def _log() -> Iterator[str]:
    if not AUDIT_LOG.exists():
        raise NotUpError
    for log in sorted(AUDIT_LOG.parent.glob("audit*.log")):
        with log.open(encoding="utf-8") as file:
            yield from file
