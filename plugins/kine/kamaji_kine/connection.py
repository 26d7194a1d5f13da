"""Connection strings as URLs, built so that no character of a password or a name can change their meaning.

kine hands a PostgreSQL URL to two parsers one after the other, and the first one's complaint quotes the whole URL into
the pod's log, password included: what we build must be understood by both, whatever it is made of.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def connection_url(
    scheme: str,
    *,
    endpoints: Sequence[str],
    database: str,
    user: str = "",
    password: str | None = None,
    parameters: Mapping[str, str] | None = None,
) -> str:
    """Build a connection string for a server, every part of it percent-encoded.

    One endpoint stands where URLs have it. Several become the parameters `host` and `port`, lists that belong together
    by position, which PostgreSQL's clients try in turn: a list within the URL's own place for hosts is refused by Go's
    parser as soon as it holds IPv6 addresses.

    Args:
        scheme: such as `postgres`.
        endpoints: `host:port` each, IPv6 addresses in brackets, checked before.
        database: its name.
        user: that logs in; empty for none.
        password: of the user; None for none.
        parameters: what follows the question mark, such as `sslmode`, in this order. No value may hold a space: Go's
            parser turns it into a plus sign, which the second parser takes for one.

    Raises:
        ValueError: when there is no endpoint or a parameter's value has a space; the message holds no value.
    """
    if not endpoints:
        raise ValueError("A connection string needs at least one endpoint.")
    settings = dict(parameters or {})
    authority = ""
    if len(endpoints) == 1:
        authority = _authority(endpoints[0])
    else:
        pairs = [_split(endpoint) for endpoint in endpoints]
        settings = {
            "host": ",".join(host for host, _ in pairs),
            "port": ",".join(port for _, port in pairs),
            **settings,
        }
    for name, value in settings.items():
        if " " in value:
            raise ValueError(f"The parameter {name!r} of a connection string cannot hold a space.")
    login = _encoded(user) + ("" if password is None else f":{_encoded(password)}")
    query = "&".join(f"{_encoded(name)}={_encoded(value)}" for name, value in settings.items())
    url = f"{scheme}://{login}{'@' if login else ''}{authority}/{_encoded(database)}"
    return f"{url}?{query}" if query else url


def _authority(endpoint: str) -> str:
    host, port = _split(endpoint)
    return f"[{host}]:{port}" if ":" in host else f"{_encoded(host)}:{port}"


def _split(endpoint: str) -> tuple[str, str]:
    host, _, port = endpoint.rpartition(":")
    return host.removeprefix("[").removesuffix("]"), port


def _encoded(text: str) -> str:
    return quote(text, safe="")
