"""Requests to the management API server, as its administrator.

A few objects at start and a few reads: the standard library does, and starting kubectl for each would cost more than
all of them together.
"""

from __future__ import annotations

import http.client
import json
import ssl
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sandbox.errors import SandboxError
from sandbox.places import API_URL, NAME

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kamaji_core.testing import TlsFiles

_LIMIT = 10.0


class Api:
    """A client of the management API server; each request has a connection of its own.

    Args:
        administrator: client certificate, key and the cluster's authority.
    """

    def __init__(self, administrator: TlsFiles) -> None:
        self._context = ssl.create_default_context(cafile=str(administrator.ca))
        self._context.load_cert_chain(administrator.certificate, administrator.key)

    def get(self, path: str) -> dict[str, Any]:
        """Read an object or a list.

        Raises:
            SandboxError: when the server cannot be reached or refuses.
        """
        return self._request("GET", path, None)

    def apply(self, path: str, manifest: Mapping[str, Any]) -> dict[str, Any]:
        """Apply an object on the server's side, taking over fields of others.

        Args:
            path: of the object, its name included.
            manifest: the whole intent.

        Raises:
            SandboxError: when the server cannot be reached or refuses.
        """
        return self._request("PATCH", f"{path}?fieldManager={NAME}&force=true", json.dumps(manifest))

    def _request(self, method: str, path: str, body: str | None) -> dict[str, Any]:
        host = urlsplit(API_URL).netloc
        connection = http.client.HTTPSConnection(host, timeout=_LIMIT, context=self._context)
        try:
            connection.request(method, path, body, {"Content-Type": "application/apply-patch+yaml"})
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise SandboxError(f"the API server cannot be reached ({error}): see `python -m sandbox status`") from error
        finally:
            connection.close()
        if answer.status >= http.HTTPStatus.BAD_REQUEST:
            message = json.loads(content).get("message", "") if content.startswith(b"{") else ""
            raise SandboxError(f"the API server refuses {method} {path.partition('?')[0]}: {answer.status} {message}")
        result: dict[str, Any] = json.loads(content)
        return result
