"""Asking a driver, which may be a stranger's: bounded in time, and whatever goes wrong becomes one sentence."""

from __future__ import annotations

import asyncio
import traceback
from typing import TYPE_CHECKING, TypeVar

import structlog

from kamaji_core.contracts import ProbeKind, StoreError

if TYPE_CHECKING:
    from collections.abc import Awaitable

T = TypeVar("T")

log = structlog.get_logger()


async def ask(call: Awaitable[T], *, seconds: float, to: str) -> T:
    """Await one call of a session.

    Args:
        call: to the session.
        seconds: that it may take, above the driver's own limits.
        to: what it was asked to do, as the end of the sentence "It did not ...".

    Raises:
        StoreError: the driver's own, or one that says that it took too long or failed in a way of its own.
    """
    try:
        async with asyncio.timeout(seconds):
            return await call
    except StoreError:
        raise
    except TimeoutError:
        sentence = f"It did not {to} within {seconds:.0f} s; trying again."
        raise StoreError(sentence, kind=ProbeKind.TIMEOUT) from None
    except Exception as error:  # noqa: BLE001 - a stranger's code may raise anything
        # Its words may quote a password, and whoever logs our error prints its causes: only the place is told.
        place = traceback.extract_tb(error.__traceback__)[-1]
        log.warning("a driver failed", to=to, error=type(error).__name__, at=f"{place.filename}:{place.lineno}")
        sentence = f"Its driver failed to {to} ({type(error).__name__}): report it to the driver's authors."
        raise StoreError(sentence, kind=ProbeKind.REFUSED) from None
