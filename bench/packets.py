"""What befalls packets from the operator to a tenant: an nftables table of our own in the sandbox's network.

It is there only while something is measured under it, and whatever a killed measurement left goes with its cleaning.
Both rules concern what the sandbox's own network sends, as the operator does, and not what comes from the host.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from sandbox.errors import run
from sandbox.places import NETWORK

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection

_TABLE = "kamaji-bench"
_LIMIT = 20.0


def dropping(address: str, ports: Collection[int]) -> str:
    """Rules that drop every packet of some connections in both directions; others to the same address pass.

    Args:
        address: that the connections were opened to, before any translation.
        ports: that they come from; at least one.
    """
    sources = ", ".join(map(str, sorted(ports)))
    these = f"meta l4proto tcp ct original ip daddr {address} ct original proto-src {{ {sources} }} drop"
    return f"""
    chain sent {{ type filter hook output priority 0; {these}; }}
    chain received {{ type filter hook input priority 0; {these}; }}
    """


def redirecting(address: str, port: int, *, to: str, to_port: int) -> str:
    """Rules that lead new connections elsewhere, before kube-proxy may.

    Args:
        address: that they are opened to.
        port: the same.
        to: address where they are led.
        to_port: the same.
    """
    rule = f"ip daddr {address} tcp dport {port} dnat to {to}:{to_port}"
    return f"chain sent {{ type nat hook output priority -110; {rule}; }}\n"


@contextlib.asynccontextmanager
async def ruled(rules: str) -> AsyncIterator[None]:
    """Have rules in force for as long as the context lasts; one at a time.

    Raises:
        SandboxError: when the kernel refuses them.
    """
    await asyncio.to_thread(_nft, f"{_REMOVAL}\ntable ip {_TABLE} {{\n{rules}\n}}\n")
    try:
        yield
    finally:
        await asyncio.to_thread(remove)


def remove() -> None:
    """Take the rules away; harmless when there are none."""
    _nft(_REMOVAL)


_REMOVAL = f"add table ip {_TABLE}\ndelete table ip {_TABLE}\n"


def _nft(script: str) -> None:
    run(["nsenter", f"--net={NETWORK}", "nft", "-f", "-"], limit=_LIMIT, sends=script)
