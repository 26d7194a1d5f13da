"""Can tenants be served? A real login that asks for all that the driver will need: rights, version, room to write.

A server that only answers is not enough: a standby answers, and so does a login that may make no roles.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from kamaji_core.contracts import Probe, ProbeKind, StoreError
from kamaji_datastore_postgres.catalog import Me, shared_databases, who_am_i

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kamaji_datastore_postgres.access import Access
    from kamaji_datastore_postgres.connections import Connections

REQUIRED = 130000
"""The oldest server that can end a database's connections when it drops it."""


async def look(connections: Connections, access: Access, *, limit: float) -> Probe:
    """Log in and judge.

    Args:
        connections: to the store.
        access: how they are made.
        limit: seconds for everything together.
    """
    try:
        async with asyncio.timeout(limit), connections.login() as connection:
            me = await who_am_i(connection)
            shared = await shared_databases(connection)
    except TimeoutError:
        sentence = f"PostgreSQL at {access.named} did not answer within {limit:g} s: check that it can be reached."
        return Probe(kind=ProbeKind.TIMEOUT, sentence=sentence)
    except StoreError as error:
        return Probe(kind=error.kind, sentence=str(error))
    return judge(me, access, shared=shared)


def judge(me: Me, access: Access, *, shared: Sequence[str] = ()) -> Probe:
    """Tell what a server and a login mean for tenants.

    Args:
        me: the login and the server.
        access: how the operator connects.
        shared: databases that everybody may connect to.
    """
    kind, sentence = _trouble(me, access.named) or (ProbeKind.OK, _praise(me, access, shared))
    return Probe(kind=kind, sentence=sentence, server_version=me.version)


def _trouble(me: Me, endpoint: str) -> tuple[ProbeKind, str] | None:
    if me.number < REQUIRED:
        return ProbeKind.VERSION, f"PostgreSQL at {endpoint} is version {me.version}: upgrade to 13 or newer."
    if me.read_only:
        return ProbeKind.FULL, (
            f"PostgreSQL at {endpoint} takes no writes (default_transaction_read_only is on): make room on its disk, "
            f"then set it off."
        )
    rights = {"CREATEDB": me.creates_databases, "CREATEROLE": me.creates_roles}
    lacking = " and ".join(name for name, given in rights.items() if not given)
    if lacking and not me.superuser:
        return ProbeKind.PERMISSION, (
            f"The login {me.name!r} at PostgreSQL {endpoint} lacks {lacking}: run ALTER ROLE for it with "
            f"{' '.join(name for name, given in rights.items() if not given)}."
        )
    if me.connections > me.connections_limit:
        return ProbeKind.FULL, (
            f"PostgreSQL at {endpoint} has none of its {me.connections_limit} connections left: raise its "
            f"max_connections, or lower spec.config.connectionLimit."
        )
    return None


def _praise(me: Me, access: Access, shared: Sequence[str]) -> str:
    sentence = f"PostgreSQL {me.version} at {access.named} accepts the login and its rights suffice."
    if access.protection == "disable":
        sentence += " Connections are plain text, passwords apart: give spec.tlsConfig unless the network is trusted."
    elif access.protection == "require":
        sentence += " The server's certificate is not verified: give spec.tlsConfig."
    if shared:
        sentence += (
            f" Tenants may connect to the databases {', '.join(shared)}, too: run REVOKE CONNECT, TEMPORARY ON "
            f"DATABASE ... FROM PUBLIC for each."
        )
    return sentence
