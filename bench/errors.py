"""The one error that a measurement shows to its user."""

from __future__ import annotations


class BenchError(RuntimeError):
    """The measurement cannot be made; the message is a sentence that says what to do next."""
