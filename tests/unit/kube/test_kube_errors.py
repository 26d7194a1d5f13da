"""A refusal becomes the type that says what to do, with a sentence that can stand in a condition."""

from typing import Any

import msgspec
import pytest

from kamaji_core.kube import (
    AlreadyExistsError,
    ApiError,
    ConflictError,
    ForbiddenError,
    GoneError,
    InvalidError,
    NotFoundError,
    ServerError,
    TooManyRequestsError,
    UnauthorizedError,
)
from kamaji_core.kube.errors import error_from_answer, error_from_watch


def status(code: int, reason: str = "", message: str = "", **details: Any) -> bytes:
    """Write a Status as an API server does."""
    body = {"kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": message}
    return msgspec.json.encode(body | {"details": details} if details else body)


@pytest.mark.parametrize(
    ("code", "reason", "kind"),
    [
        (400, "BadRequest", InvalidError),
        (401, "Unauthorized", UnauthorizedError),
        (403, "Forbidden", ForbiddenError),
        (404, "NotFound", NotFoundError),
        (405, "MethodNotAllowed", ApiError),
        (409, "AlreadyExists", AlreadyExistsError),
        (409, "Conflict", ConflictError),
        (410, "Gone", GoneError),
        (410, "Expired", GoneError),
        (413, "RequestEntityTooLarge", InvalidError),
        (422, "Invalid", InvalidError),
        (429, "TooManyRequests", TooManyRequestsError),
        (500, "InternalError", ServerError),
        (503, "ServiceUnavailable", ServerError),
        (504, "Timeout", ServerError),
        (302, "", ServerError),
    ],
)
def test_types(code: int, reason: str, kind: type[ApiError]) -> None:
    """Status and reason together decide the type."""
    error = error_from_answer("do it", status=code, headers={}, body=status(code, reason, "words"))
    assert type(error) is kind
    assert (error.status, error.reason, error.message) == (code, reason, "words")


def test_the_sentence_says_what_failed_why_and_what_to_do() -> None:
    """It names the request, the server's words and the next step."""
    error = error_from_answer(
        "create Deployment a/b", status=403, headers={}, body=status(403, "Forbidden", 'deployments is forbidden: "x"')
    )
    assert str(error) == (
        'Could not create Deployment a/b: deployments is forbidden: "x" (403 Forbidden). '
        "Grant this right to the operator's account (RBAC), or lift the quota or rule that is named."
    )


def test_a_body_that_is_no_status_is_no_trouble() -> None:
    """A proxy's HTML page still becomes an error of its status."""
    error = error_from_answer("read it", status=502, headers={}, body=b"<html>\xff bad gateway")
    assert type(error) is ServerError
    assert "502" in str(error)


def test_causes_are_kept() -> None:
    """The fields that a refusal is about can be read one by one."""
    causes = [{"reason": "FieldValueInvalid", "message": "must be 3", "field": "spec.replicas"}]
    error = error_from_answer("apply it", status=422, headers={}, body=status(422, "Invalid", "no", causes=causes))
    assert [(cause.field, cause.reason, cause.message) for cause in error.causes] == [
        ("spec.replicas", "FieldValueInvalid", "must be 3")
    ]


def test_null_causes_are_none() -> None:
    """Servers write `null` where Go has an empty list."""
    assert error_from_answer("do it", status=409, headers={}, body=status(409, "", "", causes=None)).causes == ()


@pytest.mark.parametrize(
    ("headers", "details", "seconds"),
    [
        ({"Retry-After": "3"}, {}, 3.0),
        ({}, {"retryAfterSeconds": 5}, 5),
        ({}, {}, None),
        ({"Retry-After": "x"}, {}, None),
    ],
)
def test_retry_after(headers: dict[str, str], details: dict[str, int], seconds: float | None) -> None:
    """The time that the server asks for is taken from its header, else from the body."""
    body = status(429, "TooManyRequests", "slow down", **details)
    assert error_from_answer("do it", status=429, headers=headers, body=body).retry_after == seconds


@pytest.mark.parametrize("code", [400, 413, 422, 500, 503])
def test_words_about_a_secret_are_withheld(code: int) -> None:
    """A refusal that may quote a Secret's data names the fields and nothing else."""
    causes = [{"reason": "FieldValueInvalid", "message": 'Invalid value: "hunter2"', "field": "data[password]"}]
    body = status(code, "Invalid", 'data: Invalid value: "hunter2"', causes=causes)
    error = error_from_answer("apply Secret a/b", status=code, headers={}, body=body, withhold=True)
    assert "hunter2" not in f"{error} {error!r} {error.message} {error.causes}"
    assert "data[password]" in str(error)


def test_words_that_cannot_quote_a_secret_are_kept() -> None:
    """That a Secret exists already is said in the server's words."""
    body = status(409, "AlreadyExists", 'secrets "b" already exists')
    error = error_from_answer("create Secret a/b", status=409, headers={}, body=body, withhold=True)
    assert 'secrets "b" already exists' in str(error)


def test_an_error_event_becomes_its_type() -> None:
    """The second form of 410 comes inside a stream that was answered with 200."""
    error = error_from_watch("watch pods", msgspec.Raw(status(410, "Expired", "too old resource version")))
    assert type(error) is GoneError
    assert type(error_from_watch("watch pods", msgspec.Raw(b'"odd"'))) is ServerError
