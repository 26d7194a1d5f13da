"""How a tenant's API server is asked: what tells our objects from others, and whose a refusal is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kamaji_core.api import labels as wire

if TYPE_CHECKING:
    from kamaji_core.kube import ApiError

OURS = f"{wire.PROJECT_LABEL}={wire.PROJECT}"
"""Selects them."""

_NO_ANSWER = 0
_UNAUTHORIZED = 401


def is_about_the_object(error: ApiError) -> bool:
    """Whether the server answered about one object, by a webhook of the tenant's for instance; others may go well."""
    return error.status not in {_NO_ANSWER, _UNAUTHORIZED}
