"""Which Kubernetes an API server is: what it says of its version, reduced to what decisions need."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from kamaji_core.kube.errors import UnreachableError

if TYPE_CHECKING:
    from kamaji_core.kube.client import KubeClient


class _Told(msgspec.Struct):
    minor: str


async def server_minor(client: KubeClient) -> int:
    """Ask for the minor of the server's Kubernetes 1; hosted ones write it as `29+`.

    Raises:
        ApiError: when it cannot be asked or tells no version.
    """
    answer = await client.raw("/version")
    try:
        return int(msgspec.json.decode(answer, type=_Told).minor.rstrip("+"))
    except (msgspec.DecodeError, ValueError):
        raise UnreachableError("read /version", reason="Unreadable", message="it tells no version") from None
