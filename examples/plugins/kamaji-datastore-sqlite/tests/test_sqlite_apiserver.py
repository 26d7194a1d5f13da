"""A real kube-apiserver on a real kine on a real file, told what the driver tells a tenant's pod."""

from __future__ import annotations

import http.client
import json
import os
import signal
import sqlite3
import ssl
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from kamaji_core.testing import ApiServer

if TYPE_CHECKING:
    from .conftest import Kine

pytestmark = pytest.mark.real

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"


def ask(server: ApiServer, method: str, path: str, sent: dict[str, Any] | None = None) -> dict[str, Any]:
    """Ask as an administrator of the tenant."""
    context = ssl.create_default_context(cadata=server.ca.certificate.decode())
    client = server.issue_client("admin", "system:masters")
    with tempfile.NamedTemporaryFile() as file:
        Path(file.name).write_bytes(client.certificate + client.key)
        context.load_cert_chain(file.name)
    url = urlsplit(server.url)
    with closing(http.client.HTTPSConnection(url.hostname or "", url.port, timeout=30, context=context)) as connection:
        connection.request(method, path, json.dumps(sent) if sent else None, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        content: dict[str, Any] = json.loads(answer.read())
    assert answer.status < http.client.BAD_REQUEST, content
    return content


def test_an_object_outlives_kine_and_api_server(kine: Kine) -> None:
    """A tenant's pod ends and another one starts on its volume: what was written is there, and can be changed."""
    with ApiServer(extra={"etcd-servers": kine.address}) as server:
        made = {"metadata": {"name": "kept", "labels": {"turn": "first"}}, "data": {"key": "value"}}
        ask(server, "POST", CONFIG_MAPS, made)
        server.stop()
        kine.process.stop()
        kine.process.start()
        server.start()
        kept = ask(server, "GET", f"{CONFIG_MAPS}/kept")
        assert kept["data"] == {"key": "value"}
        changed = ask(server, "PUT", f"{CONFIG_MAPS}/kept", {**kept, "data": {"key": "another"}})
        assert int(changed["metadata"]["resourceVersion"]) > int(kept["metadata"]["resourceVersion"])


def test_a_kine_that_was_killed_starts_again(kine: Kine) -> None:
    """Neither the socket that it left behind nor what it had not yet moved into the file is in the way."""
    with ApiServer(extra={"etcd-servers": kine.address}) as server:
        ask(server, "POST", CONFIG_MAPS, {"metadata": {"name": "kept"}})
        pid = kine.process.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        kine.process.stop()
        kine.process.start()
        server.stop()
        server.start()
        assert ask(server, "GET", f"{CONFIG_MAPS}/kept")["metadata"]["name"] == "kept"


def test_the_file_is_where_the_volume_is(kine: Kine) -> None:
    """It has a journal that readers need not wait for, and everything of the tenant is in that folder."""
    with closing(sqlite3.connect(kine.volume / "state.db")) as file:
        assert file.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert file.execute("SELECT count(*) FROM kine").fetchone()
    assert {path.name for path in kine.volume.iterdir()} <= {"state.db", "state.db-wal", "state.db-shm"}
