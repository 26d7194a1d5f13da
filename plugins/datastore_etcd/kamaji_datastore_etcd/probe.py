"""Can tenants be served? A real login that asks for all that the driver will need: rights, authentication, version.

A server that only answers is not enough: with authentication off every tenant could read every other's data, and
kube-apiserver cannot watch on servers older than 3.5.13.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

from kamaji_core.contracts import Probe, ProbeKind, StoreError
from kamaji_datastore_etcd.errors import AuthenticationDisabledError, NoSpaceError, PermissionDeniedError
from kamaji_datastore_etcd.names import ROOT

if TYPE_CHECKING:
    from kamaji_datastore_etcd.wire import ServerStatus, Wire

REQUIRED = (3, 5, 13)
"""The oldest server that kube-apiserver's watches work on (progress requests)."""

ADVISED = (3, 6, 14)
"""Older servers let any user with a certificate compact the whole store."""

_FULL = "NOSPACE"
"""The alarm after which etcd refuses every write until it is disarmed, also when there is space again."""

_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")


async def look(wire: Wire, *, login: str, endpoint: str, limit: float) -> Probe:
    """Log in and judge.

    Args:
        wire: the store's methods.
        login: user of the operator's own login.
        endpoint: named in sentences.
        limit: seconds for everything together.
    """
    version = ""
    try:
        async with asyncio.timeout(limit):
            status = await wire.status()
            version = status.version
            if not await wire.authentication_enabled():
                raise AuthenticationDisabledError(endpoint=endpoint)
            if ROOT not in (await wire.user_roles(login) or ()):
                raise PermissionDeniedError(endpoint=endpoint)
    except TimeoutError:
        sentence = f"etcd at {endpoint} did not answer within {limit:g} s: check that it can be reached."
        return Probe(kind=ProbeKind.TIMEOUT, sentence=sentence, server_version=version)
    except StoreError as error:
        return Probe(kind=error.kind, sentence=str(error), server_version=version)
    return judge(status, endpoint=endpoint)


def judge(status: ServerStatus, *, endpoint: str) -> Probe:
    """Tell what a member's version and alarms mean for tenants."""
    version = _parse(status.version)
    if version is None or version < REQUIRED:
        sentence = f"etcd at {endpoint} is version {status.version or 'unknown'}: upgrade to {_text(ADVISED)} or newer."
        return Probe(kind=ProbeKind.VERSION, sentence=sentence, server_version=status.version)
    if any(_FULL in alarm for alarm in status.alarms):
        full = NoSpaceError(endpoint=endpoint)
        return Probe(kind=full.kind, sentence=str(full), server_version=status.version)
    sentence = f"etcd {status.version} at {endpoint} accepts the login and its rights suffice."
    if version < ADVISED:
        sentence += (
            f" Before {_text(ADVISED)} any tenant can compact the whole store: upgrade, and let etcd compact by itself "
            f"(--auto-compaction-retention=5m)."
        )
    if status.alarms:
        sentence += f" It raises {', '.join(status.alarms)}: look at `etcdctl alarm list`."
    return Probe(kind=ProbeKind.OK, sentence=sentence, server_version=status.version)


def _parse(version: str) -> tuple[int, ...] | None:
    match = _VERSION.match(version)
    return tuple(map(int, match.groups())) if match else None


def _text(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
