"""Changing the secrets of the sandbox's PostgreSQL as its administrator would, and putting them back at the end."""

from __future__ import annotations

import asyncio
import base64
import os
import secrets
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from kamaji_core.certificates import secret_data
from kamaji_core.kube import SECRETS
from kamaji_core.pki import CertificateRequest, Usage, issue_ca, issue_certificate
from kamaji_core.testing.files import write_private
from sandbox import places, postgres

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from kamaji_core.kube import KubeClient

_NAMESPACE, _SECRET = "kamaji-system", "postgres-credentials"
_SERVER_FILES = ("server.crt", "server.key")


class StoreSecrets:
    """The login of the DataStore and the authority of the server's certificate.

    Args:
        client: of the management cluster.
        before: the Secret as it was.
    """

    def __init__(self, client: KubeClient, before: dict[str, bytes]) -> None:
        self._client = client
        self._before = before
        self._authority = issue_ca(common_name="another authority", now=datetime.now(UTC), lifetime=timedelta(days=1))

    async def change_login(self) -> None:
        """Give the operator's own role another password, first at the server."""
        password = secrets.token_urlsafe(16)
        await self._set_password(password)
        await self._tell(password=password.encode())

    async def trust_both(self) -> None:
        """Have the present and the coming authority trusted."""
        await self._tell(**{"ca.crt": self._before["ca.crt"] + self._authority.certificate})

    async def serve_new(self) -> None:
        """Have the server show a certificate of the new authority to whoever connects from now on."""
        request = CertificateRequest(
            common_name="postgres",
            usages=frozenset({Usage.SERVER}),
            names=frozenset({"postgres.kamaji-system.svc", "127.0.0.1", places.NODE_ADDRESS}),
        )
        pair = issue_certificate(request, ca=self._authority, now=datetime.now(UTC), lifetime=timedelta(days=1))
        await asyncio.to_thread(_serve, {"server.crt": pair.certificate, "server.key": pair.key})

    async def trust_new(self) -> None:
        """Have the earlier authority trusted no more."""
        await self._tell(**{"ca.crt": self._authority.certificate})

    async def restore(self, files: dict[str, bytes]) -> None:
        """Put everything back.

        Args:
            files: of the server, as they were.
        """
        await self._set_password(self._before["password"].decode())
        await asyncio.to_thread(_serve, files)
        await self._tell(**self._before)

    async def _tell(self, **data: bytes) -> None:
        encoded = {name: base64.b64encode(value).decode() for name, value in data.items()}
        await self._client.merge_patch(SECRETS, _SECRET, {"data": encoded}, _NAMESPACE)

    async def _set_password(self, password: str) -> None:
        statement = f"ALTER ROLE {places.POSTGRES_ROLE} PASSWORD '{password}';"
        await asyncio.to_thread(postgres.psql, statement)


@asynccontextmanager
async def store_secrets(client: KubeClient) -> AsyncIterator[StoreSecrets]:
    """Change them within the context; what was there before is there after it."""
    before = secret_data(await client.get(SECRETS, _SECRET, _NAMESPACE))
    files = {name: (postgres.DIRECTORY / name).read_bytes() for name in _SERVER_FILES}
    changing = StoreSecrets(client, before)
    try:
        yield changing
    finally:
        await changing.restore(files)


def _serve(files: dict[str, bytes]) -> None:
    owner = postgres.DIRECTORY.stat()
    for name, content in files.items():
        os.chown(write_private(postgres.DIRECTORY / name, content), owner.st_uid, owner.st_gid)
    postgres.psql("SELECT pg_reload_conf();")
