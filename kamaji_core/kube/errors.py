"""What can go wrong between us and an API server, as types whose text is one sentence that tells what to do.

The sentences reach conditions, Events and logs unchanged. A server may quote an object in its refusal, so its words are
withheld wherever the request carried a Secret.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping


class ConfigError(Exception):
    """The way to reach the API server is not or wrongly configured; the text says where and what to correct."""


@dataclass(frozen=True, slots=True)
class Cause:
    """One of the reasons that the server gives for a refusal.

    Args:
        field: path of the field it is about, empty when it is about none.
        reason: machine-readable, such as `FieldValueInvalid` or `FieldManagerConflict`.
        message: in the server's words; empty where these are withheld.
    """

    field: str = ""
    reason: str = ""
    message: str = ""


class ApiError(Exception):
    """A request that did not succeed.

    Args:
        what: the request in words, such as `create Secret a/b`.
        status: HTTP status, 0 when there was no answer.
        reason: the server's machine-readable reason, such as `NotFound`.
        message: the server's words; empty where these are withheld.
        causes: details of a refusal.
        retry_after: seconds that the server asks to wait; None when it does not say.
    """

    advice = "Read the server's words and correct what they name."

    def __init__(
        self,
        what: str,
        *,
        status: int = 0,
        reason: str = "",
        message: str = "",
        causes: tuple[Cause, ...] = (),
        retry_after: float | None = None,
    ) -> None:
        self.what = what
        self.status = status
        self.reason = reason
        self.message = message
        self.causes = causes
        self.retry_after = retry_after
        super().__init__(self._sentence())

    def _sentence(self) -> str:
        answer = " ".join(part for part in (str(self.status or ""), self.reason) if part)
        words = self.message.rstrip(". ") or "no further words"
        return f"Could not {self.what}: {words} ({answer or 'no answer'}). {self.advice}"


class NotFoundError(ApiError):
    """The object, its namespace or its kind does not exist (404)."""

    advice = "Check that the object, its namespace and its CustomResourceDefinition exist."


class AlreadyExistsError(ApiError):
    """An object of that name exists already (409)."""

    advice = "Read the existing object and decide whether it can be adopted."


class ConflictError(ApiError):
    """The object changed since it was read, or another field manager owns a field (409)."""

    advice = "Read the object again and repeat the change on what it is now."


class GoneError(ApiError):
    """The requested resourceVersion is no longer kept (410)."""

    advice = "List anew and watch from there."


class InvalidError(ApiError):
    """The server finds the object or the request malformed, not allowed by its rules or too large (400, 413, 422)."""

    advice = "Correct the fields that are named; repeating the same request cannot help."


class ForbiddenError(ApiError):
    """We are known, and may not do that (403)."""

    advice = "Grant this right to the operator's account (RBAC), or lift the quota or rule that is named."


class UnauthorizedError(ApiError):
    """The server does not know us (401)."""

    advice = "Renew the credentials in the kubeconfig or the service account's token."


class TooManyRequestsError(ApiError):
    """The server asks us to slow down, or a disruption budget forbids it at present (429)."""

    advice = "It is tried again after the time that the server asks for."


class ServerError(ApiError):
    """The server failed or answered what no API server answers (5xx, or an unreadable body)."""

    advice = "It is tried again; if it stays, look at the API server and its etcd."


class UnreachableError(ApiError):
    """No usable answer: connection refused, cut, not in time, or not trusted."""

    advice = "Check that the server runs and that its address, network and certificate are right."


def error_from_answer(
    what: str, *, status: int, headers: Mapping[str, str], body: bytes, withhold: bool = False
) -> ApiError:
    """Make the error that an answer stands for.

    Args:
        what: the request in words.
        status: HTTP status of the answer.
        headers: of the answer, in any case when the mapping ignores case.
        body: a Status object, or anything.
        withhold: the request carried a Secret: keep out words that may quote it.
    """
    withhold = withhold and (status in _QUOTING or status >= _FIRST_SERVER_ERROR)
    try:
        told = msgspec.json.decode(body, type=_Status)
    except (msgspec.DecodeError, UnicodeDecodeError):
        told = _Status()
    return _error(what, told, status, _seconds(headers.get("Retry-After")), withhold=withhold)


def error_from_watch(what: str, status_object: msgspec.Raw) -> ApiError:
    """Make the error that the object of a watch's ERROR event stands for."""
    try:
        told = msgspec.json.decode(status_object, type=_Status)
    except (msgspec.DecodeError, UnicodeDecodeError):
        told = _Status(message="the watch ended with an unreadable error")
    return _error(what, told, told.code or 500, None, withhold=False)


class _StatusCause(msgspec.Struct):
    field: str = ""
    reason: str = ""
    message: str = ""


class _StatusDetails(msgspec.Struct, rename="camel"):
    causes: list[_StatusCause] | None = None
    retry_after_seconds: int = 0


class _Status(msgspec.Struct):
    """The fields of `metav1.Status` that we read."""

    message: str = ""
    reason: str = ""
    code: int = 0
    details: _StatusDetails | None = None


def _error(what: str, told: _Status, status: int, retry_after: float | None, *, withhold: bool) -> ApiError:
    details = told.details or _StatusDetails()
    causes = tuple(
        Cause(cause.field, cause.reason, "" if withhold else cause.message) for cause in details.causes or ()
    )
    message = told.message
    if withhold:
        fields = ", ".join(cause.field for cause in causes if cause.field)
        about = f" It is about {fields}" if fields else ""
        message = f"the server's words are withheld, since the request carried a Secret.{about}"
    return _type_of(status, told.reason)(
        what,
        status=status,
        reason=told.reason,
        message=message,
        causes=causes,
        retry_after=retry_after if retry_after is not None else (details.retry_after_seconds or None),
    )


def _type_of(status: int, reason: str) -> type[ApiError]:
    if reason == "AlreadyExists":
        return AlreadyExistsError
    if reason in ("Expired", "Gone"):
        return GoneError
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    return ServerError if status >= _FIRST_SERVER_ERROR or status < _FIRST_ERROR else ApiError


def _seconds(value: str | None) -> float | None:
    # The date form of Retry-After is never sent by an API server.
    return float(value) if value is not None and value.isdecimal() else None


_FIRST_ERROR = 400
_FIRST_SERVER_ERROR = 500
_QUOTING = frozenset({400, 413, 422})
_BY_STATUS: dict[int, type[ApiError]] = {
    400: InvalidError,
    401: UnauthorizedError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    410: GoneError,
    413: InvalidError,
    422: InvalidError,
    429: TooManyRequestsError,
}
