"""The real servers that tests stand on, looked at for themselves."""

from __future__ import annotations

import http.client
import json
import ssl
import subprocess
from typing import TYPE_CHECKING

import pytest

from kamaji_core.testing import ApiServer, EtcdServer, TlsFiles, enable_authentication, program, write_key_pair

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.real


def etcdctl(server: EtcdServer, files: TlsFiles | None, *command: str) -> subprocess.CompletedProcess[str]:
    """Ask a store something, with or without a client certificate."""
    argv = [str(program("etcdctl")), f"--endpoints={server.endpoints[0]}", "--command-timeout=5s"]
    if files is not None:
        argv += [f"--cacert={files.ca}", f"--cert={files.certificate}", f"--key={files.key}"]
    return subprocess.run([*argv, *command], capture_output=True, text=True, check=False, timeout=30)


def test_the_store_lets_root_in(etcd_server: EtcdServer) -> None:
    """The root certificate writes and reads back."""
    assert etcdctl(etcd_server, etcd_server.files, "put", "/testing/a", "1").returncode == 0
    answer = etcdctl(etcd_server, etcd_server.files, "get", "/testing/a", "--print-value-only")
    assert answer.stdout.strip() == "1"


def test_the_store_refuses_others(etcd_server: EtcdServer, tmp_path: Path) -> None:
    """A good certificate of a user without a role reads nothing."""
    assert etcd_server.ca is not None
    stranger = etcd_server.issue_client("stranger")
    files = write_key_pair(tmp_path, "stranger", stranger, ca=etcd_server.ca.certificate)
    answer = etcdctl(etcd_server, files, "get", "/testing/a")
    assert answer.returncode != 0
    assert "permission denied" in answer.stderr or "user name not found" in answer.stderr


def test_authentication_can_be_enabled_again(etcd_server: EtcdServer) -> None:
    """A second time changes nothing and fails nothing."""
    assert etcd_server.files is not None
    enable_authentication(etcd_server.endpoints[0], etcd_server.files)


def test_a_store_keeps_its_data_over_a_restart() -> None:
    """Stop and start give the same data on the same port, and its directory goes with the context."""
    with EtcdServer() as server:
        etcdctl(server, None, "put", "a", "1")
        server.stop()
        server.start()
        assert etcdctl(server, None, "get", "a", "--print-value-only").stdout.strip() == "1"
    assert not server.directory.exists()


def read_api(server: ApiServer, directory: Path, path: str) -> dict[str, object]:
    """Read a path of the API with the server's own administrator kubeconfig."""
    client = server.issue_client("reader", "system:masters")
    files = write_key_pair(directory, "reader", client, ca=server.ca.certificate)
    context = ssl.create_default_context(cafile=str(files.ca))
    context.load_cert_chain(files.certificate, files.key)
    connection = http.client.HTTPSConnection(server.url.removeprefix("https://"), timeout=10, context=context)
    connection.request("GET", path)
    answer: dict[str, object] = json.loads(connection.getresponse().read())
    connection.close()
    return answer


def test_the_api_server_serves_its_pinned_version(api_server: ApiServer, tmp_path: Path) -> None:
    """It says which version it is: one that kubeadm can read."""
    assert str(read_api(api_server, tmp_path, "/version")["gitVersion"]).startswith("v1.")


async def test_an_api_server_starts_in_a_test_of_its_own(tmp_path: Path) -> None:
    """The asynchronous context gives a fresh server and removes its directories."""
    async with ApiServer(extra={"max-requests-inflight": 50}) as server:
        assert read_api(server, tmp_path, "/api/v1/namespaces")["kind"] == "NamespaceList"
    assert not server.directory.exists()
    assert not server.etcd.directory.exists()
