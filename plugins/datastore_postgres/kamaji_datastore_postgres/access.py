"""How the operator itself reaches a store, read out of a DataStore once so that connecting knows no settings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kamaji_core.contracts import BasicAuth, TlsMaterial
from kamaji_datastore_postgres.settings import SslMode, config_of, login_of

if TYPE_CHECKING:
    from kamaji_core.contracts import StoreView


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How the operator connects.

    Args:
        endpoints: host and port of each server, in the DataStore's order.
        login: the operator's role.
        password: empty where the client certificate is enough.
        database: that the operator works in.
        protection: how connections are protected.
        tls: authority and client certificate.
    """

    endpoints: tuple[tuple[str, int], ...]
    login: str
    password: str = field(repr=False)
    database: str
    protection: SslMode
    tls: TlsMaterial = field(repr=False)

    @property
    def named(self) -> str:
        """The servers, for sentences."""
        return ", ".join(endpoint_text(host, port) for host, port in self.endpoints)


def access_of(store: StoreView) -> Access:
    """Read a DataStore that `problems_of` found nothing wrong with."""
    config = config_of(store)
    basic = store.basic_auth or BasicAuth(username="", password="")
    return Access(
        endpoints=tuple(_split(endpoint) for endpoint in store.endpoints),
        login=login_of(store),
        password=basic.password,
        database=config.database,
        protection=config.protection,
        tls=store.tls or TlsMaterial(),
    )


def endpoint_text(host: str, port: int) -> str:
    """Write an endpoint, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _split(endpoint: str) -> tuple[str, int]:
    host, _, port = endpoint.rpartition(":")
    return host.removeprefix("[").removesuffix("]"), int(port)
