"""Structured logs on standard error: one JSON object a line, or text for people."""

from __future__ import annotations

import logging
import sys
from typing import Any

import msgspec
import structlog
import structlog.tracebacks


def configure_logs(*, level: str, form: str) -> None:
    """Set up logging for the process.

    Args:
        level: the least severe level that is printed: debug, info, warning or error.
        form: `json` or `console`.
    """
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    factory: Any
    if form == "json":
        shared += [_TRACEBACKS, structlog.processors.JSONRenderer(serializer=_encode)]
        factory = structlog.BytesLoggerFactory(sys.stderr.buffer)
    else:
        plain = structlog.dev.plain_traceback
        shared += [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)]
        factory = structlog.PrintLoggerFactory(sys.stderr)
    structlog.configure(
        processors=shared,
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=factory,
        cache_logger_on_first_use=True,
    )


# Without local variables, which hold keys and passwords.
_TRACEBACKS = structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False))


def _encode(event: Any, **_options: Any) -> bytes:
    return msgspec.json.encode(event, enc_hook=str)
